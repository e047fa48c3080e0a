"""The points net: separable blocks down to stride 16, then one fully connected layer an answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import initializers, layers

from ...nets.builders import Features, register
from ..detector.net import stage, stem
from . import named

# Answers and how many numbers each has.
ANSWERS = {"box": 4, "face": 1, "open": 3, "points": 2 * named.COUNT, "pose": 2}


@register
def close_up(
    x: Features,
    first: int = 16,
    widths: Sequence[int] = (32, 64, 64),
    blocks: Sequence[int] = (1, 2, 2),
) -> Features:
    """What is seen and where, in one row: a place matters here, so that nothing is pooled away."""
    x = stem(x, first)
    for width, count in zip(widths, blocks, strict=True):
        x = stage(x, width, count)
    return layers.Flatten()(x)


def heads(features: Features) -> Mapping[str, Any]:
    """Return the answers by name, (b, numbers) each: see `cuts.Cutter.cut`."""
    small = initializers.RandomNormal(stddev=0.01)

    def answer(name: str, count: int) -> Any:
        # Places are in the middle at first.
        middle = initializers.Constant(0.5 if name in ("box", "points") else 0.0)
        return layers.Dense(
            count, kernel_initializer=small, bias_initializer=middle, name=name, dtype="float32"
        )(features)

    return {name: answer(name, count) for name, count in ANSWERS.items()}
