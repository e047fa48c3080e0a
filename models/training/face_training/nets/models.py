"""Run .keras, .tflite and .onnx models."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from ..errors import TrainingError
from ..recipe import Input

Arrays = dict[str, np.ndarray]
_BATCH = 256
# A model without a sidecar or recipe takes what Input says by default.
_PLAIN = Input()


class Model:
    """A model of one picture input; `given` says what its values are, its size the file itself."""

    suffix = ""

    def __init__(self, path: Path | None, shape: Sequence[int], given: Input) -> None:
        self.path = path
        self.shape = tuple(shape)  # height, width, channels
        self.mean, self.std = given.mean, given.std

    def outputs(self, pictures: np.ndarray) -> Arrays:
        """Return real values float32 {name: (n, …)} for pictures uint8 (n, h, w, channels)."""
        return self.run((pictures.astype(np.float32) - self.mean) / self.std)

    def see(self, pictures: np.ndarray) -> Arrays:
        """Return the same for pictures float32 (n, h, w, channels) in [0, 1] of any size.

        They are resized, and grey is spread to three channels or taken of them (ITU-R BT.601).
        """
        height, width, channels = self.shape
        if pictures.shape[1:3] != (height, width):
            pictures = tf.image.resize(pictures, (height, width), antialias=True).numpy()
        if pictures.shape[-1] > channels:
            pictures = pictures @ np.array([[0.299], [0.587], [0.114]], np.float32)
        elif pictures.shape[-1] < channels:
            pictures = np.repeat(pictures, channels, axis=-1)
        return self.run((pictures * np.float32(255.0) - self.mean) / self.std)

    def run(self, values: np.ndarray) -> Arrays:
        """Return {name: (n, …)} for the real values of pictures of the model's own size."""
        raise NotImplementedError


class KerasModel(Model):
    """A float net."""

    def __init__(self, net: keras.Model, path: Path | None = None, given: Input = _PLAIN) -> None:
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


class TfliteModel(Model):
    """A .tflite model of batch 1 with float32 or int8 ends, in LiteRT as the daemon runs it."""

    def __init__(self, path: Path, given: Input = _PLAIN, names: Sequence[str] = ()) -> None:
        try:
            self.interpreter = Interpreter(model_path=str(path), num_threads=1)
            self.interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise TrainingError(f"unable to load model {path}: {error}") from error
        (self.input,) = self.interpreter.get_input_details()
        self.output = self.interpreter.get_output_details()
        self.names = tuple(names) or _output_names(self.interpreter)
        if self.input["shape"][0] != 1:
            raise TrainingError(f"unable to use model {path}: its batch is not 1")
        if len(self.names) != len(self.output):
            raise TrainingError(
                f"unable to use model {path}: {len(self.output)} outputs, its sidecar names"
                f" {len(self.names)}"
            )
        super().__init__(path, self.input["shape"][1:], given)

    def run(self, values: np.ndarray) -> Arrays:
        found: list[list[np.ndarray]] = [[] for _ in self.output]
        for picture in quantise(values, self.input):
            self.interpreter.set_tensor(self.input["index"], picture[None])
            self.interpreter.invoke()
            for rows, one in zip(found, self.output, strict=True):
                rows.append(self.interpreter.get_tensor(one["index"])[0])
        return {
            name: dequantise(np.array(rows), one)
            for name, rows, one in zip(self.names, found, self.output, strict=True)
        }


class OnnxModel(Model):
    """An .onnx model, which may want its channels before height and width."""

    def __init__(self, path: Path, given: Input = _PLAIN) -> None:
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


def _output_names(interpreter: Interpreter) -> tuple[str, ...]:
    """Return the names of the outputs in their order, as the file's signature tells them."""
    details = interpreter.get_output_details()
    signatures = list(interpreter.get_signature_list())
    if len(signatures) != 1:
        return tuple(f"output{number}" for number in range(len(details)))
    told = interpreter.get_signature_runner(signatures[0]).get_output_details()
    names = {one["index"]: name for name, one in told.items()}
    return tuple(names[one["index"]] for one in details)


def load_keras(path: str | Path) -> keras.Model:
    """Load a .keras file as a float32 net, also if it was saved with another precision."""
    path = Path(path)
    if not path.is_file():
        raise TrainingError(f"unable to load model {path}: no such file")
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


def quantise(values: np.ndarray, tensor: Mapping[str, Any]) -> np.ndarray:
    """Turn real values into the type of a tensor described by the interpreter."""
    kind = tensor["dtype"]
    if kind == np.float32:
        return values.astype(np.float32)
    scale, zero_point = tensor["quantization"]
    limits = np.iinfo(kind)
    return np.clip(np.rint(values / scale) + zero_point, limits.min, limits.max).astype(kind)


def dequantise(values: np.ndarray, tensor: Mapping[str, Any]) -> np.ndarray:
    """Turn values of a tensor described by the interpreter into float32 real values."""
    if tensor["dtype"] == np.float32:
        return values
    scale, zero_point = tensor["quantization"]
    return ((values.astype(np.float32) - zero_point) * scale).astype(np.float32)


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """Return the sidecar beside a model file, None where there is none."""
    sidecar = path.with_suffix(".json")
    if not sidecar.exists():
        return None
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to read the sidecar {sidecar}: {error}") from error
    if not isinstance(content, dict):
        raise TrainingError(f"unable to read the sidecar {sidecar}: it is no object")
    return content


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
