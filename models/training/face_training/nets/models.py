"""Run .keras and .tflite models."""

from pathlib import Path

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from ..errors import TrainingError

# The nets' input convention: real value = (pixel - MEAN) / STD, so [0, 1].
MEAN, STD = 0.0, 255.0


class KerasModel:
    """A float model."""

    def __init__(self, path):
        self.model = load_keras(path)
        self.outputs = self.model.output_shape[-1]

    def logits(self, pixels):
        """Return float32 logits (n, classes) for uint8 pixels (n, h, w)."""
        return keras_logits(self.model, pixels)


class TfliteModel:
    """A .tflite model of batch 1 with float32 or int8 ends, in LiteRT as the daemon runs it."""

    def __init__(self, path):
        try:
            self.interpreter = Interpreter(model_path=str(path), num_threads=1)
            self.interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise TrainingError(f"unable to load model {path}: {error}") from error
        (self.input,) = self.interpreter.get_input_details()
        (self.output,) = self.interpreter.get_output_details()
        if self.input["shape"][0] != 1:
            raise TrainingError(f"unable to use model {path}: its batch is not 1")
        self.outputs = int(self.output["shape"][-1])

    def logits(self, pixels):
        """Return float32 logits (n, classes) for uint8 pixels (n, h, w)."""
        pictures = quantise((pixels.astype(np.float32) - MEAN) / STD, self.input)
        found = []
        for picture in pictures:
            self.interpreter.set_tensor(self.input["index"], picture[None, ..., None])
            self.interpreter.invoke()
            found.append(self.interpreter.get_tensor(self.output["index"])[0])
        return dequantise(np.array(found), self.output)


def load_keras(path):
    """Load a .keras file as a float32 net, also if it was saved with another precision."""
    try:
        model = keras.saving.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to load model {path}: {error}") from error
    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model

    def as_float32(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    exact = keras.models.clone_model(model, clone_function=as_float32, recursive=True)
    exact.set_weights(model.get_weights())
    return exact


def keras_logits(model, pixels, batch=256):
    """Return float32 logits (n, classes) of a Keras model for uint8 pixels (n, h, w)."""
    pictures = (pixels[..., None].astype(np.float32) - MEAN) / STD
    return np.asarray(model.predict(pictures, batch_size=batch, verbose=0), np.float32)


def quantise(values, tensor):
    """Turn real values into the type of a tensor described by the interpreter."""
    kind = tensor["dtype"]
    if kind == np.float32:
        return values.astype(np.float32)
    scale, zero_point = tensor["quantization"]
    limits = np.iinfo(kind)
    return np.clip(np.rint(values / scale) + zero_point, limits.min, limits.max).astype(kind)


def dequantise(values, tensor):
    """Turn values of a tensor described by the interpreter into float32 real values."""
    if tensor["dtype"] == np.float32:
        return values
    scale, zero_point = tensor["quantization"]
    return ((values.astype(np.float32) - zero_point) * scale).astype(np.float32)


def load_model(path):
    """Load a .keras or .tflite model."""
    kinds = {".keras": KerasModel, ".tflite": TfliteModel}
    kind = kinds.get(Path(path).suffix)
    if kind is None:
        raise TrainingError(f"unable to load model {path}: neither .keras nor .tflite")
    return kind(path)
