"""Names of the emotions, and how votes become targets.

Source of the votes and of the majority rule: FER+, Barsoum et al. 2016, "Training Deep
Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
arXiv:1608.01041.
"""

import numpy as np
from numpy.typing import ArrayLike

# The order of the vote columns in fer2013new.csv; it is also the order of the net's outputs.
EMOTIONS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
VOTE_COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
# Other names that data sets give the emotions (CK+: anger; FER+: happiness; AffectNet: contempt),
# the same as the daemon knows.
ALIASES = {
    "angry": ("anger",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "happy": ("happiness", "joy"),
    "sad": ("sadness",),
    "surprise": ("surprised",),
    "contempt": ("contemptuous",),
}
_BY_NAME = {name: name for name in EMOTIONS} | {
    alias: name for name, aliases in ALIASES.items() for alias in aliases
}
# Class numbers of fer2013.csv (Goodfellow et al. 2013, "Challenges in Representation Learning").
FER2013_EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def named(text: str) -> int | None:
    """Return the index into EMOTIONS of a name or alias in any case, or None."""
    name = _BY_NAME.get(text.strip().lower())
    return None if name is None else EMOTIONS.index(name)


def remove_outliers(votes: ArrayLike) -> np.ndarray:
    """Return votes (n, 10) with every single vote of 1 set to 0, as FER+ does."""
    votes = np.asarray(votes, np.int64)
    return np.where(votes == 1, 0, votes)


def majority(votes: ArrayLike) -> np.ndarray:
    """Apply FER+'s majority rule to votes (n, 10).

    Returns int (n,): the index into EMOTIONS, or -1 for a face that does not count. A face
    counts if its top column of all ten holds more than half of what `remove_outliers` left
    and is one of the 8 emotions.
    """
    kept = remove_outliers(votes)
    top = kept.argmax(axis=1)
    clear = 2 * kept.max(axis=1) > kept.sum(axis=1)
    return np.where(clear & (top < len(EMOTIONS)), top, -1)


def distribution(votes: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Turn votes (n, 10) into soft targets.

    Returns (targets, keep): float32 (n, 8) whose kept rows sum to 1, and bool (n,), false
    where "unknown" or "NF" has the most votes, alone or tied, or no emotion is left.
    """
    kept = remove_outliers(votes)
    emotions = kept[:, : len(EMOTIONS)].astype(np.float32)
    total = emotions.sum(axis=1)
    keep = (total > 0) & (emotions.max(axis=1) > kept[:, len(EMOTIONS) :].max(axis=1))
    return emotions / np.maximum(total, 1)[:, None], keep


def balance_weights(targets: np.ndarray, power: float) -> np.ndarray:
    """Return float32 (n,) loss weights, mean 1, for soft targets (n, 8).

    A class weighs its share of the targets to the power -`power`; a face weighs the mean of
    its targets' classes.
    """
    share = targets.mean(axis=0)
    weights = targets @ np.where(share > 0, np.maximum(share, 1e-6) ** -power, 0.0)
    return (weights / weights.mean()).astype(np.float32)
