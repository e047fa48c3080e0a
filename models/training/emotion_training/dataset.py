"""The prepared data set: one .npz file with faces, votes and split of every row."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import TrainingError
from .fer2013 import check_same_rows, read_faces, read_votes
from .labels import distribution, majority, remove_outliers

FILE = "ferplus.npz"


@dataclass
class Split:
    """The rows of one split."""

    pixels: np.ndarray  # uint8 (n, 48, 48)
    votes: np.ndarray  # uint8 (n, 10)

    def judged(self):
        """Return (pixels, class) of the faces that count under FER+'s majority rule."""
        label = majority(self.votes)
        if not (label >= 0).any():
            raise TrainingError("unable to judge: no face counts under the majority rule")
        return self.pixels[label >= 0], label[label >= 0]

    def soft(self):
        """Return (pixels, targets float32 (m, 8)) of the faces that can be learnt from."""
        targets, keep = distribution(self.votes)
        return self.pixels[keep], targets[keep]


def prepare(fer2013, votes, out):
    """Join FER2013 and FER+ into `out`/ferplus.npz. Returns a dict of counts.

    Training pictures that are byte for byte in another split are left out: they would make
    the figures of that split too good. Exact repeats inside Training become one picture
    with the votes of all, single ones removed.
    """
    faces = read_faces(fer2013)
    table, usage = read_votes(votes)
    check_same_rows(faces, usage, votes)
    pixels, table, usage, counts = _without_repeats(faces.pixels, table, faces.usage)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / FILE, pixels=pixels, votes=table, usage=usage)
    for name in np.unique(usage):
        counts[f"{name}_rows"] = int((usage == name).sum())
        counts[f"{name}_judged"] = int((majority(table[usage == name]) >= 0).sum())
    return counts


def _without_repeats(pixels, votes, usage):
    key = np.array([hashlib.sha256(face.tobytes()).hexdigest() for face in pixels])
    training = usage == "Training"
    leaked = training & np.isin(key, key[~training])
    rows = np.flatnonzero(training & ~leaked)
    _, first, group = np.unique(key[rows], return_index=True, return_inverse=True)
    summed = np.zeros((len(first), votes.shape[1]), np.int64)
    np.add.at(summed, group, remove_outliers(votes[rows]))
    merged = votes.copy()
    merged[rows[first]] = np.minimum(summed, 255)
    keep = ~training
    keep[rows[first]] = True
    counts = {"leaked": int(leaked.sum()), "repeats": int(len(rows) - len(first))}
    return pixels[keep], merged[keep], usage[keep], counts


def load(path):
    """Read a prepared file, or the folder that holds it. Returns {split name: Split}."""
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    try:
        with np.load(path) as data:
            pixels, votes, usage = data["pixels"], data["votes"], data["usage"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(f"unable to read prepared data {path}: {error}") from error
    return {
        str(name): Split(pixels[usage == name], votes[usage == name]) for name in np.unique(usage)
    }


def split(path, name):
    """Return one split of prepared data."""
    splits = load(path)
    if name not in splits:
        raise TrainingError(
            f"unable to use split {name}: {path} holds only {', '.join(sorted(splits))}"
        )
    return splits[name]
