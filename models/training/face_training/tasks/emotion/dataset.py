"""The prepared data set: a folder with all faces in one .npz file, and what was counted."""

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from ...errors import TrainingError
from ...recipe import Targets
from . import fer2013, folders, targets
from .labels import EMOTIONS
from .rows import Rows, join, without_repeats

FILE = "faces.npz"
COUNTS = "prepared.json"
LEFT_OUT = "left-out.txt"
NEAR = 0.97


class Split(Rows):
    """The rows of one split."""

    def judged(self, how=Targets()):  # noqa: B008 (frozen)
        """Return (pixels, class) of the faces whose right class is known; see targets.truth."""
        right = targets.truth(self.votes, self.labels, how)
        if not (right >= 0).any():
            raise TrainingError(
                f"unable to judge: no face is one of {', '.join(how.names)} by {how.judge}"
            )
        return self.pixels[right >= 0], right[right >= 0]

    def soft(self, how=Targets()):  # noqa: B008 (frozen)
        """Return (pixels, targets float32 (m, classes)) of the faces that can be learnt from."""
        wanted, keep = targets.soft(self.votes, self.labels, how)
        return self.pixels[keep], wanted[keep]


def prepare(sources, out, near=NEAR, keep_leaked=False):
    """Join `sources` into the folder `out`; returns a dict of counts, also kept in it.

    Each source is a callable that takes a temporary folder and returns (Rows, list of texts:
    pictures that were left out, and why). Nothing of `out` changes before all is read. For
    `near` and `keep_leaked` see rows.without_repeats.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with _beside(out) as work:
        read = [source(work) for source in sources]
        joined = join([part for part, _ in read])
        rows, counts = without_repeats(joined, near, keep_leaked)
        left_out = [text for _, texts in read for text in texts]
        counts = {**counts, "left_out": len(left_out), "splits": _split_counts(rows)}
        np.savez_compressed(work / FILE, **vars(rows))
        (work / COUNTS).write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
        (work / LEFT_OUT).write_text("".join(f"{text}\n" for text in left_out), encoding="utf-8")
        out.mkdir(exist_ok=True)
        for name in (LEFT_OUT, COUNTS, FILE):
            os.replace(work / name, out / name)
    return counts


@contextlib.contextmanager
def _beside(out):
    """Make a temporary folder on the file system of `out`."""
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _split_counts(rows):
    """Return {split: {rows, by_majority, by_label}}, the latter two per emotion."""
    counts = {}
    for name in np.unique(rows.split):
        part = rows.take(rows.split == name)
        counts[str(name)] = {"rows": len(part)}
        for judge in ("majority", "label"):
            right = targets.truth(part.votes, part.labels, Targets(judge=judge, labels=EMOTIONS))
            found = np.bincount(right[right >= 0], minlength=len(EMOTIONS)).tolist()
            counts[str(name)][f"by_{judge}"] = dict(zip(EMOTIONS, found, strict=True))
    return counts


def from_fer2013(faces, votes=None):
    """Return the source of a FER2013 CSV, with FER+ votes where their CSV is given."""
    return lambda _work: (fer2013.rows(faces, votes), [])


def from_pictures(path, **options):
    """Return the source of class folders or a picture list; options as folders.rows takes."""
    return lambda work: folders.rows(path, work, **options)


def load(path):
    """Read a prepared file, or the folder that holds it. Returns {split name: Split}."""
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    try:
        with np.load(path) as data:
            rows = Split(**{field.name: data[field.name] for field in dataclasses.fields(Rows)})
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(
            f"unable to read prepared data {path}: {error} (made by `prepare`?)"
        ) from error
    return {str(name): rows.take(rows.split == name) for name in np.unique(rows.split)}


def split(path, name):
    """Return one split of prepared data."""
    splits = load(path)
    if name not in splits:
        raise TrainingError(
            f"unable to use split {name}: {path} holds only {', '.join(sorted(splits))}"
        )
    return splits[name]
