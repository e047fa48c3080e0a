"""Run .keras, .tflite and .onnx models."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..errors import TrainingError
from ..recipe import Input
from .tflite import PLAIN, Arrays, Model, TfliteModel, read_sidecar

_BATCH = 256


class KerasModel(Model):
    """A float net."""

    def __init__(self, net: keras.Model, path: Path | None = None, given: Input = PLAIN) -> None:
        super().__init__(path, net.input_shape[1:], given)
        self.net = net
        self._call = tf.function(
            lambda pictures: net(pictures, training=False), reduce_retracing=True
        )

    def run(self, values: np.ndarray) -> Arrays:
        parts = [
            named(self.net, self._call(tf.constant(values[start : start + _BATCH], tf.float32)))
            for start in range(0, len(values), _BATCH)
        ]
        return {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}


def named(net: keras.Model, outputs: Any) -> Arrays:
    """Return a Keras net's outputs by name, also where it has a single one without."""
    if not isinstance(outputs, Mapping):
        outputs = {net.output_names[0]: outputs}
    return {name: np.asarray(values, np.float32) for name, values in outputs.items()}


class OnnxModel(Model):
    """An .onnx model, which may want its channels before height and width."""

    def __init__(self, path: Path, given: Input = PLAIN) -> None:
        import onnxruntime

        try:
            self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no class of its own that is public
            raise TrainingError(f"unable to load model {path}: {error}") from error
        self.input = self.session.get_inputs()[0]
        shape = self.input.shape
        self.channels_first = len(shape) == 4 and shape[1] in (1, 3)
        size = [*shape[2:], shape[1]] if self.channels_first else shape[1:]
        if len(size) != 3 or not all(isinstance(one, int) for one in size):
            raise TrainingError(f"unable to use model {path}: its input {shape} has no fixed size")
        super().__init__(path, size, given)

    def run(self, values: np.ndarray) -> Arrays:
        if self.channels_first:
            values = values.transpose(0, 3, 1, 2)
        whole = isinstance(self.input.shape[0], str) or self.input.shape[0] is None
        parts = [values] if whole else [values[n : n + 1] for n in range(len(values))]
        answers = [
            self.session.run(None, {self.input.name: np.ascontiguousarray(p)}) for p in parts
        ]
        names = [one.name for one in self.session.get_outputs()]
        return {
            name: np.concatenate([answer[n] for answer in answers]) for n, name in enumerate(names)
        }


def load_keras(path: str | Path) -> keras.Model:
    """Load a .keras file as a float32 net, also if it was saved with another precision."""
    path = Path(path)
    if not path.is_file():
        raise TrainingError(f"unable to load model {path}: no such file")
    if not zipfile.is_zipfile(path):
        raise TrainingError(f"unable to load model {path}: it is damaged or was cut off")
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # a damaged archive raises whatever its reader does
        raise TrainingError(
            f"unable to load model {path}: it is damaged or was cut off"
            f" ({str(error).splitlines()[0]})"
        ) from error
    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model

    def as_float32(layer: keras.Layer) -> keras.Layer:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    exact = keras.models.clone_model(model, clone_function=as_float32, recursive=True)
    exact.set_weights(model.get_weights())
    return exact


def load_model(path: str | Path, given: Input | None = None) -> Model:
    """Load a .keras, .tflite or .onnx model, with the input and outputs that its sidecar tells."""
    path = Path(path)
    sidecar = read_sidecar(path) or {}
    names: list[str] = []
    try:
        if given is None:
            told = sidecar.get("input", {})
            given = Input(mean=float(told.get("mean", 0.0)), std=float(told.get("std", 255.0)))
        names = [one["name"] for one in sidecar.get("outputs", [])]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"unable to use the sidecar of {path}: {error!r}") from error
    if path.suffix == ".keras":
        return KerasModel(load_keras(path), path, given)
    if path.suffix == ".tflite":
        return TfliteModel(path, given, names)
    if path.suffix == ".onnx":
        return OnnxModel(path, given)
    raise TrainingError(f"unable to load model {path}: neither .keras, .tflite nor .onnx")
