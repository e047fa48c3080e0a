"""Rows of a data set: what every source of faces is read as, and what the prepared file holds."""

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np

from .labels import remove_outliers

SIDE = 48
TRAINING = "Training"
# Cells of the miniature that near repeats are told by.
_CELLS = 12


@dataclass
class Rows:
    """Faces with all that their sources say of them; row i of each array is face i."""

    pixels: np.ndarray  # uint8 (n, 48, 48)
    votes: np.ndarray  # uint8 (n, 10), FER+'s columns; all 0 where nobody voted
    labels: np.ndarray  # uint8 (n, 8): how often the source's own label names each emotion
    split: np.ndarray  # str (n,)
    origin: np.ndarray  # str (n,): file, or file and row, for people to find it by

    def __len__(self):
        return len(self.pixels)

    def take(self, chosen):
        """Return the rows that an index or mask chooses."""
        return type(self)(
            *(getattr(self, field.name)[chosen] for field in dataclasses.fields(Rows))
        )


def join(parts):
    """Put the rows of several sources behind each other."""
    return Rows(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Rows)
        )
    )


def without_repeats(rows, near, keep_leaked=False):
    """Return (rows, counts) with no training face that is also in another split.

    Faces repeat byte for byte ("leaked"), or nearly ("near"): another compression, frame or
    watermark of the same photo, told by `likeness` of at least `near`. Exact repeats inside
    Training become one face with the votes and labels of all, single votes removed first. With
    `keep_leaked`, what is also in another split is counted and kept.
    """
    key = np.array([hashlib.sha256(face.tobytes()).hexdigest() for face in rows.pixels])
    training = rows.split == TRAINING
    leaked = training & np.isin(key, key[~training])
    close = np.zeros(len(rows), bool)
    candidates = np.flatnonzero(training & ~leaked)
    close[candidates] = likeness(rows.pixels[candidates], rows.pixels[~training]) >= near
    kept = np.flatnonzero(training if keep_leaked else training & ~leaked & ~close)
    _, first, group = np.unique(key[kept], return_index=True, return_inverse=True)
    votes, labels = rows.votes.copy(), rows.labels.copy()
    votes[kept[first]] = _summed(remove_outliers(rows.votes[kept]), group, len(first))
    labels[kept[first]] = _summed(rows.labels[kept], group, len(first))
    keep = ~training
    keep[kept[first]] = True
    counts = {
        "keep_leaked": keep_leaked,
        "leaked": int(leaked.sum()),
        "near": int(close.sum()),
        "repeats": int(len(kept) - len(first)),
    }
    return dataclasses.replace(rows, votes=votes, labels=labels).take(keep), counts


def _summed(table, group, count):
    total = np.zeros((count, table.shape[1]), np.int64)
    np.add.at(total, group, table)
    return np.minimum(total, 255)


def likeness(pixels, others):
    """Return float32 (n,): the correlation of each face with the most alike of `others`.

    Of 12x12 means. Between FER2013's Training and PublicTest, every one of 80 pairs looked at
    between 0.96 and 1 showed the same photo.
    """
    most = np.full(len(pixels), -1, np.float32)
    if not len(others):
        return most
    small, known = _miniatures(pixels), _miniatures(others)
    for start in range(0, len(small), 2048):
        most[start : start + 2048] = (small[start : start + 2048] @ known.T).max(axis=1)
    return most


def _miniatures(pixels):
    """Return float32 (n, 144): means of blocks of each face, with mean 0 and length 1."""
    block = SIDE // _CELLS
    cells = pixels.reshape(len(pixels), _CELLS, block, _CELLS, block).mean(axis=(2, 4))
    cells = cells.reshape(len(pixels), _CELLS**2).astype(np.float32)
    cells -= cells.mean(axis=1, keepdims=True)
    length = np.linalg.norm(cells, axis=1, keepdims=True)
    # A face without contrast is like nothing.
    return np.where(length > 1, cells / np.maximum(length, 1), 0)
