"""The fused batch normalisation against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from face_training.nets import builders
from face_training.nets.fused import FusedBatchNormalization, fuse
from face_training.nets.transfer import leaves


def _build(name, options):
    def heads(features):
        return {"logits": layers.Dense(8)(features)}

    return builders.build(name, (48, 48, 1), heads, options)


def _step(model, pictures):
    """Return outputs, gradients and what the layers keep, of one training step's forward pass."""
    with tf.GradientTape() as tape:
        logits = model(pictures, training=True)["logits"]
        loss = tf.reduce_mean(tf.square(logits - 1.0))
    gradients = tape.gradient(loss, model.trainable_variables)
    return [logits.numpy(), *(g.numpy() for g in gradients), *(w.numpy() for w in model.variables)]


def test_fused_is_the_same_layer():
    pictures = tf.random.stateless_uniform((32, 48, 48, 1), (1, 2))
    plain = _build("residual", {"widths": [8, 16], "blocks": [1, 1], "dropout": 0.0})
    fused = fuse(plain)
    kinds = [type(layer) for layer in leaves(fused)]
    assert FusedBatchNormalization in kinds
    assert keras.layers.BatchNormalization not in kinds
    for one, other in zip(_step(plain, pictures), _step(fused, pictures), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)
    # The step above has moved the statistics, so what is said at rest depends on them.
    np.testing.assert_allclose(
        plain(pictures)["logits"], fused(pictures)["logits"], rtol=2e-3, atol=2e-4
    )


@pytest.mark.parametrize("name", ["resnet", "inception"])
def test_every_net_can_be_fused(name):
    model = _build(name, {})
    fused = fuse(model)
    pictures = tf.random.stateless_uniform((2, 48, 48, 1), (1, 2))
    np.testing.assert_allclose(model(pictures)["logits"], fused(pictures)["logits"], atol=1e-5)
    assert [w.shape for w in model.weights] == [w.shape for w in fused.weights]


def test_a_frozen_layer_keeps_its_statistics():
    fused = fuse(_build("residual", {"widths": [8], "blocks": [1]}))
    norms = [layer for layer in leaves(fused) if isinstance(layer, FusedBatchNormalization)]
    before = [layer.moving_mean.numpy() for layer in norms]
    for layer in norms:
        layer.trainable = False
    fused(tf.random.stateless_uniform((8, 48, 48, 1), (1, 2)), training=True)
    for layer, mean in zip(norms, before, strict=True):
        np.testing.assert_array_equal(layer.moving_mean.numpy(), mean)
