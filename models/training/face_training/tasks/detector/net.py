"""The detector's net: depthwise separable blocks down to stride 32, and back up to stride 8."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import initializers, layers, ops

from ...nets.builders import Features, register

# The scores' first bias: one cell in a hundred is a face (arXiv:1708.02002, section 3.3).
_RARE = -4.6
SCORE = "score"  # the layer of the scores


def separable(x: Features, width: int, stride: int = 1, residual: bool = False) -> Features:
    """Depthwise 3x3, then 1x1 (MobileNet, arXiv:1704.04861), normalised once, after both."""
    y = layers.DepthwiseConv2D(
        3, stride, "same", use_bias=False, depthwise_initializer="he_normal"
    )(x)
    y = layers.Conv2D(width, 1, use_bias=False, kernel_initializer="he_normal")(y)
    y = layers.BatchNormalization(momentum=0.99)(y)
    return layers.ReLU()(layers.Add()([y, x]) if residual else y)


def stem(x: Features, width: int) -> Features:
    """The first convolution: half the size."""
    x = layers.Conv2D(
        width, 3, 2, "same", use_bias=False, kernel_initializer="he_normal", name="stem"
    )(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.99)(x))


def stage(x: Features, width: int, blocks: int) -> Features:
    """Half the size, then `blocks` that keep it."""
    x = separable(x, width, stride=2)
    for _ in range(blocks):
        x = separable(x, width, residual=True)
    return x


@register
def pyramid(
    x: Features,
    first: int = 16,
    widths: Sequence[int] = (32, 64, 64),
    blocks: Sequence[int] = (2, 3, 2, 2),
) -> list[Features]:
    """Feature maps of strides 8, 16 and 32, the finer ones with what the coarser ones know.

    As in feature pyramids (Lin et al. 2016, arXiv:1612.03144). The last halving is a maximum, so
    that an odd number of rows keeps the cells' centres where `grid.cells` has them.
    """
    width = widths[-1]
    x = stage(stem(x, first), widths[0], blocks[0])
    fine = stage(x, widths[1], blocks[1])
    middle = stage(fine, width, blocks[2])
    coarse = layers.MaxPooling2D(2, 2, "same")(middle)
    for _ in range(blocks[3]):
        coarse = separable(coarse, width, residual=True)
    middle = separable(_added(coarse, middle), width)
    return [separable(_added(middle, fine), width), middle, coarse]


def _added(coarse: Features, fine: Features) -> Features:
    """Return the finer map plus the coarser one enlarged to it."""
    larger = layers.Resizing(*fine.shape[1:3], interpolation="nearest")(coarse)
    if fine.shape[-1] != larger.shape[-1]:
        fine = layers.Conv2D(larger.shape[-1], 1, name="lateral")(fine)
    return layers.Add()([larger, fine])


def heads(maps: Sequence[Features]) -> Mapping[str, Any]:
    """Return {"boxes": (b, n, 4), "points": (b, n, 10), "scores": (b, n, 1)}, see `grid`: one small
    tower for the maps of all strides."""
    width = maps[0].shape[-1]
    depth = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="tower_depthwise")
    point = layers.Conv2D(width, 1, activation="relu", name="tower")

    def last(count: int, bias: float, name: str) -> layers.Layer:
        return layers.Conv2D(
            count, 1, name=name, dtype="float32",
            kernel_initializer=initializers.RandomNormal(stddev=0.01),
            bias_initializer=initializers.Constant(bias),
        )  # fmt: skip

    # Reshaped by constants: the layer would ask for the batch's size, which no Coral compiler takes.
    ends = {
        "boxes": last(4, 1.5, "box"),
        "points": last(10, 0.0, "point"),
        "scores": last(1, _RARE, SCORE),
    }
    features = [point(depth(one)) for one in maps]
    return {
        name: layers.Concatenate(axis=1, name=name, dtype="float32")(
            [
                ops.reshape(end(one), (-1, one.shape[1] * one.shape[2], end.filters))
                for one in features
            ]
        )
        for name, end in ends.items()
    }
