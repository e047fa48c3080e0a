"""Shift the logits of an int8 file that was exported before, without the net that it came from."""

import hashlib
import json
from pathlib import Path

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from . import dataset, metrics, recipe, runs
from .errors import TrainingError
from .quantise import check


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
    model, out = Path(model), Path(out)
    try:
        described = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
        content = model.read_bytes()
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to read model {model} and its sidecar: {error}") from error
    change = [plan.export.class_shift.get(label, 0.0) for label in described["labels"]]
    out.parent.mkdir(parents=True, exist_ok=True)
    trial = out.with_name(f".part-{out.name}.tflite")
    try:
        trial.write_bytes(shifted(content, change))
        described.update(_measured(trial, plan, data, described))
        trial.replace(out.with_name(f"{out.name}.tflite"))
    finally:
        trial.unlink(missing_ok=True)
    runs.write_text(out.with_name(f"{out.name}.json"), json.dumps(described, indent=2) + "\n")
    say(", ".join(f"{key} {value}" for key, value in described["figures"].items()))
    return described


def _measured(path, plan, data, before):
    """Return what of the sidecar a shift changes."""
    small = check(path)
    fit = dataset.split(data, plan.export.temperature_split).judged(plan.targets)
    temperature = round(metrics.fit_temperature(small.logits(fit[0]), fit[1]), 4)
    pixels, truth = dataset.split(data, plan.train.watch_split).judged(plan.targets)
    logits = small.logits(pixels)
    raw = metrics.figures(logits, truth, plan.labels)
    found = metrics.figures(logits, truth, plan.labels, temperature)
    name = plan.train.watch_split.lower()
    return {
        "name": plan.name,
        "version": plan.version,
        "description": plan.description,
        "figures": {
            f"{name}_samples": found["samples"],
            f"{name}_accuracy": round(found["accuracy"], 4),
            f"{name}_macro_f1": round(found["macro_f1"], 4),
            f"{name}_top2": round(found["top2"], 4),
            f"{name}_ece": round(found["ece"], 4),
            f"{name}_ece_uncalibrated": round(raw["ece"], 4),
        },
        "quantisation": {**before["quantisation"], "class_shift": plan.export.class_shift},
        "temperature": temperature,
        "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest(),
    }
