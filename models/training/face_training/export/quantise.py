"""Turn a float Keras model into an int8 .tflite file, and check what came out.

The ranges of the activations come from faces that the float model is shown (calibration):
from the least to the greatest value seen, or clipped to percentiles, which gives the common
values finer steps and lets the rare ones saturate.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.tools import flatbuffer_utils
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from ..errors import TrainingError
from ..nets.models import MEAN, STD, TfliteModel

# Operators of the Edge TPU compiler's list that image classifiers use
# (https://coral.ai/docs/edgetpu/models-intro/#supported-operations). HARD_SWISH is not on it.
CORAL_OPERATORS = {
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED",
    "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PAD", "QUANTIZE", "RELU",
    "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SLICE", "SQUEEZE",
    "STRIDED_SLICE", "SUB", "SUM", "TANH",
}  # fmt: skip
# With this scale and zero point an int8 input is the pixel less 128.
INPUT_SCALE, INPUT_ZERO_POINT = np.float32(1 / 255), -128
# Percentiles are taken from so many faces and, of each, so many values a tensor.
PERCENTILE_FACES, PERCENTILE_VALUES = 200, 4096


@dataclass(frozen=True)
class Calibration:
    """What sets the ranges of the activations."""

    faces: int = 1000
    which: str = "random"  # or "balanced": as many of each class, as far as there are
    percentile: float = 100.0  # ranges run from 100 - percentile to percentile

    def __str__(self):
        ranges = "whole range"
        if self.percentile < 100:
            ranges = f"{self.percentile:g}th percentile"
        return f"{self.faces} {self.which} faces, {ranges}"

    def choose(self, pixels, classes, seed):
        """Return the calibration faces out of `pixels` (n, h, w); `classes` int (n,)."""
        order = np.random.default_rng(seed).permutation(len(pixels))
        if self.which == "balanced":
            # How many of the same class come before a face: sorted by it, classes take turns.
            turn = np.empty(len(order), np.int64)
            for number in np.unique(classes):
                mine = classes[order] == number
                turn[mine] = np.arange(mine.sum())
            order = order[np.argsort(turn, kind="stable")]
        return pixels[order[: self.faces]]


def convert(model, pixels, percentile=100.0):
    """Return the bytes of the int8 .tflite of a float Keras model; its batch is 1.

    `pixels` uint8 (n, h, w) set the ranges of the activations. Two pixels of the first are
    made 0 and 255, so that the range of the input is exactly [0, 1].
    """
    pixels = pixels.copy()
    pixels[0, 0, :2] = 0, 255
    calibrated = _calibrate(model, pixels)
    if percentile < 100:
        calibrated = _clip(calibrated, pixels[:PERCENTILE_FACES], percentile)
    return bytes(mlir_quantize(calibrated, input_data_type=tf.int8, output_data_type=tf.int8))


def _pictures(pixels):
    for picture in pixels:
        yield (picture[None, ..., None].astype(np.float32) - MEAN) / STD


def _calibrate(model, pixels):
    """Return a float .tflite whose tensors hold the least and greatest values seen."""
    call = tf.function(lambda picture: model(picture, training=False))
    shape = tf.TensorSpec((1, *pixels.shape[1:], 1), tf.float32)
    # Frozen first: the converter would leave Keras 3's variables as READ_VARIABLE operators.
    frozen = convert_variables_to_constants_v2(call.get_concrete_function(shape))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([picture] for picture in _pictures(pixels))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_calibrate_only = True
    with warnings.catch_warnings():
        # It asks for statistics of the input, which are in the representative data.
        warnings.simplefilter("ignore", UserWarning)
        return converter.convert()


def _clip(calibrated, pixels, percentile):
    """Narrow the ranges in a calibrated .tflite to percentiles, those of its ends excepted."""
    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(calibrated))
    graph = content.subgraphs[0]
    ends = {*graph.inputs, *graph.outputs}
    inner = {
        number: tensor.quantization
        for number, tensor in enumerate(graph.tensors)
        if number not in ends and tensor.quantization is not None and tensor.quantization.max is not None
    }  # fmt: skip
    seen = _values(calibrated, pixels, inner)
    for number, quantization in inner.items():
        low, high = np.percentile(seen[number], [100 - percentile, percentile])
        # A tensor that is hardly ever other than 0 keeps its range: its few values matter.
        if high > low:
            quantization.min, quantization.max = [float(low)], [float(high)]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))


def _values(calibrated, pixels, numbers):
    """Return {tensor number: sampled values} of a float .tflite shown `pixels`."""
    interpreter = Interpreter(
        model_content=bytes(calibrated),
        # XNNPACK would keep the inner tensors to itself.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    random = np.random.default_rng(0)
    seen = {number: [] for number in numbers}
    for picture in _pictures(pixels):
        interpreter.set_tensor(place, picture)
        interpreter.invoke()
        for number, values in seen.items():
            found = interpreter.get_tensor(number).ravel()
            if len(found) > PERCENTILE_VALUES:
                found = found[random.integers(0, len(found), PERCENTILE_VALUES)]
            values.append(found)
    return {number: np.concatenate(values) for number, values in seen.items()}


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
    """Load a file, and refuse what the daemon or a Coral compiler would not take as it is."""
    found = TfliteModel(path)
    scale, zero_point = found.input["quantization"]
    if (found.input["dtype"], found.output["dtype"]) != (np.int8, np.int8):
        raise TrainingError(f"unable to export {path}: input or output is not int8")
    if (np.float32(scale), zero_point) != (INPUT_SCALE, INPUT_ZERO_POINT):
        raise TrainingError(
            f"unable to export {path}: input scale {scale} and zero point {zero_point},"
            f" not {INPUT_SCALE} and {INPUT_ZERO_POINT}"
        )
    foreign = set(operators(Path(path).read_bytes())) - CORAL_OPERATORS
    if foreign:
        raise TrainingError(
            f"unable to export {path}: a Coral compiler does not take {', '.join(sorted(foreign))}"
        )
    return found
