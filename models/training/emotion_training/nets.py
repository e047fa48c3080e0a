"""Nets by name: each takes (48, 48, 1) in [0, 1] and gives 8 logits.

Only operators that a Coral compiler maps: convolution, depthwise convolution, add, ReLU,
average and maximum pooling, mean, fully connected.
"""

import keras
from keras import layers

from .errors import TrainingError

REGISTRY = {}


def register(build):
    """Make a builder known under its function's name."""
    REGISTRY[build.__name__] = build
    return build


def build(name, side, classes, options):
    """Build net `name` for side x side x 1 pictures; `options` are its builder's arguments."""
    if name not in REGISTRY:
        raise TrainingError(f"unable to build net {name}: known are {', '.join(sorted(REGISTRY))}")
    picture = keras.Input((side, side, 1), name="picture")
    try:
        features = REGISTRY[name](picture, **options)
    except TypeError as error:
        raise TrainingError(f"unable to build net {name}: {error}") from error
    # The last layer stays in float32 so that the loss does not see bfloat16 steps.
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    return keras.Model(picture, logits, name=name)


def multiply_adds(model):
    """Count the multiply-adds of convolutions and fully connected layers for one picture."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
            _, height, width, _ = layer.output.shape
            total += height * width * layer.kernel.shape.num_elements()
        elif isinstance(layer, layers.Dense):
            total += layer.kernel.shape.num_elements()
    return total


def _conv(x, width, size=3, stride=1, relu=True):
    x = layers.Conv2D(
        width, size, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x) if relu else x


def _residual(x, width, stride):
    """Two 3x3 convolutions beside a shortcut; the shortcut pools before its 1x1 convolution."""
    shortcut = x
    if stride > 1:
        shortcut = layers.AveragePooling2D(stride)(shortcut)
    if stride > 1 or x.shape[-1] != width:
        shortcut = _conv(shortcut, width, size=1, relu=False)
    y = _conv(x, width, stride=stride)
    y = _conv(y, width, relu=False)
    return layers.ReLU()(layers.Add()([shortcut, y]))


@register
def residual(x, widths=(32, 64, 128), blocks=(1, 2, 1), stem=16, dropout=0.3):
    """Residual net (He et al. 2015, arXiv:1512.03385) sized for 48x48 faces.

    A full-size stem of `stem` channels, then one stage a width, each halving the side.
    """
    x = _conv(x, stem)
    for width, count in zip(widths, blocks, strict=True):
        for number in range(count):
            x = _residual(x, width, stride=2 if number == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(dropout)(x)


@register
def mini_xception(x, widths=(16, 32, 64, 128), dropout=0.3):
    """Mini-Xception (Arriaga et al. 2017, arXiv:1710.07557): separable residual blocks."""
    x = _conv(_conv(x, 8), 8)
    for width in widths:
        shortcut = _conv(x, width, size=1, stride=2, relu=False)
        for relu in (True, False):
            x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
            x = _conv(x, width, size=1, relu=relu)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = layers.Add()([shortcut, x])
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(dropout)(x)


@register
def lenet5(x, dropout=0.3):
    """LeNet-5 (LeCun et al. 1998) with ReLU and maximum pooling: the floor to beat."""
    for width in (6, 16):
        x = layers.Conv2D(width, 5, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    for width in (120, 84):
        x = layers.Dense(width, activation="relu")(x)
    return layers.Dropout(dropout)(x)
