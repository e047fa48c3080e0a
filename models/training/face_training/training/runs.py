"""The run folder: recipe, versions, log, state to resume from, and the models made."""

import contextlib
import json
import platform
import shutil
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np

from .. import __version__
from ..errors import TrainingError
from ..files import write_whole

RECIPE = "recipe.toml"
STATE = "state.npz"
MODEL = "model.keras"
LOG = "log.csv"
VERSIONS = "versions.json"
EXPORT = "export.json"
PAGE = "report.html"
SLIDES = "report.pptx"
TENSORBOARD = "tensorboard"
LOG_COLUMNS = (
    "epoch", "learning_rate", "loss", "accuracy", "macro_f1", "watch_loss", "seconds", "stage",
    "train_accuracy",
)  # fmt: skip


def open_run(folder, recipe_path):
    """Make a run folder, or go on with one that was made from the same recipe text."""
    folder = Path(folder)
    kept = folder / RECIPE
    if kept.exists():
        if kept.read_bytes() != Path(recipe_path).read_bytes():
            raise TrainingError(
                f"unable to go on with run {folder}: its {RECIPE} differs from {recipe_path}"
            )
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(kept, lambda part: shutil.copyfile(recipe_path, part))
    versions = {"python": platform.python_version(), "face_training": __version__}
    for package in ("tensorflow", "tensorflow-cpu", "keras", "numpy", "scikit-learn"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    text = json.dumps(versions, indent=2) + "\n"
    write_whole(folder / VERSIONS, lambda part: part.write_text(text, encoding="utf-8"))
    return folder


def save_state(folder, epoch, groups):
    """Keep every variable of `groups` ({name: variables}) as it is after `epoch` epochs."""
    arrays = {"epoch": np.int64(epoch)}
    for name, variables in groups.items():
        for number, variable in enumerate(variables):
            arrays[f"{name}/{number:04}"] = np.asarray(variable)

    def write(part):
        with open(part, "wb") as file:
            np.savez(file, **arrays)

    write_whole(Path(folder) / STATE, write)


@contextlib.contextmanager
def _open_state(folder):
    path = Path(folder) / STATE
    try:
        with np.load(path) as state:
            yield state
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(f"unable to resume from {path}: {error}") from error


def kept_epoch(folder):
    """Return how many epochs the kept state has seen, 0 if there is none."""
    if not (Path(folder) / STATE).exists():
        return 0
    with _open_state(folder) as state:
        return int(state["epoch"])


def load_state(folder, groups):
    """Put the kept state back into the variables of `groups`."""
    with _open_state(folder) as state:
        for name, variables in groups.items():
            for number, variable in enumerate(variables):
                variable.assign(state[f"{name}/{number:04}"])


class TensorBoard:
    """The log as TensorBoard reads it: `tensorboard --logdir RUN`."""

    def __init__(self, folder):
        # Imported here: reading a run folder does without TensorFlow.
        import tensorflow as tf

        self._summary = tf.summary
        self._writer = tf.summary.create_file_writer(str(Path(folder) / TENSORBOARD))

    def add(self, row):
        """Write the figures of an epoch."""
        with self._writer.as_default(step=row["epoch"]):
            for key in LOG_COLUMNS[1:]:
                if row.get(key) is not None:
                    self._summary.scalar(key, row[key])
        self._writer.flush()


def append_log(folder, row):
    """Add a row to the CSV log, and first drop rows of epochs that are being done again."""
    path = Path(folder) / LOG
    lines = [",".join(LOG_COLUMNS)]
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            if int(line.split(",", 1)[0]) < row["epoch"]:
                lines.append(line)
    lines.append(",".join(_cell(row.get(column)) for column in LOG_COLUMNS))
    text = "\n".join(lines) + "\n"
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))


def _cell(value):
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
