"""Nets by name: each takes (48, 48, 1) in [0, 1] and gives a logit a class.

Only operators that a Coral compiler maps: convolution, depthwise convolution, add,
concatenation, ReLU, average and maximum pooling, mean, fully connected.
"""

import keras
from keras import layers

from ..errors import TrainingError
from . import transfer

REGISTRY = {}


def register(build):
    """Make a builder known under its function's name."""
    REGISTRY[build.__name__] = build
    return build


def known():
    """Return the sorted names of all nets."""
    return sorted([*REGISTRY, *transfer.BACKBONES])


def build(name, side, classes, options):
    """Build net `name` for side x side x 1 pictures; `options` are its builder's arguments.

    The option `weights`, of every net: "none" or a file to start from (a .keras model of this
    toolkit with the same layers, .weights.h5), for transfer learning also "imagenet".
    """
    if name not in known():
        raise TrainingError(f"unable to build net {name}: known are {', '.join(known())}")
    options = dict(options)
    weights = options.pop("weights", "imagenet" if name in transfer.BACKBONES else "none")
    picture = keras.Input((side, side, 1), name="picture")
    try:
        if name in transfer.BACKBONES:
            features = transfer.features(picture, name, imagenet=weights == "imagenet", **options)
        else:
            features = REGISTRY[name](picture, **options)
    except TypeError as error:
        raise TrainingError(f"unable to build net {name}: {error}") from error
    # The last layer stays in float32 so that the loss does not see bfloat16 steps.
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    model = keras.Model(picture, logits, name=name)
    if weights not in ("none", "imagenet"):
        transfer.start_from(model, weights)
    elif weights == "imagenet" and name not in transfer.BACKBONES:
        raise TrainingError(f"unable to build net {name}: there are no imagenet weights for it")
    return model


def multiply_adds(model):
    """Count the multiply-adds of convolutions and fully connected layers for one picture."""
    total = 0
    for layer in transfer.leaves(model):
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
        # Every other pixel, then 1x1. As one convolution with stride 2 its gradient writes past
        # its memory in TensorFlow 2.21 with oneDNN (the process aborts in malloc).
        shortcut = _conv(layers.MaxPooling2D(1, strides=2)(x), width, size=1, relu=False)
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


@register
def vgg(x, widths=(32, 64, 128, 128), convolutions=2, dense=256, dropout=0.5):
    """VGG (Simonyan and Zisserman 2014, arXiv:1409.1556) with batch normalisation, for 48x48."""
    for width in widths:
        for _ in range(convolutions):
            x = _conv(x, width)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(dense, activation="relu")(x)
    return layers.Dropout(dropout)(x)


@register
def resnet(x, depth=20, width=16, dropout=0.3):
    """ResNet of `depth` layers as He et al. 2015 (arXiv:1512.03385) built it for CIFAR-10."""
    if depth < 8 or depth % 6 != 2:
        raise TypeError(f"depth {depth} is not 8, 14, 20, 26 …")
    x = _conv(x, width)
    for stage in range(3):
        for number in range((depth - 2) // 6):
            x = _residual(x, width << stage, stride=2 if stage and number == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(dropout)(x)


def _inception(x, width):
    """Four branches of `width` channels each: 1x1, 3x3, twice 3x3, and pooling."""
    one = _conv(x, width, size=1)
    three = _conv(_conv(x, width // 2, size=1), width)
    five = _conv(_conv(_conv(x, width // 2, size=1), width), width)
    pooled = _conv(layers.AveragePooling2D(3, strides=1, padding="same")(x), width, size=1)
    return layers.Concatenate()([one, three, five, pooled])


@register
def inception(x, widths=(16, 32, 48), blocks=(1, 2, 1), stem=32, dropout=0.4):
    """Inception net (Szegedy et al. 2015, arXiv:1512.00567: 5x5 as twice 3x3), for 48x48."""
    x = layers.MaxPooling2D(2)(_conv(x, stem))
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        if stage:
            x = layers.MaxPooling2D(2)(x)
        for _ in range(count):
            x = _inception(x, width)
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(dropout)(x)
