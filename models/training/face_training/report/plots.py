"""PNG plots of a report, as bytes."""

import io

import numpy as np

from ..tasks.emotion import metrics

_BLUE, _ORANGE, _GREEN = "#2b6cb0", "#c05621", "#2f855a"


def _figure(width, height):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure):
    made = io.BytesIO()
    figure.savefig(made, format="png", dpi=110, metadata={"Software": None})
    return made.getvalue()


def curves(log):
    """Plot losses and accuracies over epochs; `log` is a list of {column: float or None}."""
    figure = _figure(8, 3.6)
    sides = figure.subplots(1, 2)
    kinds = (
        ("loss", (("loss", "training", _BLUE), ("watch_loss", "watched", _ORANGE))),
        ("accuracy", (("train_accuracy", "training", _BLUE), ("accuracy", "watched", _ORANGE))),
    )
    for axes, (title, lines) in zip(sides, kinds, strict=True):
        for column, label, colour in lines:
            points = [(row["epoch"], row[column]) for row in log if row.get(column) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), ".-", color=colour, label=label)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return _png(figure)


def confusion(found):
    """Draw the confusion matrix, each row as shares of its true class."""
    labels, rows = found["confusion"]["labels"], found["confusion"]["rows"]
    figure = _figure(5.5, 5)
    axes = figure.add_subplot(xlabel="found", ylabel="truth")
    shares = [[cell / max(1, sum(row)) for cell in row] for row in rows]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    for down, row in enumerate(shares):
        for across, share in enumerate(row):
            colour = "white" if share > 0.5 else "black"
            axes.text(across, down, f"{share:.2f}", ha="center", va="center", color=colour)
    return _png(figure)


def classes(found):
    """Draw precision, recall and F1 of each class as bars."""
    table = found["per_class"]
    figure = _figure(8, 3.6)
    axes = figure.add_subplot(ylim=(0, 1))
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
    figure.legend(loc="outside upper center", ncols=3)
    return _png(figure)


def reliability(probabilities, truth, ece):
    """Plot how often the answer is right against how sure the net is, in the bins of the ECE."""
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((top * metrics.ECE_BINS).astype(int), metrics.ECE_BINS - 1)
    figure = _figure(5, 5)
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
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
    return _png(figure)


def mistakes(pixels, probabilities, truth, labels, most=16):
    """Draw the wrong answers of greatest confidence; None where every answer is right."""
    found = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(found != truth)
    wrong = wrong[np.argsort(-probabilities[wrong, found[wrong]], kind="stable")][:most]
    if not len(wrong):
        return None
    down = -(-len(wrong) // 8)
    figure = _figure(10, 1.75 * down)
    for axes in (places := figure.subplots(down, 8, squeeze=False)).flat:
        axes.set_axis_off()
    for axes, number in zip(places.flat, wrong, strict=False):
        axes.imshow(pixels[number], cmap="gray", vmin=0, vmax=255)
        sure = probabilities[number, found[number]]
        axes.set_title(
            f"{labels[found[number]]} {sure:.0%}\ntruth: {labels[truth[number]]}", fontsize=8
        )
    return _png(figure)
