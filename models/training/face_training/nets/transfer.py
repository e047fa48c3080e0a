"""Transfer learning: nets of keras.applications under our pictures, and weights to start from.

Each backbone is one nested model. Before it, as layers of the net, the picture is enlarged
and its grey value spread to the three channels that the backbone was trained with, so that
the exported file takes the same 48x48 grey picture as every other net.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from ..errors import TrainingError
from .models import load_keras

# Fixed arithmetic: no stage of a training changes it, and files to start from need not have it.
GREY = "grey_to_rgb"
# What keras.applications' preprocess_input does with values of [0, 1]: factor, then sum.
_CAFFE = ([255.0] * 3, [-103.939, -116.779, -123.68])  # VGG16: blue, green, red less their means
_SIGNED = ([2.0] * 3, [-1.0] * 3)


@dataclass(frozen=True)
class Backbone:
    """A net of keras.applications and the values that it takes."""

    builder: str
    scale: tuple[list[float], list[float]]


BACKBONES = {
    "vgg16": Backbone("VGG16", _CAFFE),
    "resnet50v2": Backbone("ResNet50V2", _SIGNED),
    "mobilenet": Backbone("MobileNet", _SIGNED),
}


def features(
    x: Any,
    name: str,
    side: int = 96,
    dropout: float = 0.3,
    imagenet: bool = True,
    **options: Any,
) -> Any:
    """Return the pooled features of backbone `name` for pictures x, enlarged to side x side.

    Further options go to the builder in keras.applications (`alpha` of the MobileNets).
    """
    backbone = BACKBONES[name]
    if x.shape[1] != side:
        x = layers.Resizing(side, side, dtype="float32", name="enlarge")(x)
    spread = layers.Conv2D(3, 1, dtype="float32", name=GREY, trainable=False)
    grey = x.shape[-1] == 1
    x = spread(x)
    factor, addend = backbone.scale
    kernel = np.reshape(factor, (1, 3)) if grey else np.diag(factor)
    spread.set_weights([kernel[None, None], np.array(addend)])
    try:
        net = getattr(keras.applications, backbone.builder)(
            include_top=False,
            weights="imagenet" if imagenet else None,
            input_shape=(side, side, 3),
            **options,
        )
    except TypeError:
        raise
    except Exception as error:  # keras raises a bare Exception where a download fails
        what = "imagenet weights" if imagenet else "layers"
        raise TrainingError(
            f"unable to make the {what} of {name}: {error}"
            + (' (no network? set weights = "none" or to a weights file)' if imagenet else "")
        ) from error
    x = layers.GlobalAveragePooling2D()(net(x))
    return layers.Dropout(dropout)(x)


def leaves(model: keras.Model) -> list[keras.Layer]:
    """Return the layers of a model in order, those of nested models in their place."""
    found: list[keras.Layer] = []
    for layer in model.layers:
        found += leaves(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def backbone_of(model: keras.Model) -> keras.Model | None:
    """Return the nested model of a transfer net, None of any other net."""
    return next((layer for layer in model.layers if isinstance(layer, keras.Model)), None)


def head(model: keras.Model) -> list[keras.Layer]:
    """Return the layers behind the backbone; of a net without one, those that give its outputs."""
    backbone = backbone_of(model)
    if backbone is not None:
        return model.layers[model.layers.index(backbone) + 1 :]
    return [output._keras_history.operation for output in model.outputs]


def set_trainable(model: keras.Model, trains: str, freeze_norm: bool) -> None:
    """Choose what learns: "all", "head", or a layer's name: from that layer to the end.

    With `freeze_norm`, batch normalisation keeps its statistics and factors.
    """
    every = leaves(model)
    names = [layer.name for layer in every]
    if trains == "all":
        chosen = every
    elif trains == "head":
        chosen = head(model)
    elif trains in names:
        chosen = every[names.index(trains) :]
    else:
        raise TrainingError(
            f"unable to train from layer {trains}: {model.name} has no such layer, but"
            f" {', '.join(layer.name for layer in every if layer.weights)}"
        )
    for layer in every:
        fixed = layer.name == GREY or (freeze_norm and isinstance(layer, layers.BatchNormalization))
        layer.trainable = layer in chosen and not fixed


def start_from(model: keras.Model, path: str | Path) -> None:
    """Load weights from a file into a net.

    A .keras file: a whole net with the same layers, the head excepted where the classes
    differ, or just its backbone. A .weights.h5 or .h5 file: of the whole net or, as
    keras.applications saves them without top, of the backbone.
    """
    path = Path(path)
    if not path.is_file():
        raise TrainingError(f"unable to load weights {path}: no such file")
    if path.suffix == ".keras":
        _start_from_model(model, path)
    elif path.suffix == ".h5":
        _start_from_weights(model, path)
    else:
        raise TrainingError(f"unable to load weights {path}: neither .keras nor .h5")


def _start_from_model(model: keras.Model, path: Path) -> None:
    source = load_keras(path)
    mine, theirs = (
        [layer for layer in leaves(net) if layer.weights and layer.name != GREY]
        for net in (model, source)
    )
    for number, layer in enumerate(mine):
        weights = theirs[number].get_weights() if number < len(theirs) else []
        wanted = [weight.shape for weight in layer.get_weights()]
        found = [weight.shape for weight in weights]
        if wanted == found:
            layer.set_weights(weights)
        elif layer not in head(model):
            raise TrainingError(
                f"unable to load weights {path}: layer {layer.name} has the shapes"
                f" {wanted}, there {found or 'is none'}"
            )


def _start_from_weights(model: keras.Model, path: Path) -> None:
    reasons = []
    for net in (backbone_of(model), model):
        if net is None:
            continue
        try:
            net.load_weights(path)
            return
        except (OSError, ValueError, KeyError) as error:
            reasons.append(f"{net.name}: {str(error).splitlines()[0]}")
    raise TrainingError(f"unable to load weights {path}: {'; '.join(reasons)}")
