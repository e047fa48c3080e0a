"""Shift the logits of an int8 file that was exported before, without the net that it came from."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ... import recipe
from ...errors import TrainingError
from ...export.export import write
from ...export.quantise import check
from ...recipe import Recipe
from ..task import stack
from . import card, metrics, samples
from .faces import only
from .head import Head


def shift(
    model: Path, recipe_path: Path, data: Path, out: Path, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Write `out`.tflite and `out`.json: an exported model with the recipe's class_shift.

    Name, version and description come from the recipe, the rest of the sidecar from the model's,
    its temperature and figures measured again on the recipe's splits. Returns the sidecar.
    """
    plan = recipe.load(recipe_path)
    try:
        before = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
        content = model.read_bytes()
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to read model {model} and its sidecar: {error}") from error
    labels = list(plan.tables["targets"].names)
    if before.get("labels") != labels:
        raise TrainingError(
            f"unable to shift {model}: its labels are {before.get('labels')}, the recipe's {labels}"
        )
    shifts = plan.tables["answers"].class_shift
    change = np.array([shifts.get(label, 0.0) for label in labels])
    head = Head.of(content)
    head.shift(change)
    described = write(out, head.content(), lambda path: _described(path, plan, data, before))
    say(", ".join(f"{key} {value}" for key, value in described["figures"].items()))
    return described


def _described(path: Path, plan: Recipe, data: Path, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sidecar of a shifted file, from that of the file before."""
    net, answers = check(path, plan.input), plan.tables["answers"]
    fitted = answers.temperature_split or plan.train.watch_split
    fit = samples.to_judge(data, fitted, plan)
    logits = only(net.outputs(stack(fit.pictures)))
    temperature = round(metrics.fit_temperature(logits, fit.goals["truth"]), 4)
    judged = samples.to_judge(data, plan.train.watch_split, plan)
    return {
        **before,
        "name": plan.name,
        "version": plan.version,
        "description": plan.description,
        "figures": card.figures(net, None, judged, plan, temperature),
        "class_shift": dict(answers.class_shift),
        "temperature_split": fitted,
        "temperature": temperature,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
