"""Make a float net of an int8 .tflite again, for training to go on from.

The converter has folded each batch normalisation into the convolution before it. Here it gets the
statistics of the convolution's values on pictures, and the factors that undo them: the net answers
as the file does, and can be trained on with its normalisation at work.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from keras import layers

from .. import recipe
from ..errors import TrainingError
from ..files import write_whole
from ..nets.transfer import leaves
from ..recipe import Input
from ..tasks.task import stack

_OPERATORS = {
    schema.BuiltinOperator.CONV_2D: layers.Conv2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: layers.DepthwiseConv2D,
    schema.BuiltinOperator.FULLY_CONNECTED: layers.Dense,
}


def restore(model: Path, recipe_path: Path, data: Path, out: Path) -> Path:
    """Write the .keras of an exported .tflite whose recipe is known; returns its path.

    The pictures that set the statistics are those that would set int8 ranges.
    """
    plan = recipe.load(recipe_path)
    net = plan.task.build(plan, None)
    try:
        content = model.read_bytes()
    except OSError as error:
        raise TrainingError(f"unable to read model {model}: {error.strerror}") from error
    samples = plan.task.to_judge(data, plan.train.train_split, plan)
    count = min(plan.export.calibration_pictures, len(samples))
    chosen = np.random.default_rng(plan.train.seed).permutation(len(samples))[:count]
    pictures = stack(samples.pictures)[chosen]
    fill(net, weights(content), pictures, plan.input)
    write_whole(out, lambda part: net.save(part))
    return out


def weights(content: bytes) -> list[tuple[type, np.ndarray, np.ndarray]]:
    """Return (kind of layer, kernel, bias), in Keras' order of axes, of each layer of a file."""
    file = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    graph = file.subgraphs[0]
    found = []
    for operator in graph.operators:
        kind = _OPERATORS.get(file.operatorCodes[operator.opcodeIndex].builtinCode)
        if kind is None:
            continue
        kernel = _real(graph.tensors[operator.inputs[1]], file.buffers)
        if kind is layers.Dense:
            kernel = kernel.T
        else:
            # One picture's kernels first; of a depthwise one, the channels stand last already.
            kernel = np.moveaxis(kernel, 0, 2 if kind is layers.DepthwiseConv2D else 3)
        # An output for each channel of the last axis; a bias of zeros is left out of the file.
        place = operator.inputs[2] if len(operator.inputs) > 2 else -1
        count = kernel.shape[2 if kind is layers.DepthwiseConv2D else -1]
        bias = np.zeros(count, np.float32)
        if place >= 0:
            bias = _real(graph.tensors[place], file.buffers)
        found.append((kind, kernel, bias))
    return found


def _real(tensor: schema.TensorT, buffers: Sequence[schema.BufferT]) -> np.ndarray:
    kind = {schema.TensorType.INT8: "<i1", schema.TensorType.INT32: "<i4"}.get(tensor.type)
    if kind is None:
        raise TrainingError("unable to restore: the file's weights are not int8")
    values = np.frombuffer(bytes(buffers[tensor.buffer].data), kind).reshape(tensor.shape)
    scale = np.asarray(tensor.quantization.scale, np.float64)
    shape = [1] * values.ndim
    shape[tensor.quantization.quantizedDimension] = -1
    return (values * scale.reshape(shape)).astype(np.float32)


def fill(
    net: keras.Model,
    found: Sequence[tuple[type, np.ndarray, np.ndarray]],
    pictures: np.ndarray,
    given: Input,
) -> None:
    """Put `weights` of a file into a net of the same layers; pictures uint8 (n, h, w, c)."""
    mine = sorted(
        (layer for layer in leaves(net) if type(layer) in _OPERATORS.values()), key=_creation
    )
    shapes = [(type(layer), tuple(layer.kernel.shape)) for layer in mine]
    if shapes != [(kind, kernel.shape) for kind, kernel, _ in found]:
        raise TrainingError(f"unable to restore: the file's layers are not those of {net.name}")
    norms = {}
    for layer, (_, kernel, bias) in zip(mine, found, strict=True):
        following = [node.operation for node in layer._outbound_nodes]
        if len(following) == 1 and isinstance(following[0], layers.BatchNormalization):
            norm = norms[layer.name] = following[0]
            layer.set_weights([kernel])
            _normalise(norm, bias, np.zeros_like(bias), np.ones_like(bias))
        else:
            layer.set_weights([kernel, bias])
    values = (pictures.astype(np.float32) - given.mean) / given.std
    for layer in mine:
        if layer.name in norms:
            seen = keras.Model(net.inputs, layer.output).predict(values, verbose=0)
            norm = norms[layer.name]
            _normalise(norm, np.asarray(norm.beta), seen.mean((0, 1, 2)), seen.var((0, 1, 2)))


def _normalise(
    norm: layers.BatchNormalization, bias: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> None:
    """Give a normalisation its statistics, and the factors with which it only adds `bias`."""
    norm.set_weights([np.sqrt(variance + norm.epsilon), bias + mean, mean, variance])


def _creation(layer: keras.Layer) -> tuple[str, int]:
    """Return what layers are sorted by: dense ones last, the rest as they were made."""
    number = re.search(r"_(\d+)$", layer.name)
    return ("dense" if isinstance(layer, layers.Dense) else "", int(number[1]) if number else 0)
