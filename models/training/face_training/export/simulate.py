"""Fine-tune a net with simulated int8 (Jacob et al. 2018, arXiv:1712.05877).

`fold` makes a net without batch normalisation, as the converter does; `Simulation` runs it with
the weights rounded per channel and the activations rounded within fixed ranges, while gradients
pass as if nothing were rounded. What it learns are the float net's own answers, so no labels are
needed. tensorflow-model-optimization, which would do this, does not work with Keras 3.
"""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ..errors import TrainingError
from ..nets.models import MEAN, STD

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
# Their int8 output has the values of their input, so there is nothing to round.
PASSING = (
    layers.Dropout, layers.Flatten, layers.Identity, layers.InputLayer, layers.MaxPooling2D,
    layers.Reshape, layers.UpSampling2D, layers.ZeroPadding2D,
)  # fmt: skip
BATCH = 64
OBSERVED_FACES = 256


def _consumers(model):
    """Return {id of a layer: the layers of `model` that take its output}."""
    found = {}
    for nodes in model._nodes_by_depth.values():
        for node in nodes:
            for tensor in node.input_tensors:
                found.setdefault(id(tensor._keras_history.operation), []).append(node.operation)
    return found


def _every_graph(model):
    yield model
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _every_graph(layer)


def _foldable(model):
    """Return {id of a normalisation: its convolution}, and the same the other way round."""
    pairs = {}
    for graph in _every_graph(model):
        consumers = _consumers(graph)
        for layer in graph.layers:
            following = consumers.get(id(layer), [])
            if (
                type(layer) in CONVOLUTIONS
                and layer.activation is keras.activations.linear
                and len(following) == 1
                and isinstance(following[0], layers.BatchNormalization)
            ):
                pairs[id(following[0])] = layer
    return pairs, {id(convolution) for convolution in pairs.values()}


def fold(model):
    """Return a copy of a functional net whose batch normalisations are in its convolutions."""
    if not all(hasattr(graph, "_nodes_by_depth") for graph in _every_graph(model)):
        raise TrainingError(f"unable to fine-tune {model.name}: it is not a functional Keras model")
    pairs, folded = _foldable(model)
    copies = {}

    def copy(layer):
        config = layer.get_config()
        if id(layer) in folded:
            config["use_bias"] = True
        made = type(layer).from_config(config)
        copies[id(made)] = layer
        return made

    def call(made, *args, **kwargs):
        return args[0] if id(copies.get(id(made))) in pairs else made(*args, **kwargs)

    result = keras.models.clone_model(
        model, clone_function=copy, call_function=call, recursive=True
    )
    normalisations = {id(pairs[number]): number for number in pairs}
    by_id = {id(layer): layer for graph in _every_graph(model) for layer in graph.layers}
    for graph in _every_graph(result):
        for made in graph.layers:
            source = copies.get(id(made))
            if source is None:
                continue
            if id(source) in normalisations:
                made.set_weights(_folded(source, by_id[normalisations[id(source)]]))
            else:
                made.set_weights(source.get_weights())
    return result


def _folded(convolution, norm):
    """Return kernel and bias of a convolution with its batch normalisation taken in."""
    kernel = np.asarray(convolution.kernel)
    bias = np.asarray(convolution.bias) if convolution.use_bias else 0.0
    mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
    gain = np.asarray(norm.gamma) if norm.scale else np.ones_like(mean)
    lift = np.asarray(norm.beta) if norm.center else np.zeros_like(mean)
    gain = gain / np.sqrt(variance + norm.epsilon)
    by_channel = gain.reshape(kernel.shape[2:]) if _is_depthwise(convolution) else gain
    return [kernel * by_channel, lift + (bias - mean) * gain]


def _is_depthwise(layer):
    return isinstance(layer, layers.DepthwiseConv2D)


