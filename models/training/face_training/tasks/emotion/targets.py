"""What is learnt and what is judged: votes and labels turned into targets and truth."""

from dataclasses import dataclass

import numpy as np

from ...recipe.tables import between, one_of
from .labels import EMOTIONS, FER2013_EMOTIONS, distribution, majority


@dataclass(frozen=True)
class Targets:
    """What is learnt from each face, and what counts as right."""

    # votes: shares of FER+'s votes; majority: FER+'s majority rule; label: the data's own label.
    kind: str = one_of("votes", "votes", "majority", "label")
    label_share: float = between(0.0, 0.0, 1.0)  # of the data's own label within the votes
    smoothing: float = between(0.0, 0.0, 0.9)  # spread evenly over all classes
    balance: float = between(0.0, 0.0, 1.0)  # 0: every face weighs the same; 1: every class does
    judge: str = one_of("majority", "majority", "label")  # what counts as right
    labels: tuple = ()  # the net's classes; empty: all 8, or FER2013's 7 where judged by label

    @property
    def names(self) -> tuple[str, ...]:
        """The net's classes, in the order of its outputs."""
        return self.labels or (FER2013_EMOTIONS if self.judge == "label" else EMOTIONS)


def _own(labels: np.ndarray) -> np.ndarray:
    """Return the sources' own labels (n, 8) as shares, rows of 0 where there is none."""
    return labels / np.maximum(labels.sum(axis=1, keepdims=True), 1)


def soft(votes: np.ndarray, labels: np.ndarray, how: Targets) -> tuple[np.ndarray, np.ndarray]:
    """Return (targets float32 (n, classes), keep bool (n,)); kept rows sum to 1.

    Faces that nobody voted on have their own label as target. Faces that say nothing of the
    net's classes are not kept.
    """
    own = _own(labels)
    if how.kind == "label":
        targets, keep = own, own.sum(axis=1) > 0
    else:
        targets, keep = _voted(votes, how.kind)
        mixed = (1 - how.label_share) * targets + how.label_share * own
        targets = np.where(own.sum(axis=1, keepdims=True) > 0, mixed, targets)
        silent = votes.sum(axis=1) == 0
        targets = np.where(silent[:, None], own, targets)
        keep = np.where(silent, own.sum(axis=1) > 0, keep)
    targets = targets[:, [EMOTIONS.index(name) for name in how.names]]
    total = targets.sum(axis=1)
    targets = targets / np.where(total > 0, total, 1)[:, None]
    targets = (1 - how.smoothing) * targets + how.smoothing / len(how.names)
    return targets.astype(np.float32), keep & (total > 0)


def _voted(votes: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    if kind == "votes":
        return distribution(votes)
    label = majority(votes)
    return np.eye(len(EMOTIONS))[label], label >= 0


def truth(votes: np.ndarray, labels: np.ndarray, how: Targets) -> np.ndarray:
    """Return int (n,): the index into `how.names` that is right for each face, or -1.

    By FER+'s majority rule, or by the source's own label where `how.judge` says so or nobody
    voted.
    """
    own = np.where(labels.sum(axis=1) > 0, labels.argmax(axis=1), -1)
    voted = votes.sum(axis=1) > 0
    chosen = np.where(voted & (how.judge == "majority"), majority(votes), own)
    place = np.array([how.names.index(name) if name in how.names else -1 for name in EMOTIONS])
    return np.where(chosen >= 0, place[chosen], -1)
