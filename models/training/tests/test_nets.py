"""Each net by name learns, is exported and runs; weights are kept and found again."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from face_training.errors import TrainingError
from face_training.export.quantise import CORAL_OPERATORS, check, convert, operators
from face_training.nets import builders, transfer
from face_training.nets.models import KerasModel
from face_training.nets.tflite import TfliteModel
from face_training.recipe import Input

# Nothing but speed: the smallest that each builder takes.
SMALLEST = {name: {"side": 32, "weights": "none"} for name in transfer.BACKBONES}
SMALLEST["mobilenet"]["alpha"] = 0.25


def _heads(classes):
    return lambda features: {"logits": layers.Dense(classes, name="logits")(features)}


def _build(name, classes=8, options=None, shape=(48, 48, 1)):
    return builders.build(name, shape, _heads(classes), options or {})


def _faces(count=16):
    """Bright faces are of class 1, dark ones of class 0."""
    bright = np.arange(count) % 2
    pixels = np.random.default_rng(1).integers(0, 100, (count, 48, 48, 1))
    return (pixels + 150 * bright[:, None, None, None]).astype(np.uint8), bright


@pytest.mark.parametrize("name", builders.known())
def test_each_net_learns(name):
    model = _build(name, options=SMALLEST.get(name))
    transfer.set_trainable(model, "all", False)
    pixels, classes = _faces()
    before = [np.array(weight) for weight in model.trainable_weights]
    with tf.GradientTape() as tape:
        logits = model(pixels.astype(np.float32) / 255, training=True)["logits"]
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=logits)
        )
    gradients = tape.gradient(loss, model.trainable_variables)
    keras.optimizers.Adam(1e-3).apply(gradients, model.trainable_variables)
    # A bias or factor may stay where its gradient is 0; kernels may not.
    for old, weight in zip(before, model.trainable_weights, strict=True):
        assert not weight.path.endswith("kernel") or not np.array_equal(old, weight), weight.path


@pytest.mark.slow
@pytest.mark.parametrize("name", builders.known())
def test_each_net_is_exported_and_runs(tmp_path, name):
    _check_export(tmp_path, _build(name, options=SMALLEST.get(name)))


def test_a_small_net_is_exported_and_runs(tmp_path):
    _check_export(tmp_path, _build("residual", options={"widths": [8], "blocks": [1], "stem": 4}))


def _check_export(tmp_path, model):
    pixels, _ = _faces()
    content = convert(model, pixels[:4], Input())
    assert set(operators(content)) <= CORAL_OPERATORS
    file = tmp_path / "smoke.tflite"
    file.write_bytes(content)
    small, exact = (
        net.outputs(pixels[:4])["logits"] for net in (TfliteModel(file), KerasModel(model))
    )
    assert small.shape == (4, 8)
    assert np.isfinite(small).all()
    assert np.abs(small - exact).max() < 0.25 * max(1.0, np.abs(exact).max())


def test_several_outputs_come_in_the_order_of_their_names(tmp_path):
    def heads(features):
        return {
            "scores": layers.Dense(3, name="scores")(features),
            "boxes": layers.Dense(4, name="boxes")(features),
        }

    given = Input(width=40, height=32, channels=3, mean=127.5, std=127.5)
    options = {"widths": [8], "blocks": [1], "stem": 4}
    model = builders.build("residual", given.shape, heads, options)
    pixels = np.random.default_rng(1).integers(0, 256, (6, 32, 40, 3), np.uint8)
    file = tmp_path / "two.tflite"
    file.write_bytes(convert(model, pixels, given))
    small = check(file, given)
    assert [tensor["shape_signature"].tolist() for tensor in (small.input, *small.output)] == [
        [1, 32, 40, 3], [1, 4], [1, 3],
    ]  # fmt: skip
    assert small.names == ("boxes", "scores")
    exact = KerasModel(model, given=given).outputs(pixels)
    for name, values in small.outputs(pixels).items():
        assert values.shape == exact[name].shape
        assert np.abs(values - exact[name]).max() < 0.1 * max(1.0, np.abs(exact[name]).max()), name


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


OPTIONS = {"side": 32, "alpha": 0.25}


def _mobilenet(classes, weights="none"):
    return _build("mobilenet", classes, {**OPTIONS, "weights": str(weights)})


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

    _build("lenet5").save(tmp_path / "lenet5.keras")
    _build("lenet5", 7, {"weights": str(tmp_path / "lenet5.keras")})
    for weights, cause in (
        ("missing.keras", "no such file"),
        ("lenet5.keras", "layer conv1 has the shapes"),
    ):
        with pytest.raises(TrainingError, match=f"unable to load weights .*{weights}.*{cause}"):
            _mobilenet(8, tmp_path / weights)
    with pytest.raises(TrainingError, match="no imagenet weights"):
        _build("lenet5", 8, {"weights": "imagenet"})


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


def test_multiply_adds():
    # 5x5 kernels on 44x44x6 and 18x18x16, then 9*9*16 to 120 to 84 to 8.
    by_hand = 44 * 44 * 25 * 6 + 18 * 18 * 25 * 6 * 16 + 1296 * 120 + 120 * 84 + 84 * 8
    assert builders.multiply_adds(_build("lenet5")) == by_hand


def test_unknown_net():
    with pytest.raises(TrainingError, match="unable to build net x: known are .*lenet5"):
        _build("x")
    with pytest.raises(TrainingError, match="unexpected keyword argument 'depth'"):
        _build("lenet5", options={"depth": 3})
