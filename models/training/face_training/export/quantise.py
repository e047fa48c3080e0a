"""Turn a float Keras model into an int8 .tflite file, and check what came out."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from ..errors import TrainingError
from ..nets.tflite import TfliteModel
from ..quiet import quiet
from ..recipe import Input

# Operators of the Edge TPU compiler's list that nets here use
# (https://coral.ai/docs/edgetpu/models-intro/#supported-operations). HARD_SWISH is not on it.
CORAL_OPERATORS = {
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED",
    "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PAD", "QUANTIZE", "RELU",
    "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SLICE", "SQUEEZE",
    "STRIDED_SLICE", "SUB", "SUM", "TANH",
}  # fmt: skip


def convert(model: keras.Model, pictures: np.ndarray, given: Input) -> bytes:
    """Return the bytes of the int8 .tflite of a float Keras model; its batch is 1.

    `pictures` uint8 (n, h, w, c) set the ranges of the activations. Two values of the first are
    made 0 and 255, so that an int8 input is the pixel value less 128. Outputs come in the order
    of their names.
    """
    pictures = pictures.copy()
    pictures[0, 0, :2, 0] = 0, 255

    def shown() -> Iterator[list[np.ndarray]]:
        for picture in pictures:
            yield [(picture[None].astype(np.float32) - given.mean) / np.float32(given.std)]

    # A batch of 1 for good: the daemon takes no open shape.
    one = keras.Input(batch_shape=(1, *pictures.shape[1:]))
    fixed = keras.Model(one, model(one))
    converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = shown
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with quiet(), warnings.catch_warnings():
        # It asks for statistics of the input, which are in the representative data.
        warnings.simplefilter("ignore", UserWarning)
        return converter.convert()


def operators(content: bytes) -> list[str]:
    """Return the sorted names of the operators in the bytes of a .tflite."""
    names = {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    model = schema.Model.GetRootAsModel(content, 0)
    codes = (model.OperatorCodes(number) for number in range(model.OperatorCodesLength()))
    return sorted(names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())] for code in codes)


def check(path: Path, given: Input) -> TfliteModel:
    """Load a file, and refuse what the daemon or a Coral compiler would not take as it is."""
    found = TfliteModel(path, given)
    if any((tensor["shape_signature"] < 0).any() for tensor in (found.input, *found.output)):
        raise TrainingError(f"unable to export {path}: its shapes are open, not for a batch of 1")
    kinds = {tensor["dtype"] for tensor in (found.input, *found.output)}
    if kinds != {np.int8}:
        raise TrainingError(f"unable to export {path}: input or output is not int8")
    scale, zero_point = found.input["quantization"]
    # A pixel value less 128 is what goes in: real = (pixel - mean) / std = scale * (q - zero point).
    step, zero = 1 / given.std, given.mean - 128
    if not np.isclose(scale, step, rtol=1e-4) or abs(zero_point - zero) > 0.5:
        raise TrainingError(
            f"unable to export {path}: input scale {scale} and zero point {zero_point},"
            f" not {step:.6g} and {zero:g}"
        )
    if found.shape != given.shape:
        raise TrainingError(f"unable to export {path}: input {found.shape}, not {given.shape}")
    foreign = set(operators(path.read_bytes())) - CORAL_OPERATORS
    if foreign:
        raise TrainingError(
            f"unable to export {path}: a Coral compiler does not take {', '.join(sorted(foreign))}"
        )
    return found
