"""Figures of a classifier from its logits."""

import numpy as np

# Classes with fewer samples are left out of macro F1: a single face would move it by points.
LEAST_SUPPORT = 20
ECE_BINS = 15
# Nats of likelihood that a smaller calibration error may cost.
NLL_SLACK = 0.002


def softmax(logits, temperature=1.0):
    """Return probabilities (n, c) of logits (n, c) divided by the temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    powers = np.exp(scaled)
    return powers / powers.sum(axis=1, keepdims=True)


def log_softmax(logits, temperature=1.0):
    """Return log-probabilities (n, c) of logits (n, c) divided by the temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    return scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))


def confusion(truth, found, classes):
    """Count (true class, found class) pairs: int (classes, classes)."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, found), 1)
    return table


def ece(probabilities, truth, bins=ECE_BINS):
    """Expected calibration error over equal bins of confidence (Guo et al. 2017, 1706.04599)."""
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((top * bins).astype(int), bins - 1)
    gap = 0.0
    for number in range(bins):
        inside = place == number
        if inside.any():
            gap += inside.sum() * abs(right[inside].mean() - top[inside].mean())
    return float(gap / len(truth))


def nll(logits, truth, temperature=1.0):
    """Mean negative log likelihood of the true classes, in nats."""
    probabilities = softmax(logits, temperature)
    picked = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(picked, 1e-12)).mean())


def divergence(reference, logits):
    """Mean Kullback-Leibler divergence of softmax(logits) from softmax(reference), in nats."""
    expected, found = softmax(reference), softmax(logits)
    return float((expected * np.log((expected + 1e-12) / (found + 1e-12))).sum(axis=1).mean())


def fit_temperature(logits, truth):
    """Return the temperature that calibrates logits.

    Of the temperatures whose negative log likelihood is within `NLL_SLACK` of the least, the
    one of least calibration error, taken over several numbers of bins so that no chance edge
    of a bin decides.
    """
    tried = np.exp(np.linspace(np.log(0.2), np.log(5.0), 400))
    losses = np.array([nll(logits, truth, temperature) for temperature in tried])
    good = tried[losses <= losses.min() + NLL_SLACK]

    def error(temperature):
        probabilities = softmax(logits, temperature)
        return np.mean([ece(probabilities, truth, bins) for bins in (10, ECE_BINS, 20)])

    return float(min(good, key=error))


def figures(logits, truth, labels, temperature=1.0):
    """Return accuracy, macro F1, top-2, per-class figures, confusion and ECE as plain numbers."""
    probabilities = softmax(logits, temperature)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    table = confusion(truth, order[:, 0], len(labels))
    hits = table.diagonal()
    support, named = table.sum(axis=1), table.sum(axis=0)
    precision = hits / np.maximum(named, 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(support + named, 1)
    counted = support >= LEAST_SUPPORT
    return {
        "samples": len(truth),
        "accuracy": float(hits.sum() / len(truth)),
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
