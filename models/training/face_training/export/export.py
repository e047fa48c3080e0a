"""Make the int8 .tflite and its sidecar of a float net.

Where int8 loses more than half a point of the task's primary figure against float, other
pictures are tried to set its ranges, each measured on the watched split, and the best is kept.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .. import recipe
from ..errors import TrainingError
from ..files import write_text, write_whole
from ..nets.models import KerasModel, load_keras
from ..nets.tflite import TfliteModel
from ..recipe import Recipe
from ..tasks.task import Samples
from ..training import runs
from .quantise import check, convert

# What int8 may lose against float before a remedy is looked for: half a point.
MOST_LOSS = 0.005
# Other pictures to calibrate with: how many times as many, and which.
REMEDIES = ((1.0, "balanced"), (4.0, "random"), (0.1, "random"))
NOT_STATED = "not stated"


@dataclass(frozen=True)
class Try:
    """One way to quantise, and what it gave on the watched pictures."""

    pictures: int
    which: str
    values: Mapping[str, float]
    score: float
    content: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{self.pictures} {self.which} pictures"


class Quantiser:
    """A float net, the pictures that set its ranges and those that judge the result."""

    def __init__(
        self, model: keras.Model, plan: Recipe, data: Path, say: Callable[[str], None] = print
    ) -> None:
        self.model, self.plan, self.say = model, plan, say
        self.samples: Samples = plan.task.to_learn(data, plan, None)
        self.watched = plan.task.to_judge(data, plan.train.watch_split, plan)
        self.float = plan.task.judge(KerasModel(model, given=plan.input), self.watched, plan)
        self.tries: list[Try] = []

    def best(self) -> Try:
        """Return the try of the greatest primary figure."""
        return max(self.tries, key=lambda one: one.score)

    def attempt(self, count: int, which: str) -> None:
        """Convert the net with so many pictures, and measure what came out."""
        count = max(1, min(count, len(self.samples)))
        if any((one.pictures, one.which) == (count, which) for one in self.tries):
            return
        pictures = self.plan.task.calibration(self.samples, self.plan, count, which)
        content = convert(self.model, pictures, self.plan.input)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            path.write_bytes(content)
            found = self.plan.task.judge(check(path, self.plan.input), self.watched, self.plan)
        made = Try(count, which, found.values, found.score, content)
        self.tries.append(made)
        self.say(
            f"{made}: {found.primary} {found.score:.4f} (float {self.float.values[found.primary]:.4f})"
        )

    def run(self) -> Try:
        """Try what the recipe asks for and, if need be, the remedies; returns the best try."""
        how = self.plan.export
        self.attempt(how.calibration_pictures, how.calibration)
        for times, which in REMEDIES:
            loses = self.float.score - self.best().score > MOST_LOSS
            if how.remedy == "off" or how.remedy == "auto" and not loses:
                break
            self.attempt(round(how.calibration_pictures * times), which)
        return self.best()


def _tensor(details: Mapping[str, Any]) -> dict[str, Any]:
    # The exact value of the float32 scale as a double, so that reading it back loses nothing.
    scale, zero_point = details["quantization"]
    return {"dtype": "int8", "scale": float(np.float32(scale)), "zero_point": int(zero_point)}


def sidecar(
    plan: Recipe, net: TfliteModel, calibration: str, taught_by: Any, described: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the sidecar of an exported file as the daemon reads it."""
    assert net.path is not None
    outputs: dict[str, Any] = {"output": {**_tensor(net.output[0]), "values": "logits"}}
    if len(net.output) > 1:
        outputs = {
            "outputs": [
                {"name": name, "shape": [int(side) for side in one["shape"]], **_tensor(one)}
                for name, one in zip(net.names, net.output, strict=True)
            ]
        }
    size = plan.input
    return {
        "kind": plan.task.kind,
        "name": plan.name,
        "version": plan.version,
        "description": plan.description,
        "licence": plan.card.licence or NOT_STATED,
        "training_data": plan.card.training_data or NOT_STATED,
        "terms": plan.card.terms or NOT_STATED,
        "taught_by": taught_by,
        "calibration": calibration,
        "input": {
            "width": size.width, "height": size.height, "channels": size.channels,
            **_tensor(net.input), "mean": size.mean, "std": size.std,
        },
        **outputs,
        **described,
        "sha256": hashlib.sha256(net.path.read_bytes()).hexdigest(),
    }  # fmt: skip


def export(
    out: Path,
    data: Path,
    run: Path,
    model: Path | None = None,
    recipe_path: Path | None = None,
    float_out: Path | None = None,
    say: Callable[[str], None] = print,
    **changes: Any,
) -> dict[str, Any]:
    """Write `out`.tflite and `out`.json; returns the sidecar.

    The net is the run's, or the .keras file `model`, told of by the run's recipe or another.
    With `float_out` the float net is kept as well, as it was quantised. `changes` replace keys of [export]. The table of tries goes to the run folder.
    """
    plan = recipe.load(recipe_path or run / runs.RECIPE)
    plan = recipe.replaced(plan, export=changes)
    net = load_keras(model or run / runs.MODEL)
    plan.task.finish(net, data, plan)
    quantiser = Quantiser(net, plan, data, say=say)
    best = quantiser.run()
    exact = KerasModel(net, given=plan.input)
    teachers = run / runs.TEACHERS
    taught_by = runs.read_json(teachers, "list of teachers") if teachers.exists() else []

    def describe(path: Path) -> dict[str, Any]:
        small = check(path, plan.input)
        described = plan.task.describe(small, exact, data, plan)
        return sidecar(plan, small, str(best), taught_by, described)

    described = write(out, best.content, describe)
    table = {
        "sha256": described["sha256"],
        "split": plan.train.watch_split,
        "pictures": quantiser.float.samples,
        "float": dict(quantiser.float.values),
        "tries": [
            {"way": str(one), **one.values, "bytes": len(one.content)} for one in quantiser.tries
        ],
        "kept": str(best),
    }
    write_text(run / runs.EXPORT, json.dumps(table, indent=2) + "\n")
    if float_out is not None:
        write_whole(float_out, net.save)
    return described


def write(out: Path, content: bytes, describe: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Write `out`.tflite and, with what `describe` makes of its path, `out`.json; returns that."""
    trial = out.with_name(f".part-{out.name}.tflite")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(content)
        described = describe(trial)
        trial.replace(out.with_name(f"{out.name}.tflite"))
    except OSError as error:
        raise TrainingError(f"unable to write {out}: {error.strerror}") from error
    finally:
        trial.unlink(missing_ok=True)
    write_text(out.with_name(f"{out.name}.json"), json.dumps(described, indent=2) + "\n")
    return described
