"""What is learnt and what is judged: votes and labels turned into targets and truth.

`how` is a recipe.Targets; its `names` are the net's classes.
"""

import numpy as np

from .labels import EMOTIONS, distribution, majority


def _own(labels):
    """Return the sources' own labels (n, 8) as shares, rows of 0 where there is none."""
    return labels / np.maximum(labels.sum(axis=1, keepdims=True), 1)


def soft(votes, labels, how):
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


def _voted(votes, kind):
    if kind == "votes":
        return distribution(votes)
    label = majority(votes)
    return np.eye(len(EMOTIONS))[label], label >= 0


def truth(votes, labels, how):
    """Return int (n,): the index into `how.names` that is right for each face, or -1.

    By FER+'s majority rule, or by the source's own label where `how.judge` says so or nobody
    voted.
    """
    own = np.where(labels.sum(axis=1) > 0, labels.argmax(axis=1), -1)
    voted = votes.sum(axis=1) > 0
    chosen = np.where(voted & (how.judge == "majority"), majority(votes), own)
    place = np.array([how.names.index(name) if name in how.names else -1 for name in EMOTIONS])
    return np.where(chosen >= 0, place[chosen], -1)
