"""Nets by name: each takes pictures of the recipe's [input] and gives features for the task's heads.

Only operators that a Coral compiler maps: convolution, depthwise convolution, add,
concatenation, ReLU, average and maximum pooling, mean, fully connected.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
from keras import layers

from ..errors import TrainingError
from ..recipe import Recipe
from . import transfer

Features = Any  # a Keras tensor, or several of a net with several scales
REGISTRY: dict[str, Callable[..., Features]] = {}


def register(build: Callable[..., Features]) -> Callable[..., Features]:
    """Make a builder known under its function's name."""
    REGISTRY[build.__name__] = build
    return build


def known() -> list[str]:
    """Return the sorted names of all nets."""
    return sorted([*REGISTRY, *transfer.BACKBONES])


def build(
    name: str,
    shape: tuple[int, int, int],
    heads: Callable[[Features], Mapping[str, Any]],
    options: Mapping[str, Any],
) -> keras.Model:
    """Build net `name` for pictures (height, width, channels); `heads` makes its outputs by name.

    `options` are its builder's arguments, and `weights`: "none" or a file to start from (a
    .keras model of this toolkit with the same layers, .weights.h5), for transfer learning also
    "imagenet".
    """
    if name not in known():
        raise TrainingError(f"unable to build net {name}: known are {', '.join(known())}")
    options = dict(options)
    weights = options.pop("weights", "imagenet" if name in transfer.BACKBONES else "none")
    picture = keras.Input(shape, name="picture")
    try:
        if name in transfer.BACKBONES:
            features = transfer.features(picture, name, imagenet=weights == "imagenet", **options)
        else:
            features = REGISTRY[name](picture, **options)
    except TypeError as error:
        raise TrainingError(f"unable to build net {name}: {error}") from error
    model = keras.Model(picture, dict(heads(features)), name=name)
    if weights not in ("none", "imagenet"):
        transfer.start_from(model, weights)
    elif weights == "imagenet" and name not in transfer.BACKBONES:
        raise TrainingError(f"unable to build net {name}: there are no imagenet weights for it")
    return model


def of_recipe(
    plan: Recipe, weights: Path | None, heads: Callable[[Features], Mapping[str, Any]]
) -> keras.Model:
    """Build a recipe's net, started from the weights of a file where one is given."""
    options = {key: value for key, value in plan.net.items() if key != "name"}
    if weights is not None:
        options["weights"] = str(weights)
    elif options.get("weights", "none") not in ("none", "imagenet"):
        options["weights"] = "none"
    return build(plan.net["name"], plan.input.shape, heads, options)


def multiply_adds(model: keras.Model) -> int:
    """Count the multiply-adds of convolutions and fully connected layers for one picture."""
    total = 0
    for layer in transfer.leaves(model):
        if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
            _, height, width, _ = layer.output.shape
            total += height * width * layer.kernel.shape.num_elements()
        elif isinstance(layer, layers.Dense):
            total += layer.kernel.shape.num_elements()
    return total


def conv(x: Features, width: int, size: int = 3, stride: int = 1, relu: bool = True) -> Features:
    """Convolution without bias, batch normalisation and, unless told otherwise, ReLU."""
    x = layers.Conv2D(
        width, size, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x) if relu else x


def residual_block(x: Features, width: int, stride: int) -> Features:
    """Two 3x3 convolutions beside a shortcut; the shortcut pools before its 1x1 convolution."""
    shortcut = x
    if stride > 1:
        shortcut = layers.AveragePooling2D(stride)(shortcut)
    if stride > 1 or x.shape[-1] != width:
        shortcut = conv(shortcut, width, size=1, relu=False)
    y = conv(x, width, stride=stride)
    y = conv(y, width, relu=False)
    return layers.ReLU()(layers.Add()([shortcut, y]))


@register
def residual(
    x: Features,
    widths: Sequence[int] = (32, 64, 128),
    blocks: Sequence[int] = (1, 2, 1),
    stem: int = 16,
    dropout: float = 0.3,
) -> Features:
    """Residual net (He et al. 2015, arXiv:1512.03385) sized for 48x48 faces.

    A full-size stem of `stem` channels, then one stage a width, each halving the side.
    """
    x = conv(x, stem)
    for width, count in zip(widths, blocks, strict=True):
        for number in range(count):
            x = residual_block(x, width, stride=2 if number == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(dropout)(x)


@register
def lenet5(x: Features, dropout: float = 0.3) -> Features:
    """LeNet-5 (LeCun et al. 1998) with ReLU and maximum pooling: the floor to beat."""
    for width in (6, 16):
        x = layers.Conv2D(width, 5, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    for width in (120, 84):
        x = layers.Dense(width, activation="relu")(x)
    return layers.Dropout(dropout)(x)


@register
def vgg(
    x: Features,
    widths: Sequence[int] = (32, 64, 128, 128),
    convolutions: int = 2,
    dense: int = 256,
    dropout: float = 0.5,
) -> Features:
    """VGG (Simonyan and Zisserman 2014, arXiv:1409.1556) with batch normalisation, for 48x48."""
    for width in widths:
        for _ in range(convolutions):
            x = conv(x, width)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(dense, activation="relu")(x)
    return layers.Dropout(dropout)(x)


@register
def resnet(x: Features, depth: int = 20, width: int = 16, dropout: float = 0.3) -> Features:
    """ResNet of `depth` layers as He et al. 2015 (arXiv:1512.03385) built it for CIFAR-10."""
    if depth < 8 or depth % 6 != 2:
        raise TypeError(f"depth {depth} is not 8, 14, 20, 26 …")
    x = conv(x, width)
    for stage in range(3):
        for number in range((depth - 2) // 6):
            x = residual_block(x, width << stage, stride=2 if stage and number == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(dropout)(x)


def _inception(x: Features, width: int) -> Features:
    """Four branches of `width` channels each: 1x1, 3x3, twice 3x3, and pooling."""
    one = conv(x, width, size=1)
    three = conv(conv(x, width // 2, size=1), width)
    five = conv(conv(conv(x, width // 2, size=1), width), width)
    pooled = conv(layers.AveragePooling2D(3, strides=1, padding="same")(x), width, size=1)
    return layers.Concatenate()([one, three, five, pooled])


@register
def inception(
    x: Features,
    widths: Sequence[int] = (16, 32, 48),
    blocks: Sequence[int] = (1, 2, 1),
    stem: int = 32,
    dropout: float = 0.4,
) -> Features:
    """Inception net (Szegedy et al. 2015, arXiv:1512.00567: 5x5 as twice 3x3), for 48x48."""
    x = layers.MaxPooling2D(2)(conv(x, stem))
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        if stage:
            x = layers.MaxPooling2D(2)(x)
        for _ in range(count):
            x = _inception(x, width)
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(dropout)(x)
