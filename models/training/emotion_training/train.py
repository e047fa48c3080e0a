"""Train a net as a recipe says; a killed run goes on where its last epoch ended."""

import math
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from . import dataset, metrics, nets, recipe, runs
from .augment import augment
from .errors import TrainingError
from .evaluate import keras_logits
from .fer2013 import SIDE
from .labels import EMOTIONS, balance_weights


def learning_rate(step, steps, warmup, peak):
    """Return the rate at `step` of `steps`: linear over `warmup` steps, then cosine to 0."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


class Trainer:
    """A net, its optimiser, and a float32 net that holds the running average of its weights."""

    def __init__(self, plan, split):
        self.plan = plan
        how = plan.train
        keras.utils.set_random_seed(how.seed)
        options = {key: value for key, value in plan.net.items() if key != "name"}
        keras.config.set_dtype_policy(how.precision)
        try:
            self.model = nets.build(plan.net["name"], SIDE, len(EMOTIONS), options)
        finally:
            keras.config.set_dtype_policy("float32")
        self.average = nets.build(plan.net["name"], SIDE, len(EMOTIONS), options)
        self.average.set_weights(self.model.get_weights())
        self.optimiser = keras.optimizers.AdamW(
            how.learning_rate, weight_decay=how.weight_decay, clipnorm=None, global_clipnorm=5.0
        )
        # Decay shrinks kernels only; biases and normalisation have no reason to be small.
        self.optimiser.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self.optimiser.build(self.model.trainable_variables)
        pixels, targets = split.soft()
        if len(pixels) < how.batch:
            raise TrainingError(
                f"unable to train: {len(pixels)} usable faces are less than a batch of {how.batch}"
            )
        self.pixels = tf.constant(pixels[..., None])
        # The loss is linear in the targets, so a face's weight goes into them.
        weights = balance_weights(targets, how.balance)
        self.targets = tf.constant(targets * weights[:, None])
        self.epoch_steps = len(pixels) // how.batch
        self.step = tf.function(self._step)

    def groups(self):
        """Return the variables that make up the state of the run."""
        return {
            "model": self.model.variables,
            "average": self.average.variables,
            "optimiser": self.optimiser.variables,
        }

    def batches(self, epoch):
        """Return the augmented batches of an epoch; the same for the same epoch and seed."""
        how = self.plan.train
        order = np.random.default_rng([how.seed, epoch]).permutation(len(self.pixels))
        order = order[: self.epoch_steps * how.batch].reshape(-1, how.batch)

        def load(number, rows):
            pictures = tf.cast(tf.gather(self.pixels, rows), tf.float32) / 255.0
            seed = tf.stack([how.seed * 1000 + epoch, tf.cast(number, tf.int32)])
            return augment(pictures, seed, self.plan.augment), tf.gather(self.targets, rows)

        numbered = tf.data.Dataset.from_tensor_slices(order).enumerate()
        return numbered.map(load, num_parallel_calls=2, deterministic=True).prefetch(2)

    def _step(self, pictures, targets, decay):
        with tf.GradientTape() as tape:
            logits = self.model(pictures, training=True)
            # Not the fused operator: its gradient is wrong for targets that do not sum to 1.
            losses = -tf.reduce_sum(targets * tf.nn.log_softmax(logits), axis=1)
            loss = tf.reduce_mean(losses)
        variables = self.model.trainable_variables
        self.optimiser.apply(tape.gradient(loss, variables), variables)
        for mean, value in zip(self.average.weights, self.model.weights, strict=True):
            mean.assign(mean * decay + tf.cast(value, mean.dtype) * (1 - decay))
        return loss

    def run_epoch(self, epoch):
        """Train one epoch (counted from 0); returns the mean loss and the last rate."""
        how = self.plan.train
        losses = []
        for number, (pictures, targets) in enumerate(self.batches(epoch)):
            done = epoch * self.epoch_steps + number
            rate = learning_rate(
                done,
                how.epochs * self.epoch_steps,
                how.warmup_epochs * self.epoch_steps,
                how.learning_rate,
            )
            self.optimiser.learning_rate.assign(rate)
            # A young average follows closely, or the first weights would weigh on it for epochs.
            decay = min(how.ema_decay, (1 + done) / (10 + done))
            losses.append(self.step(pictures, targets, tf.constant(decay, tf.float32)))
        loss = float(np.mean([value.numpy() for value in losses]))
        if not math.isfinite(loss):
            raise TrainingError(f"unable to train on: the loss of epoch {epoch + 1} is {loss}")
        return loss, rate


def train(recipe_path, data, run, say=print):
    """Train until the recipe's last epoch; returns the path of the averaged model."""
    plan = recipe.load(recipe_path)
    folder = runs.open_run(run, recipe_path)
    trainer = Trainer(plan, dataset.split(data, plan.train.train_split))
    watched, truth = dataset.split(data, plan.train.watch_split).judged()
    start = runs.load_state(folder, trainer.groups())
    say(
        f"{plan.name}: {trainer.model.count_params():,} parameters,"
        f" {nets.multiply_adds(trainer.model) / 1e6:.1f} M multiply-adds,"
        f" {trainer.epoch_steps} steps an epoch, epochs {start + 1} to {plan.train.epochs}"
    )
    for epoch in range(start, plan.train.epochs):
        began = time.monotonic()
        loss, rate = trainer.run_epoch(epoch)
        row = {"epoch": epoch + 1, "learning_rate": rate, "loss": loss}
        if (epoch + 1) % plan.train.watch_every == 0 or epoch + 1 == plan.train.epochs:
            found = metrics.figures(keras_logits(trainer.average, watched), truth, EMOTIONS)
            row.update(
                accuracy=found["accuracy"], macro_f1=found["macro_f1"], watch_loss=found["nll"]
            )
        row["seconds"] = time.monotonic() - began
        runs.append_log(folder, row)
        _save_model(trainer.average, folder)
        runs.save_state(folder, epoch + 1, trainer.groups())
        say(", ".join(f"{key} {value:.5g}" for key, value in row.items()))
    return Path(folder) / runs.MODEL


def _save_model(model, folder):
    # Keras demands the .keras ending, so the part has to end in it as well.
    runs.write_whole(Path(folder) / runs.MODEL, lambda part: model.save(part))
