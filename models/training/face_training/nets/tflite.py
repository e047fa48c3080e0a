"""Run .tflite models, with LiteRT and NumPy alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from ..errors import TrainingError
from ..recipe import Input

Arrays = dict[str, np.ndarray]
# A model without a sidecar or recipe takes what Input says by default.
PLAIN = Input()


class Model:
    """A model of one picture input; `given` says what its values are, its size the file itself."""

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
            pictures = resized(pictures, width, height)
        if pictures.shape[-1] > channels:
            pictures = pictures @ np.array([[0.299], [0.587], [0.114]], np.float32)
        elif pictures.shape[-1] < channels:
            pictures = np.repeat(pictures, channels, axis=-1)
        return self.run((pictures * np.float32(255.0) - self.mean) / self.std)

    def run(self, values: np.ndarray) -> Arrays:
        """Return {name: (n, …)} for the real values of pictures of the model's own size."""
        raise NotImplementedError


def resized(pictures: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return pictures float32 (n, h, w, c) in another size, smoothed where they become smaller."""
    made = np.empty((len(pictures), height, width, pictures.shape[-1]), np.float32)
    for picture, new in zip(pictures, made, strict=True):
        for channel in range(picture.shape[-1]):
            image = Image.fromarray(np.ascontiguousarray(picture[..., channel], np.float32))
            small = image.resize((width, height), Image.Resampling.BILINEAR)
            new[..., channel] = np.asarray(small)
    return made


class TfliteModel(Model):
    """A .tflite model of batch 1 with float32 or int8 ends, in LiteRT as the daemon runs it."""

    def __init__(self, path: Path, given: Input = PLAIN, names: Sequence[str] = ()) -> None:
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


def _output_names(interpreter: Interpreter) -> tuple[str, ...]:
    """Return the names of the outputs in their order, as the file's signature tells them."""
    details = interpreter.get_output_details()
    signatures = list(interpreter.get_signature_list())
    if len(signatures) != 1:
        return tuple(f"output{number}" for number in range(len(details)))
    told = interpreter.get_signature_runner(signatures[0]).get_output_details()
    names = {one["index"]: name for name, one in told.items()}
    return tuple(names[one["index"]] for one in details)


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
