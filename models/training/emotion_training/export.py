"""Turn a run's averaged model into an int8 .tflite with its sidecar."""

import hashlib
import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from . import dataset, metrics, recipe, runs
from .errors import TrainingError
from .evaluate import MEAN, STD, TfliteModel, keras_logits
from .fer2013 import SIDE
from .labels import EMOTIONS

# Operators of the Edge TPU compiler's list that our nets need
# (https://coral.ai/docs/edgetpu/models-intro/#supported-operations).
CORAL_OPERATORS = {
    "ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED",
    "MAX_POOL_2D", "MEAN", "PAD", "RELU", "RELU6", "RESHAPE",
}  # fmt: skip
# With this scale and zero point an int8 input is the pixel less 128.
INPUT_SCALE, INPUT_ZERO_POINT = np.float32(1 / 255), -128


def convert(model, pixels):
    """Return the bytes of the int8 .tflite of a float Keras model.

    `pixels` uint8 (n, h, w) set the ranges of the activations. Two pixels of the first are
    made 0 and 255, so that the range of the input is exactly [0, 1].
    """
    pixels = pixels.copy()
    pixels[0, 0, :2] = 0, 255

    def samples():
        for picture in pixels:
            yield [((picture[None, ..., None].astype(np.float32) - MEAN) / STD)]

    call = tf.function(lambda picture: model(picture, training=False))
    shape = tf.TensorSpec((1, *pixels.shape[1:], 1), tf.float32)
    # Frozen first: the converter would leave Keras 3's variables as READ_VARIABLE operators.
    frozen = convert_variables_to_constants_v2(call.get_concrete_function(shape))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return converter.convert()


def operators(content):
    """Return the sorted names of the operators in the bytes of a .tflite."""
    names = {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    model = schema.Model.GetRootAsModel(content, 0)
    codes = (model.OperatorCodes(number) for number in range(model.OperatorCodesLength()))
    return sorted(names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())] for code in codes)


def check(path):
    """Refuse a file that the daemon or a Coral compiler would not take as it is."""
    found = TfliteModel(path)
    scale, zero_point = found.input["quantization"]
    if (np.float32(scale), zero_point) != (INPUT_SCALE, INPUT_ZERO_POINT):
        raise TrainingError(
            f"unable to export {path}: input scale {scale} and zero point {zero_point},"
            f" not {INPUT_SCALE} and {INPUT_ZERO_POINT}"
        )
    if (found.input["dtype"], found.output["dtype"]) != (np.int8, np.int8):
        raise TrainingError(f"unable to export {path}: input or output is not int8")
    foreign = set(operators(Path(path).read_bytes())) - CORAL_OPERATORS
    if foreign:
        raise TrainingError(f"unable to export {path}: operators {', '.join(sorted(foreign))}")
    return found


def _tensor(details):
    # The exact value of the float32 scale as a double, so that reading it back loses nothing.
    scale, zero_point = details["quantization"]
    return {"dtype": "int8", "scale": float(np.float32(scale)), "zero_point": int(zero_point)}


def sidecar(plan, model, content, temperature, figures):
    """Return the sidecar of the model as the daemon reads it."""
    return {
        "kind": "emotion",
        "name": plan.name,
        "version": plan.version,
        "description": plan.description,
        "licence": "MIT OR Apache-2.0",
        "training_data": plan.export.training_data,
        "figures": figures,
        "input": {
            "width": SIDE, "height": SIDE, "channels": 1, **_tensor(model.input),
            "mean": MEAN, "std": STD,
        },
        "output": {**_tensor(model.output), "values": "logits"},
        "labels": list(EMOTIONS),
        "crop": vars(plan.crop),
        "temperature": round(temperature, 4),
        "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip


def export(run, data, out):
    """Write `out`.tflite and `out`.json from a run; returns the sidecar."""
    plan = recipe.load(Path(run) / runs.RECIPE)
    try:
        model = keras.saving.load_model(Path(run) / runs.MODEL, compile=False)
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to load the model of run {run}: {error}") from error
    faces, _ = dataset.split(data, plan.train.train_split).soft()
    rows = np.random.default_rng(plan.train.seed).permutation(len(faces))
    content = convert(model, faces[rows[: plan.export.calibration_faces]])
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    pixels, truth = dataset.split(data, plan.export.temperature_split).judged()
    trial = out.with_name(f".part-{out.name}.tflite")
    try:
        trial.write_bytes(content)
        small = check(trial)
        logits = small.logits(pixels)
        temperature = metrics.fit_temperature(logits, truth)
        figures = _figures(plan, keras_logits(model, pixels), logits, truth, temperature)
        described = sidecar(plan, small, content, temperature, figures)
        trial.replace(out.with_name(f"{out.name}.tflite"))
    finally:
        trial.unlink(missing_ok=True)
    text = json.dumps(described, indent=2) + "\n"
    runs.write_whole(
        out.with_name(f"{out.name}.json"), lambda part: part.write_text(text, encoding="utf-8")
    )
    return described


def _figures(plan, float_logits, logits, truth, temperature):
    """Return the sidecar's figures: numbers only, named by the split they come from."""
    before = metrics.figures(logits, truth, EMOTIONS)
    after = metrics.figures(logits, truth, EMOTIONS, temperature)
    exact = metrics.figures(float_logits, truth, EMOTIONS)
    name = plan.export.temperature_split.lower()
    return {
        f"{name}_samples": after["samples"],
        f"{name}_accuracy": round(after["accuracy"], 4),
        f"{name}_macro_f1": round(after["macro_f1"], 4),
        f"{name}_top2": round(after["top2"], 4),
        f"{name}_ece": round(after["ece"], 4),
        f"{name}_ece_uncalibrated": round(before["ece"], 4),
        f"{name}_float_accuracy": round(exact["accuracy"], 4),
        f"{name}_int8_float_agreement": round(
            float((logits.argmax(axis=1) == float_logits.argmax(axis=1)).mean()), 4
        ),
    }
