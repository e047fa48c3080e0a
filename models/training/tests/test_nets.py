"""Each net by name learns, is exported and runs; weights are kept and found again."""

import json

import keras
import numpy as np
import pytest

from face_training import recipe
from face_training.errors import TrainingError
from face_training.export.quantise import CORAL_OPERATORS, convert, operators
from face_training.nets import builders as nets
from face_training.nets import transfer
from face_training.nets.models import TfliteModel, keras_logits
from face_training.training.trainer import Trainer

# Nothing but speed: the smallest that each builder takes.
SMALLEST = {name: {"side": 32, "weights": "none"} for name in transfer.BACKBONES}
SMALLEST["mobilenet"]["alpha"] = 0.25


def _plan(tmp_path, name, options, more=""):
    lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    path = tmp_path / "smoke.toml"
    path.write_text(
        f"""
name = "smoke"
version = "0"
description = "made-up"
[net]
name = "{name}"
{chr(10).join(lines)}
[train]
batch = 8
precision = "float32"
ema_decay = 0.5
{more}
""",
        encoding="utf-8",
    )
    return recipe.load(path)


def _faces(count=16):
    """Bright faces are happy, dark ones neutral."""
    random = np.random.default_rng(1)
    happy = np.arange(count) % 2
    pixels = random.integers(0, 100, (count, 48, 48)) + 150 * happy[:, None, None]
    return pixels.astype(np.uint8), np.eye(8, dtype=np.float32)[happy]


@pytest.mark.parametrize("name", nets.known())
def test_each_net_trains_exports_and_runs(tmp_path, name):
    plan = _plan(tmp_path, name, SMALLEST.get(name, {}), "warmup_epochs = 0\nepochs = 1")
    pixels, targets = _faces()
    trainer = Trainer(plan, pixels, targets)
    before = [np.array(weight) for weight in trainer.average.trainable_weights]
    row = trainer.run_epoch(0)
    # Without normalisation, untrained VGG16 begins with a loss of hundreds.
    assert 0 < row["loss"] < (10 if name != "vgg16" else np.inf)
    moved = [
        not np.array_equal(old, new)
        for old, new in zip(before, trainer.average.trainable_weights, strict=True)
    ]
    # A bias or factor may stay where its gradient is 0; kernels may not.
    kernels = [weight.path.endswith("kernel") for weight in trainer.average.trainable_weights]
    fixed = transfer.GREY
    for weight, kernel, changed in zip(
        trainer.average.trainable_weights, kernels, moved, strict=True
    ):
        assert changed or not kernel or fixed in weight.path, weight.path

    content = convert(trainer.average, pixels[:4])
    assert set(operators(content)) <= CORAL_OPERATORS
    file = tmp_path / "smoke.tflite"
    file.write_bytes(content)
    small, exact = TfliteModel(file).logits(pixels[:4]), keras_logits(trainer.average, pixels[:4])
    assert small.shape == (4, 8)
    assert np.isfinite(small).all()
    assert np.abs(small - exact).max() < 0.25 * max(1.0, np.abs(exact).max())


def test_imagenet_values_are_keras_own():
    """The fixed layers before each backbone do what its preprocess_input does."""
    modules = {
        "vgg16": keras.applications.vgg16,
        "resnet50v2": keras.applications.resnet_v2,
        "mobilenet": keras.applications.mobilenet,
    }
    grey = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 1)).astype(np.float32)
    colour = np.repeat(grey, 3, axis=-1)
    for name, module in modules.items():
        factor, addend = transfer.BACKBONES[name].scale
        ours = colour / 255 * np.array(factor) + np.array(addend)
        np.testing.assert_allclose(ours, module.preprocess_input(colour.copy()), atol=1e-3)
    signed = transfer.BACKBONES["mobilenet"].scale
    assert transfer.BACKBONES["mobilenetv3small"].scale == signed
    # EfficientNetV2-B0 has them as layers of its own where it is asked to.
    whole = keras.applications.EfficientNetV2B0(
        include_top=False, weights=None, input_shape=(32, 32, 3), include_preprocessing=True
    )
    last = [layer for layer in whole.layers if isinstance(layer, keras.layers.Normalization)][-1]
    inner = keras.Model(whole.inputs, last.output)
    colour = np.repeat(np.resize(grey, (1, 32, 32, 1)), 3, axis=-1)
    factor, addend = transfer.BACKBONES["efficientnetv2b0"].scale
    ours = colour / 255 * np.array(factor) + np.array(addend)
    np.testing.assert_allclose(ours, inner.predict(colour, verbose=0), atol=1e-3)


OPTIONS = {"side": 32, "alpha": 0.25}


def _mobilenet(classes, weights="none"):
    return nets.build("mobilenet", 48, classes, {**OPTIONS, "weights": str(weights)})


def _same_backbones(one, other):
    return all(
        np.array_equal(mine, theirs)
        for mine, theirs in zip(
            transfer.backbone_of(one).get_weights(),
            transfer.backbone_of(other).get_weights(),
            strict=True,
        )
    )


def test_weights_to_start_from(tmp_path):
    first = _mobilenet(8)
    transfer.backbone_of(first).save_weights(tmp_path / "backbone.weights.h5")
    transfer.backbone_of(first).save(tmp_path / "backbone.keras")
    first.save_weights(tmp_path / "whole.weights.h5")
    first.save(tmp_path / "whole.keras")
    assert not _same_backbones(first, _mobilenet(8))
    for name in ("backbone.weights.h5", "backbone.keras", "whole.weights.h5", "whole.keras"):
        second = _mobilenet(8, tmp_path / name)
        assert _same_backbones(first, second), name
        heads = [np.array(net.get_layer("logits").kernel) for net in (first, second)]
        assert np.array_equal(*heads) == name.startswith("whole"), name
    # Other classes: the same backbone under a head of its own.
    assert _same_backbones(first, _mobilenet(7, tmp_path / "whole.keras"))

    nets.build("lenet5", 48, 8, {}).save(tmp_path / "lenet5.keras")
    nets.build("lenet5", 48, 7, {"weights": str(tmp_path / "lenet5.keras")})
    for weights, cause in (
        ("missing.keras", "no such file"),
        ("lenet5.keras", "layer conv1 has the shapes"),
    ):
        with pytest.raises(TrainingError, match=f"unable to load weights .*{weights}.*{cause}"):
            _mobilenet(8, tmp_path / weights)
    with pytest.raises(TrainingError, match="no imagenet weights"):
        nets.build("lenet5", 48, 8, {"weights": "imagenet"})


def test_stages_train_what_they_say():
    model = _mobilenet(8)
    names = [layer.name for layer in transfer.leaves(model)]

    def learning():
        return {layer.name for layer in transfer.leaves(model) if layer.trainable_weights}

    transfer.set_trainable(model, "head", False)
    assert learning() == {"logits"}
    transfer.set_trainable(model, "conv_pw_13", True)
    assert learning() == {"conv_pw_13", "logits"}
    transfer.set_trainable(model, "all", False)
    assert len(learning()) > 50
    assert transfer.GREY in names and transfer.GREY not in learning()
    with pytest.raises(TrainingError, match="no such layer, but .*conv_pw_13"):
        transfer.set_trainable(model, "conv_99", False)