def _some(values, most=100_000):
    """Return at most so many of the values, the least and the greatest among them."""
    flat = values.ravel()
    return np.append(flat[:: len(flat) // most + 1], [flat.min(), flat.max()])


class Round(layers.Layer):
    """Round activations to 8 bits within a range; until it has one, note the values seen."""

    def __init__(self, clips=True, **options):
        super().__init__(**options)
        self.clips, self.seen, self.range = clips, [], None

    def settle(self, percentile):
        """Set the range from what was seen."""
        values = np.concatenate(self.seen)
        if not self.clips:
            percentile = 100.0
        low, high = np.percentile(values, [100 - percentile, percentile])
        # Zero has to be exact (padding), and a range must not be empty.
        self.range = min(0.0, float(low)), max(1e-6, float(high))
        self.seen = []

    def call(self, values):
        """Return the rounded values."""
        if self.range is None:
            if not isinstance(values, keras.KerasTensor) and tf.executing_eagerly():
                self.seen.append(_some(np.asarray(values)))
            return values
        return tf.quantization.fake_quant_with_min_max_vars(values, *self.range)


class Simulation:
    """A folded net that computes as its int8 file would; both share their weights."""

    def __init__(self, folded, pixels, percentile):
        self.folded = folded
        skipped = set()
        for graph in _every_graph(folded):
            consumers = _consumers(graph)
            skipped |= {id(layer) for layer in graph.layers if _unrounded(layer, consumers)}
        self.rounds = []

        def call(layer, *args, **kwargs):
            values = layer(*args, **kwargs)
            if id(layer) in skipped or isinstance(layer, keras.Model):
                return values
            is_answer = id(layer) == id(folded.outputs[0]._keras_history.operation)
            self.rounds.append(Round(clips=not is_answer))
            return self.rounds[-1](values)

        self.model = keras.models.clone_model(
            folded, clone_function=lambda layer: layer, call_function=call, recursive=True
        )
        for start in range(0, len(pixels), BATCH):
            self.model(real(pixels[start : start + BATCH]), training=False)
        for one in self.rounds:
            one.settle(percentile)
        self.depthwise = {
            id(layer.kernel)
            for graph in _every_graph(folded)
            for layer in graph.layers
            if _is_depthwise(layer)
        }

    def logits(self, pictures):
        """Return the logits of float32 pictures (n, h, w, 1)."""
        rounded = [self._weight(variable) for variable in self.model.trainable_variables]
        fixed = self.model.non_trainable_variables
        return self.model.stateless_call(rounded, fixed, pictures, training=False)[0]

    def _weight(self, variable):
        """Round a kernel per output channel as the converter does; leave everything else."""
        if not variable.name.endswith("kernel"):
            return variable.value
        depthwise = id(variable) in self.depthwise or variable.name.startswith("depthwise")
        axes = tuple(range(len(variable.shape) - (2 if depthwise else 1)))
        step = tf.maximum(tf.reduce_max(tf.abs(variable.value), axes, keepdims=True), 1e-9) / 127
        exact = variable.value
        return exact + tf.stop_gradient(tf.round(exact / step) * step - exact)


def _unrounded(layer, consumers):
    """Tell whether a layer's output is never a tensor of the int8 file of its own."""
    following = consumers.get(id(layer), [])
    fused = (layers.ReLU, layers.BatchNormalization)
    linear = isinstance(layer, (*CONVOLUTIONS, layers.Dense, layers.Add))
    return isinstance(layer, PASSING) or (
        linear and bool(following) and all(_is_relu(one) or isinstance(one, fused) for one in following)
    )  # fmt: skip


def _is_relu(layer):
    return getattr(layer, "activation", None) in (keras.activations.relu, keras.activations.relu6)


def real(pixels):
    """Return uint8 pixels (n, h, w) as the net's float32 pictures (n, h, w, 1)."""
    return tf.constant((pixels[..., None].astype(np.float32) - MEAN) / STD)


def fine_tune(model, pixels, steps, rate, percentile, seed, say=print):
    """Return a folded net, fine-tuned so that its int8 file answers as `model` does.

    Adam with a cosine schedule from `rate` to 0 over `steps` batches of `BATCH` faces drawn
    from `pixels` uint8 (n, h, w), half of them mirrored; the loss is the Kullback-Leibler
    divergence from the float net's answers.
    """
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    folded = fold(model)
    simulation = Simulation(
        folded, pixels[random.permutation(len(pixels))[:OBSERVED_FACES]], percentile
    )
    optimiser = keras.optimizers.Adam(rate)
    variables = simulation.model.trainable_variables
    optimiser.build(variables)

    @tf.function
    def step(pictures):
        aim = tf.nn.log_softmax(model(pictures, training=False))
        with tf.GradientTape() as tape:
            found = tf.nn.log_softmax(simulation.logits(pictures))
            loss = tf.reduce_mean(tf.reduce_sum(tf.exp(aim) * (aim - found), axis=1))
        optimiser.apply(tape.gradient(loss, [one.value for one in variables]), variables)
        return loss

    losses = []
    for number in range(steps):
        faces = pixels[random.integers(0, len(pixels), BATCH)]
        faces[: BATCH // 2] = faces[: BATCH // 2, :, ::-1]
        optimiser.learning_rate.assign(rate * 0.5 * (1 + math.cos(math.pi * number / steps)))
        losses.append(float(step(real(faces))))
        if (number + 1) % 50 == 0 or number + 1 == steps:
            say(f"fine-tuning: step {number + 1} of {steps}, loss {np.mean(losses[-50:]):.5f}")
    return folded
