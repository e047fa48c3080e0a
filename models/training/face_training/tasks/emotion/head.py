"""The last layer of an exported int8 file: what it takes, its weights, and other ones in their place.

With LiteRT and NumPy alone, so that a small computer can do it.
"""

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from ...errors import TrainingError
from ...nets.tflite import dequantise, quantise
from ...recipe import Input

# Largest int8 weight; -128 is not used, so that a sign can be turned.
_MOST = 127


@dataclass
class Head:
    """The fully connected layer that gives an int8 file's logits."""

    file: Any
    operator: Any

    @classmethod
    def of(cls, content: bytes) -> "Head":
        """Find the layer in the bytes of a .tflite."""
        file = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
        (graph,) = file.subgraphs
        (output,) = graph.outputs
        last = next(operator for operator in graph.operators if output in operator.outputs)
        kind = file.operatorCodes[last.opcodeIndex].builtinCode
        if kind != schema.BuiltinOperator.FULLY_CONNECTED:
            raise TrainingError("unable to change logits: they come from no fully connected layer")
        if len(last.inputs) < 3 or last.inputs[2] < 0:
            raise TrainingError("unable to change logits: their layer has no bias")
        return cls(file, last)

    def _tensor(self, place: int) -> Any:
        return self.file.subgraphs[0].tensors[self.operator.inputs[place]]

    def _values(self, place: int, kind: str) -> np.ndarray:
        tensor = self._tensor(place)
        data = np.frombuffer(bytes(self.file.buffers[tensor.buffer].data), kind)
        return data.reshape(tensor.shape)

    @property
    def _steps(self) -> np.ndarray:
        """What one step of the bias is worth, of each class."""
        given, weights = (np.asarray(self._tensor(n).quantization.scale) for n in (0, 1))
        return np.broadcast_to(given * weights, (self._tensor(2).shape[0],))

    @property
    def kernel(self) -> np.ndarray:
        """Weights float64 (classes, features)."""
        scale = np.asarray(self._tensor(1).quantization.scale, np.float64)
        return self._values(1, "<i1") * scale.reshape(-1, 1)

    @property
    def bias(self) -> np.ndarray:
        """Bias float64 (classes,)."""
        return self._values(2, "<i4") * self._steps

    @property
    def logit(self) -> float:
        """One step of the int8 logits."""
        tensor = self.file.subgraphs[0].tensors[self.operator.outputs[0]]
        return float(tensor.quantization.scale[0])

    def put(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        """Put other weights into the layer, rounded to int8 with a scale for each class or one for all."""
        quantization = self._tensor(1).quantization
        most = np.abs(kernel).max(axis=1, keepdims=True)
        if len(quantization.scale) == 1:
            most = np.full_like(most, most.max())
        given = np.asarray(self._tensor(0).quantization.scale)
        # Not so small that the bias, in steps of both scales, leaves int32.
        least = np.abs(bias).max() / float(given[0]) / 2**30
        scale = np.maximum(most / _MOST, max(least, 1e-9)).astype(np.float32)
        quantization.scale = scale[: len(quantization.scale), 0]
        self._store(1, np.rint(kernel / scale).astype("<i1"))
        self._tensor(2).quantization.scale = (given * quantization.scale).astype(np.float32)
        self._store(2, np.rint(bias / self._steps).astype("<i4"))

    def shift(self, change: np.ndarray) -> None:
        """Make the logits greater by `change` (classes,), taken to the nearest step of int8 logits.

        The others stay as they are, ties among them included.
        """
        whole = np.rint(np.asarray(change, np.float64) / self.logit) * self.logit
        steps = np.rint(whole / self._steps).astype(np.int64)
        self._store(2, (self._values(2, "<i4") + steps).astype("<i4"))

    def _store(self, place: int, values: np.ndarray) -> None:
        buffer = self.file.buffers[self._tensor(place).buffer]
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)

    def content(self) -> bytes:
        """Return the file as bytes."""
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.file.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def features(content: bytes, pictures: np.ndarray, given: Input) -> tuple[np.ndarray, np.ndarray]:
    """Return what the last layer takes and gives, float32 (n, features) and (n, classes).

    `pictures` uint8 (n, h, w, c).
    """
    place = int(Head.of(content).operator.inputs[0])
    interpreter = Interpreter(
        model_content=content,
        # XNNPACK would keep inner tensors to itself.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    (start,), (end,) = interpreter.get_input_details(), interpreter.get_output_details()
    inner = next(one for one in interpreter.get_tensor_details() if one["index"] == place)
    taken, given_out = [], []
    for picture in quantise((pictures.astype(np.float32) - given.mean) / given.std, start):
        interpreter.set_tensor(start["index"], picture[None])
        interpreter.invoke()
        taken.append(interpreter.get_tensor(place)[0].copy())
        given_out.append(interpreter.get_tensor(end["index"])[0].copy())
    return dequantise(np.array(taken), inner), dequantise(np.array(given_out), end)
