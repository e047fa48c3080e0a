"""PNG plots of a report, as bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...report.drawing import PALETTE, figure, png
from . import metrics

_BLUE, _ORANGE, _GREEN = PALETTE


def confusion(found: Mapping[str, Any]) -> bytes:
    """Draw the confusion matrix, each row as shares of its true class."""
    labels, rows = found["confusion"]["labels"], found["confusion"]["rows"]
    drawn = figure(5.5, 5)
    axes = drawn.add_subplot(xlabel="found", ylabel="truth")
    shares = [[cell / max(1, sum(row)) for cell in row] for row in rows]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    for down, row in enumerate(shares):
        for across, share in enumerate(row):
            colour = "white" if share > 0.5 else "black"
            axes.text(across, down, f"{share:.2f}", ha="center", va="center", color=colour)
    return png(drawn)


def classes(found: Mapping[str, Any]) -> bytes:
    """Draw precision, recall and F1 of each class as bars."""
    table = found["per_class"]
    drawn = figure(8, 3.6)
    axes = drawn.add_subplot(ylim=(0, 1))
    places = np.arange(len(table))
    for number, (key, colour) in enumerate(
        (("precision", _BLUE), ("recall", _ORANGE), ("f1", _GREEN))
    ):
        values = [row[key] for row in table.values()]
        label = key.upper() if key == "f1" else key
        axes.bar(places + (number - 1) * 0.27, values, 0.25, color=colour, label=label)
    names = [f"{label}\n{row['support']}" for label, row in table.items()]
    axes.set_xticks(places, names)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    drawn.legend(loc="outside upper center", ncols=3)
    return png(drawn)


def reliability(probabilities: np.ndarray, truth: np.ndarray, ece: float) -> bytes:
    """Plot how often the answer is right against how sure the net is, in the bins of the ECE."""
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((top * metrics.ECE_BINS).astype(int), metrics.ECE_BINS - 1)
    drawn = figure(5, 5)
    upper, lower = drawn.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    edges = np.arange(metrics.ECE_BINS) / metrics.ECE_BINS
    for number, edge in enumerate(edges):
        inside = place == number
        if inside.any():
            upper.bar(
                edge, right[inside].mean(), 1 / metrics.ECE_BINS, align="edge", color=_BLUE,
                edgecolor="white",
            )  # fmt: skip
    upper.plot([0, 1], [0, 1], "k--", linewidth=1, label="perfect")
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share right", title=f"calibration error {ece:.1%}")
    upper.legend(loc="upper left")
    counts = np.bincount(place, minlength=metrics.ECE_BINS)
    lower.bar(edges, counts, 1 / metrics.ECE_BINS, align="edge", color="#888", edgecolor="white")
    lower.set(xlabel="confidence", ylabel="faces")
    return png(drawn)


def mistakes(
    pixels: np.ndarray,
    probabilities: np.ndarray,
    truth: np.ndarray,
    labels: Sequence[str],
    most: int = 16,
) -> bytes | None:
    """Draw the wrong answers of greatest confidence; None where every answer is right."""
    found = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(found != truth)
    wrong = wrong[np.argsort(-probabilities[wrong, found[wrong]], kind="stable")][:most]
    if not len(wrong):
        return None
    down = -(-len(wrong) // 8)
    drawn = figure(10, 1.75 * down)
    for axes in (places := drawn.subplots(down, 8, squeeze=False)).flat:
        axes.set_axis_off()
    for axes, number in zip(places.flat, wrong, strict=False):
        axes.imshow(pixels[number], cmap="gray", vmin=0, vmax=255)
        sure = probabilities[number, found[number]]
        axes.set_title(
            f"{labels[found[number]]} {sure:.0%}\ntruth: {labels[truth[number]]}", fontsize=8
        )
    return png(drawn)
