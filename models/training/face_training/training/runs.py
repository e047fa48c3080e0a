"""The run folder: recipe, versions, log, state to resume from, and the models made."""

import contextlib
import csv
import hashlib
import json
import platform
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import TrainingError
from ..files import write_text, write_whole
from ..recipe import Recipe
from ..tasks.task import Task

RECIPE = "recipe.json"  # everything that decides, bases merged
TEXT = "recipe.toml"  # as written, for people
STATE = "state.npz"
MODEL = "model.keras"
LOG = "log.csv"
VERSIONS = "versions.json"
DATA = "data.json"
TEACHERS = "teachers.json"
EXPORT = "export.json"
PAGE = "report.html"
SLIDES = "report.pptx"
TENSORBOARD = "tensorboard"
_PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn")


def open_run(folder: Path, plan: Recipe, recipe_path: Path, data: Path) -> None:
    """Make a run folder, unless `check_same` has found one to go on with."""
    kept = folder / RECIPE
    if kept.exists():
        return
    found = {"data": str(data.resolve()), "sha256": fingerprint(data)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / TEXT, lambda part: shutil.copyfile(recipe_path, part))
    except OSError as error:
        raise TrainingError(f"unable to write into run {folder}: {error.strerror}") from error
    versions = {"python": platform.python_version(), "face_training": __version__}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    write_text(folder / VERSIONS, json.dumps(versions, indent=2) + "\n")
    write_text(folder / DATA, json.dumps(found, indent=2) + "\n")
    write_text(kept, json.dumps(plan.written, indent=2) + "\n")


def check_same(folder: Path, plan: Recipe, recipe_path: Path, data: Path) -> None:
    """Refuse to go on with a run folder that was begun with another recipe or other data."""
    if not (folder / RECIPE).exists():
        return
    begun = read_json(folder / RECIPE, "recipe")
    if begun != plan.written:
        wrong = sorted(_differences(begun, dict(plan.written)))
        raise TrainingError(
            f"unable to go on with run {folder}: {recipe_path} differs from the recipe that it was"
            f" begun with in {', '.join(wrong)} (name another run folder)"
        )
    if read_json(folder / DATA, "data")["sha256"] != fingerprint(data):
        raise TrainingError(
            f"unable to go on with run {folder}: it was begun with other data than {data}"
            " (name another run folder)"
        )


def _differences(
    one: Mapping[str, Any], other: Mapping[str, Any], place: str = ""
) -> Iterator[str]:
    for key in {*one, *other}:
        mine, theirs = one.get(key), other.get(key)
        if isinstance(mine, dict) and isinstance(theirs, dict):
            yield from _differences(mine, theirs, f"{place}{key}.")
        elif mine != theirs:
            yield f"{place}{key}"


def fingerprint(data: Path) -> str:
    """Return a text that differs where prepared data differs: a hash of what it counted and holds."""
    made = hashlib.sha256()
    paths = sorted(path for path in data.rglob("*") if path.is_file()) if data.is_dir() else []
    if not paths:
        raise TrainingError(f"unable to use {data}: it is no folder of prepared data")
    for path in paths:
        made.update(f"{path.relative_to(data)} {path.stat().st_size}\n".encode())
        if path.suffix == ".json":
            made.update(path.read_bytes())
    return made.hexdigest()


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file of a run folder."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise TrainingError(f"unable to read the {what} {path}: {cause}") from error


def save_state(folder: Path, epoch: int, groups: Mapping[str, Sequence[Any]]) -> None:
    """Keep every variable of `groups` ({name: variables}) as it is after `epoch` epochs."""
    arrays = {"epoch": np.asarray(epoch, np.int64)}
    for name, variables in groups.items():
        for number, variable in enumerate(variables):
            arrays[f"{name}/{number:04}"] = np.asarray(variable)

    def write(part: Path) -> None:
        with open(part, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    write_whole(folder / STATE, write)


@contextlib.contextmanager
def _open_state(folder: Path) -> Iterator[Any]:
    path = folder / STATE
    try:
        with np.load(path) as state:
            yield state
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(
            f"unable to resume from {path}: it is damaged ({error}); delete it, and the run begins"
            " again"
        ) from error


def kept_epoch(folder: Path) -> int:
    """Return how many epochs the kept state has seen, 0 if there is none."""
    if not (folder / STATE).exists():
        return 0
    with _open_state(folder) as state:
        return int(state["epoch"])


def load_state(folder: Path, groups: Mapping[str, Sequence[Any]]) -> None:
    """Put the kept state back into the variables of `groups`."""
    with _open_state(folder) as state:
        for name, variables in groups.items():
            for number, variable in enumerate(variables):
                variable.assign(state[f"{name}/{number:04}"])


def columns(task: Task) -> list[str]:
    """Return the columns of a task's log."""
    return [
        "epoch", "stage", "learning_rate", *(column.name for column in task.columns), "seconds",
    ]  # fmt: skip


class TensorBoard:
    """The log as TensorBoard reads it: `tensorboard --logdir RUN`."""

    def __init__(self, folder: Path) -> None:
        # Imported here: reading a run folder does without TensorFlow.
        import tensorflow as tf

        self._summary = tf.summary
        self._writer = tf.summary.create_file_writer(str(folder / TENSORBOARD))

    def add(self, row: Mapping[str, float]) -> None:
        """Write the figures of an epoch."""
        with self._writer.as_default(step=row["epoch"]):
            for key, value in row.items():
                if key != "epoch":
                    self._summary.scalar(key, value)
        self._writer.flush()


def append_log(folder: Path, task: Task, row: Mapping[str, float]) -> None:
    """Add a row to the CSV log, and first drop rows of epochs that are being done again."""
    path, names = folder / LOG, columns(task)
    lines = [",".join(names)]
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            if int(line.split(",", 1)[0]) < row["epoch"]:
                lines.append(line)
    lines.append(",".join(_cell(row.get(column)) for column in names))
    write_text(path, "\n".join(lines) + "\n")


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def read_log(folder: Path) -> list[dict[str, float | None]]:
    """Return the run's log: a list of {column: value, or None where empty}."""
    path = folder / LOG
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [
                {key: float(value) if value else None for key, value in row.items()}
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to read the log {path}: {error}") from error
