"""Shift the logits of an int8 file that was exported before, without the net that it came from."""

import hashlib
import json
from pathlib import Path

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from .. import recipe
from ..errors import TrainingError
from ..tasks.emotion import dataset
from .export import measure, write


def shifted(content, change):
    """Return a .tflite, as bytes, whose logits are greater by `change` (c,).

    That is taken to the nearest step of the int8 logits, so that the others stay as they are, ties
    among them included. Their layer must be a fully connected one with an int32 bias, whose step is
    the product of the scales of its input and weights.
    """
    file = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    (graph,) = file.subgraphs
    (output,) = graph.outputs
    last = next(operator for operator in graph.operators if output in operator.outputs)
    if file.operatorCodes[last.opcodeIndex].builtinCode != schema.BuiltinOperator.FULLY_CONNECTED:
        raise TrainingError("unable to shift logits: they come from no fully connected layer")
    if len(last.inputs) < 3 or last.inputs[2] < 0:
        raise TrainingError("unable to shift logits: their layer has no bias")
    given, weights, bias = (graph.tensors[index] for index in last.inputs)
    step = np.asarray(given.quantization.scale) * np.asarray(weights.quantization.scale)
    logit = graph.tensors[output].quantization.scale
    whole = np.rint(np.asarray(change, np.float64) / logit) * logit
    steps = np.rint(whole / step).astype(np.int64)
    buffer = file.buffers[bias.buffer]
    values = np.frombuffer(bytes(buffer.data), "<i4") + steps
    buffer.data = np.frombuffer(values.astype("<i4").tobytes(), np.uint8)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def shift(model, recipe_path, data, out, say=print):
    """Write `out`.tflite and `out`.json: an exported model with the recipe's class_shift.

    Name, version and description come from the recipe, the rest of the sidecar from the model's,
    its temperature and figures measured again on the recipe's splits. Returns the sidecar.
    """
    plan = recipe.load(recipe_path)
    model = Path(model)
    try:
        before = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
        content = model.read_bytes()
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to read model {model} and its sidecar: {error}") from error
    change = [plan.export.class_shift.get(label, 0.0) for label in before["labels"]]
    described = write(
        out, shifted(content, change), lambda path: _described(path, plan, data, before)
    )
    say(", ".join(f"{key} {value}" for key, value in described["figures"].items()))
    return described


def _described(path, plan, data, before):
    """Return the sidecar of a shifted file, from that of the file before."""
    pixels, truth = dataset.split(data, plan.train.watch_split).judged(plan.targets)
    temperature, figures = measure(path, plan, data, pixels, truth)
    return {
        **before,
        "name": plan.name,
        "version": plan.version,
        "description": plan.description,
        "figures": figures,
        "quantisation": {**before["quantisation"], "class_shift": plan.export.class_shift},
        "temperature": temperature,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
