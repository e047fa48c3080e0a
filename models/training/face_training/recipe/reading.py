"""Read and check recipes."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import TrainingError
from ..tasks.task import Task, by_name
from .tables import Augment, Card, Distill, Export, Input, Stage, Train

_TEXTS = ("name", "version", "description")
_SECTIONS = {
    "input": Input, "augment": Augment, "train": Train, "export": Export, "card": Card,
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """One recipe; `net` is the net's name and its builder's options."""

    name: str
    version: str
    description: str
    task: Task
    net: Mapping[str, Any]
    input: Input
    augment: Augment
    train: Train
    stages: tuple[Stage, ...]  # one that trains everything where the recipe has none
    distill: Distill | None
    export: Export
    card: Card
    tables: Mapping[str, Any]  # the task's own, by name
    written: Mapping[str, Any]  # everything as written, bases merged, paths absolute

    @property
    def epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)


def load(path: str | Path) -> Recipe:
    """Read a recipe from a .toml file, or from the .json of a run folder.

    An unknown key or a value of the wrong type or range is a TrainingError that names it.
    """
    path = Path(path)
    return _checked(_merged(path, ()), path)


def replaced(plan: Recipe, **sections: Mapping[str, Any]) -> Recipe:
    """Return a recipe with keys of its shared tables replaced, as if it had been written so."""
    made: dict[str, Any] = {
        key: _section(type(getattr(plan, key)), {**vars(getattr(plan, key)), **table}, f"[{key}]")
        for key, table in sections.items()
    }
    return dataclasses.replace(plan, **made)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise TrainingError(f"unable to read recipe {path}: {cause}") from error
    if not isinstance(table, dict):
        raise TrainingError(f"unable to read recipe {path}: it is no table")
    return table


def _merged(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Return a recipe's tables over those of its `base`, with the paths of models absolute."""
    if path.resolve() in seen:
        raise TrainingError(f"unable to read recipe {path}: it is its own base")
    table = _read(path)
    _make_absolute(table, path.parent)
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise TrainingError(f"unable to use recipe {path}: base must be a text")
    below = _merged(path.parent / base, (*seen, path.resolve()))
    # How to start and whom to learn from is each recipe's own.
    if isinstance(below.get("net"), dict):
        below["net"].pop("weights", None)
    if isinstance(below.get("distill"), dict):
        below["distill"].pop("teachers", None)
    if "stages" in table and isinstance(below.get("train"), dict):
        for key in ("epochs", "learning_rate", "warmup_epochs"):
            below["train"].pop(key, None)
    for key, value in table.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        below[key] = {**below[key], **value} if both else value
    return below


def _make_absolute(table: dict[str, Any], folder: Path) -> None:
    net, distill = table.get("net"), table.get("distill")
    if isinstance(net, dict) and "weights" in net:
        net["weights"] = _absolute(net["weights"], folder)
    if isinstance(distill, dict) and isinstance(distill.get("teachers"), list):
        distill["teachers"] = [_absolute(one, folder) for one in distill["teachers"]]


def _absolute(reference: Any, folder: Path) -> Any:
    """Return a reference to a model with its path, relative to the recipe, made absolute."""
    if isinstance(reference, dict) and "model" in reference:
        return {**reference, "model": _absolute(reference["model"], folder)}
    if isinstance(reference, str) and ("/" in reference or Path(reference).suffix):
        return str((folder / reference).resolve())
    return reference


