"""Figures as PNG bytes."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from ..tasks.task import Column

# Blue, orange, green.
PALETTE = ("#2b6cb0", "#c05621", "#2f855a")


def figure(width: float, height: float) -> Any:
    """Return an empty figure of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def png(drawn: Any) -> bytes:
    """Return a figure as PNG."""
    made = io.BytesIO()
    drawn.savefig(made, format="png", dpi=110, metadata={"Software": None})
    return made.getvalue()


def curves(log: Sequence[Mapping[str, float | None]], columns: Sequence[Column]) -> bytes:
    """Plot a run's log over its epochs, each of the task's plots beside the other."""
    titles = list(dict.fromkeys(column.plot for column in columns if column.plot))
    drawn = figure(4 * len(titles), 3.6)
    for axes, title in zip(drawn.subplots(1, len(titles), squeeze=False)[0], titles, strict=True):
        lines = [column for column in columns if column.plot == title]
        for colour, column in zip(PALETTE, lines, strict=False):
            points = [
                (row["epoch"], row[column.name]) for row in log if row.get(column.name) is not None
            ]
            if points:
                axes.plot(*zip(*points, strict=True), ".-", color=colour, label=column.label)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return png(drawn)
