"""Figures of a classifier from its logits."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import log_softmax as _log_softmax
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

# Classes with fewer samples are left out of macro F1: a single face would move it by points.
LEAST_SUPPORT = 20
ECE_BINS = 15
# Nats of likelihood that a smaller calibration error may cost.
NLL_SLACK = 0.002


def log_softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return log-probabilities float64 (n, c) of logits (n, c) divided by the temperature."""
    return _log_softmax(np.asarray(logits, np.float64) / temperature, axis=1)


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return probabilities float64 (n, c) of logits (n, c) divided by the temperature."""
    return np.exp(log_softmax(logits, temperature))


def ece(probabilities: np.ndarray, truth: np.ndarray, bins: int = ECE_BINS) -> float:
    """Expected calibration error over equal bins of confidence (Guo et al. 2017, 1706.04599)."""
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((top * bins).astype(int), bins - 1)
    gap = np.bincount(place, right - top, bins)
    return float(np.abs(gap).sum() / len(truth))


def nll(logits: np.ndarray, truth: np.ndarray, temperature: float = 1.0) -> float:
    """Mean negative log likelihood of the true classes, in nats."""
    picked = log_softmax(logits, temperature)[np.arange(len(truth)), truth]
    return float(-np.maximum(picked, np.log(1e-12)).mean())


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Return the temperature that calibrates logits.

    Of the temperatures whose negative log likelihood is within `NLL_SLACK` of the least, the
    one of least calibration error, taken over several numbers of bins so that no chance edge
    of a bin decides.
    """
    tried = np.exp(np.linspace(np.log(0.2), np.log(5.0), 400))
    losses = np.array([nll(logits, truth, temperature) for temperature in tried])
    good = tried[losses <= losses.min() + NLL_SLACK]

    def error(temperature: float) -> float:
        probabilities = softmax(logits, temperature)
        return float(np.mean([ece(probabilities, truth, bins) for bins in (10, ECE_BINS, 20)]))

    return float(min(good, key=error))


def interval(hits: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share (Wilson 1927); (0, 1) of nothing."""
    if not count:
        return 0.0, 1.0
    found = binomtest(hits, count).proportion_ci(0.95, "wilson")
    return float(found.low), float(found.high)


def paired(right: np.ndarray, other: np.ndarray) -> tuple[int, int, float]:
    """Compare two nets on the same faces by McNemar's exact test (McNemar 1947).

    `right` and `other` bool (n,) tell where each is right. Returns how often only the first is, how
    often only the second is, and the probability of so uneven a split by chance.
    """
    one, two = int((right & ~other).sum()), int((other & ~right).sum())
    chance = binomtest(one, one + two).pvalue if one + two else 1.0
    return one, two, float(chance)


def compared(
    answers: np.ndarray, others: np.ndarray, truth: np.ndarray, labels: Sequence[str]
) -> dict[str, Any]:
    """Return the figures of `others`, and `paired` of both; log-probabilities (n, labels) each."""
    one, two, chance = paired(answers.argmax(axis=1) == truth, others.argmax(axis=1) == truth)
    return {
        **figures(others, truth, labels),
        "only_this_right": one,
        "only_other_right": two,
        "p": chance,
    }


def figures(
    logits: np.ndarray, truth: np.ndarray, labels: Sequence[str], temperature: float = 1.0
) -> dict[str, Any]:
    """Return accuracy, macro F1, top-2, per-class figures, confusion and ECE as plain numbers."""
    probabilities = softmax(logits, temperature)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    numbers = np.arange(len(labels))
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, order[:, 0], labels=numbers, zero_division=0.0
    )
    table = confusion_matrix(truth, order[:, 0], labels=numbers)
    counted = support >= LEAST_SUPPORT
    return {
        "samples": len(truth),
        "accuracy": float((order[:, 0] == truth).mean()),
        "macro_f1": float(f1[counted].mean()) if counted.any() else 0.0,
        "top2": float((order[:, :2] == truth[:, None]).any(axis=1).mean()),
        "per_class": {
            label: {
                "precision": float(precision[number]),
                "recall": float(recall[number]),
                "f1": float(f1[number]),
                "support": int(support[number]),
            }
            for number, label in enumerate(labels)
        },
        "confusion": {"labels": list(labels), "rows": table.tolist()},
        "ece": ece(probabilities, truth),
        "nll": nll(logits, truth, temperature),
    }
