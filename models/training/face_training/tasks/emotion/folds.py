"""Judge a recipe on a source that it learns from: in folds, each person by a net that never saw them."""

import dataclasses
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from ... import recipe
from ...errors import TrainingError
from ...files import write_text
from ...training import runs
from ...training.trainer import train
from . import dataset, metrics, targets
from .evaluate import Ensemble
from .rows import TRAINING, Rows, join
from .targets import Targets

FOLD = "Fold"  # the split that a fold's net is judged by


@dataclasses.dataclass(frozen=True)
class How:
    """How the folds are made; see `folds`."""

    source: str
    count: int = 5
    seed: int = 1
    labels: tuple[str, ...] = ()  # only these faces and answers; empty: the net's
    against: Path | None = None  # a model to compare with on the same faces


def numbers(rows: Rows, count: int, seed: int) -> np.ndarray:
    """Return int (n,): each face's fold. No person is in two, each emotion is shared alike."""
    if (rows.person == "").any():
        raise TrainingError(
            "unable to make folds: it is not known who is on the pictures of the source (a folder a"
            " person, or a column person in a CSV, tells)"
        )
    people = len(np.unique(rows.person))
    if people < count:
        raise TrainingError(f"unable to make {count} folds of {people} people")
    truth = rows.labels.argmax(axis=1)
    found = np.empty(len(rows), np.int64)
    folded = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class of fewer pictures than folds is shared as far as it goes.
        warnings.simplefilter("ignore", UserWarning)
        for number, (_, mine) in enumerate(folded.split(truth, truth, rows.person)):
            found[mine] = number
    return found


def set_aside(data: Path, out: Path, how: How, fold: int) -> Rows:
    """Write prepared data into `out` in which one fold of the source is a split of its own.

    The other folds are in Training. Returns the fold's faces.
    """
    rows = join([*dataset.load(data).values()])
    mine = np.flatnonzero(rows.source == how.source)
    if not len(mine):
        known = ", ".join(sorted(set(rows.source)))
        raise TrainingError(f"unable to make folds of {how.source}: the data holds {known}")
    judged = numbers(rows.take(mine), how.count, how.seed) == fold
    split = rows.split.astype(object)
    split[mine] = np.where(judged, FOLD, TRAINING)
    rows.split = split.astype(str)
    told = {"of": dataset.counts(data)["sha256"], "fold": [fold, how.count, how.seed, how.source]}
    if not (out / dataset.COUNTS).exists() or dataset.counts(out)["folds"] != told:
        dataset.write(rows, out, {**dataset.counts(data), "folds": told})
    return rows.take(mine[judged])


def folds(
    recipe_path: Path, data: Path, folder: Path, how: How, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Train the recipe once a fold below `folder`; returns the figures of all folds together.

    Every face of the source is judged by the float net that learnt from the other folds' people.
    Started again, it goes on.
    """
    plan = recipe.load(recipe_path)
    names = how.labels or plan.tables["targets"].names
    rule = dataclasses.replace(Targets(), judge="label", labels=names)
    answers, truths, others, persons = [], [], [], []
    for fold in range(how.count):
        name = f"{recipe_path.stem}-{how.source}-fold{fold + 1}of{how.count}"
        say(f"fold {fold + 1} of {how.count}")
        rows = set_aside(data, folder / f"{name}-data", how, fold)
        train(recipe_path, folder / f"{name}-data", folder / name, say)
        truth = targets.truth(rows.votes, rows.labels, rule)
        judged = rows.take(truth >= 0)
        truths.append(truth[truth >= 0])
        persons.append(judged.person)
        answers.append(Ensemble([folder / name / runs.MODEL]).logits(judged.pictures, names))
        if how.against is not None:
            others.append(Ensemble([how.against]).logits(judged.pictures, names))
    truth = np.concatenate(truths)
    found = {
        "source": how.source,
        "folds": how.count,
        "people": len(np.unique(np.concatenate(persons))),
        **metrics.figures(np.concatenate(answers), truth, names),
    }
    if others:
        both = np.concatenate(answers), np.concatenate(others)
        found["against"] = metrics.compared(*both, truth, names)
    path = folder / f"{recipe_path.stem}-{how.source}-folds.json"
    write_text(path, json.dumps(found, indent=2) + "\n")
    return found


def table(found: dict[str, Any]) -> str:
    """Return the figures of `folds` as text."""
    hits = round(found["accuracy"] * found["samples"])
    low, high = metrics.interval(hits, found["samples"])
    lines = [
        f"{found['samples']} faces of {found['people']} people of {found['source']}, each judged by the"
        f" net of {found['folds']} that never saw the person:"
        f" accuracy {found['accuracy']:.4f} ({low:.3f} to {high:.3f})"
    ]
    other = found.get("against")
    if other:
        lines.append(
            f"against: accuracy {other['accuracy']:.4f}; only this right {other['only_this_right']},"
            f" only the other {other['only_other_right']}, p = {other['p']:.2g}"
        )
    for label, row in found["per_class"].items():
        text = f"{label}: recall {row['recall']:.3f}"
        if other:
            text += f" (against {other['per_class'][label]['recall']:.3f})"
        lines.append(f"{text}, precision {row['precision']:.3f}, faces {row['support']}")
    return "\n".join(lines)