def _checked(table: dict[str, Any], path: Path) -> Recipe:
    written = json.loads(json.dumps(table))
    values: dict[str, Any] = {"written": written}
    for key in _TEXTS:
        values[key] = table.pop(key, None)
        if not isinstance(values[key], str):
            raise TrainingError(f"unable to use recipe {path}: {key} must be a text")
    task = values["task"] = by_name(_text(table.pop("task", "emotion"), f"{path}: task"))
    values["net"] = table.pop("net", None)
    if not isinstance(values["net"], dict) or "name" not in values["net"]:
        raise TrainingError(f"unable to use recipe {path}: [net] must have a name")
    stages = _stages(table, path)
    for key, kind in _SECTIONS.items():
        values[key] = _section(kind, table.pop(key, {}), f"{path}: [{key}]")
    values["stages"] = stages or (_only_stage(values["train"]),)
    values["distill"] = None
    if "distill" in table:
        values["distill"] = _section(Distill, table.pop("distill"), f"{path}: [distill]")
    values["tables"] = {
        key: _section(kind, table.pop(key, {}), f"{path}: [{key}]")
        for key, kind in task.tables.items()
    }
    if table:
        raise TrainingError(f"unable to use recipe {path}: unknown key {sorted(table)[0]}")
    plan = Recipe(**values)
    _check_models(plan, path)
    try:
        task.check(plan)
    except TrainingError as error:
        raise TrainingError(f"unable to use recipe {path}: {error}") from error
    return plan


def _check_models(plan: Recipe, path: Path) -> None:
    references = [plan.net.get("weights", "none")]
    references += plan.distill.teachers if plan.distill else ()
    for reference in references:
        whole = isinstance(reference, dict) and {"model"} <= {*reference} <= {"model", "sha256"}
        texts = reference.values() if whole else [reference]
        if not all(isinstance(text, str) for text in texts):
            raise TrainingError(
                f"unable to use recipe {path}: {reference!r} must be a text,"
                " or a table of model and sha256"
            )
    if plan.distill is not None and not plan.distill.teachers:
        raise TrainingError(f"unable to use recipe {path}: [distill] must name teachers")


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise TrainingError(f"unable to use recipe {place} must be a text")
    return value


def _stages(table: dict[str, Any], path: Path) -> tuple[Stage, ...]:
    stages = table.pop("stages", [])
    if not isinstance(stages, list):
        raise TrainingError(f"unable to use recipe {path}: stages must be written as [[stages]]")
    if stages:
        train = table.get("train", {})
        for key in ("epochs", "learning_rate", "warmup_epochs"):
            if isinstance(train, dict) and key in train:
                raise TrainingError(
                    f"unable to use recipe {path}: [train] {key} belongs into each of [[stages]]"
                )
    made = []
    for number, stage in enumerate(stages, start=1):
        place = f"{path}: [[stages]] number {number}"
        for key in ("epochs", "learning_rate"):
            if isinstance(stage, dict) and key not in stage:
                raise TrainingError(f"unable to use recipe {place} must have {key}")
        made.append(_section(Stage, stage, place))
    return tuple(made)


def _only_stage(train: Train) -> Stage:
    return Stage(
        epochs=train.epochs,
        learning_rate=train.learning_rate,
        warmup_epochs=train.warmup_epochs,
    )


def _section(kind: type, table: Any, place: str) -> Any:
    if not isinstance(table, Mapping):
        raise TrainingError(f"unable to use recipe {place} must be a table")
    fields = {one.name: one for one in dataclasses.fields(kind)}
    values = {}
    for key, value in table.items():
        if key not in fields:
            raise TrainingError(f"unable to use recipe {place} unknown key {key}")
        values[key] = _value(fields[key], value, f"{place} {key}")
    return kind(**values)


def _value(wanted: dataclasses.Field, value: Any, place: str) -> Any:
    kind: Any = wanted.type
    if kind is float and type(value) is int:
        value = float(value)
    if kind is tuple and type(value) is list:
        value = tuple(value)
    if type(value) is not kind:
        raise TrainingError(f"unable to use recipe {place} must be {kind.__name__}")
    rule = wanted.metadata
    if "choices" in rule and value not in rule["choices"]:
        raise TrainingError(f"unable to use recipe {place} must be {' or '.join(rule['choices'])}")
    if "least" in rule and not rule["least"] <= value <= rule["most"]:
        raise TrainingError(
            f"unable to use recipe {place} must be {rule['least']} to {rule['most']}"
        )
    return value
