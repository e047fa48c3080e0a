"""Train a net as a recipe says; a killed run goes on where its last epoch ended."""

import math
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from .. import recipe
from ..data.augment import augment, mixup
from ..errors import TrainingError
from ..files import write_whole
from ..nets import builders as nets
from ..nets import transfer
from ..nets.fused import fuse
from ..nets.models import keras_logits
from ..tasks.emotion import dataset, metrics
from ..tasks.emotion.labels import balance_weights
from ..tasks.emotion.rows import SIDE
from . import runs


def learning_rate(step, steps, warmup, peak):
    """Return the rate at `step` of `steps`: linear over `warmup` steps, then cosine to 0."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def all_gpus():
    """Return the strategy that trains on every GPU; with one or none, TensorFlow's default."""
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


class Trainer:
    """A net, its optimiser, and a float32 net that holds the running average of its weights.

    `pixels` uint8 (n, h, w) and `targets` float32 (n, classes) are what is learnt; `taught`
    has the same shape as `targets` and is what teachers say at the recipe's temperature.
    """

    def __init__(self, plan, pixels, targets, taught=None, strategy=None):
        self.plan = plan
        self.strategy = strategy or all_gpus()
        how = plan.train
        if len(pixels) < how.batch:
            raise TrainingError(
                f"unable to train: {len(pixels)} usable faces are less than a batch of {how.batch}"
            )
        if how.batch % self.strategy.num_replicas_in_sync:
            raise TrainingError(
                f"unable to train: a batch of {how.batch} cannot be shared evenly by"
                f" {self.strategy.num_replicas_in_sync} devices"
            )
        keras.utils.set_random_seed(how.seed)
        with self.strategy.scope():
            self.model = fuse(self._build(how.precision))
            self.average = self._build("float32")
            self.average.set_weights(self.model.get_weights())
        self.pixels = tf.constant(pixels[..., None])
        # The loss is linear in the targets, so a face's weight goes into them.
        weights = balance_weights(targets, how.balance)[:, None]
        goals = [targets] if taught is None else [targets, taught]
        self.goals = [tf.constant(goal * weights, tf.float32) for goal in goals]
        self.epoch_steps = len(pixels) // how.batch
        self.stage = None

    def _build(self, precision):
        options = {key: value for key, value in self.plan.net.items() if key != "name"}
        keras.config.set_dtype_policy(precision)
        try:
            return nets.build(self.plan.net["name"], SIDE, len(self.plan.labels), options)
        finally:
            keras.config.set_dtype_policy("float32")

    def stage_of(self, epoch):
        """Return (number of the stage that holds an epoch, the stage's first epoch)."""
        first = 0
        for number, stage in enumerate(self.plan.stages):
            if epoch < first + stage.epochs:
                return number, first
            first += stage.epochs
        raise ValueError(f"epoch {epoch} is beyond the last stage")

    def begin(self, number):
        """Start a stage: choose what learns, with a fresh optimiser."""
        self.stage = number
        stage = self.plan.stages[number]
        transfer.set_trainable(self.model, stage.trains, stage.freeze_norm)
        with self.strategy.scope():
            self.optimiser = _optimiser(self.plan.train, stage)
            self.optimiser.build(self.model.trainable_variables)
        # Traced anew: what learns is fixed when a step is traced.
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
            goals = [tf.gather(goal, rows) for goal in self.goals]
            seed = tf.stack([how.seed * 1000 + epoch, tf.cast(number, tf.int32)])
            pictures = augment(pictures, seed, self.plan.augment)
            return mixup(pictures, goals, seed, self.plan.augment)

        numbered = tf.data.Dataset.from_tensor_slices(order).enumerate()
        loaded = numbered.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return self.strategy.experimental_distribute_dataset(loaded.prefetch(2))

    def _losses(self, logits, goals):
        """Return the loss of each face: cross entropy with the data, and with the teachers."""
        # Not the fused operator: its gradient is wrong for targets that do not sum to 1.
        losses = -tf.reduce_sum(goals[0] * tf.nn.log_softmax(logits), axis=1)
        if len(goals) == 1:
            return losses
        how = self.plan.distill
        taught = -tf.reduce_sum(goals[1] * tf.nn.log_softmax(logits / how.temperature), axis=1)
        # Times the temperature squared, so that the share means the same at each temperature.
        return (1 - how.share) * losses + how.share * how.temperature**2 * taught

    def _replica_step(self, pictures, goals):
        with tf.GradientTape() as tape:
            logits = self.model(pictures, training=True)
            loss = tf.reduce_sum(self._losses(logits, goals)) / self.plan.train.batch
        variables = self.model.trainable_variables
        self.optimiser.apply(tape.gradient(loss, variables), variables)
        right = tf.argmax(logits, axis=1) == tf.argmax(goals[0], axis=1)
        return loss, tf.reduce_sum(tf.cast(right, tf.float32)) / self.plan.train.batch

    def _step(self, pictures, goals, decay):
        parts = self.strategy.run(self._replica_step, args=(pictures, goals))
        for mean, value in zip(self.average.weights, self.model.weights, strict=True):
            if mean.dtype == "float32":
                mean.assign(mean * decay + tf.cast(value, mean.dtype) * (1 - decay))
        return [self.strategy.reduce(tf.distribute.ReduceOp.SUM, part, None) for part in parts]

    def run_epoch(self, epoch):
        """Train one epoch (counted from 0); returns its row of the log."""
        number, first = self.stage_of(epoch)
        if number != self.stage:
            self.begin(number)
        stage, steps = self.plan.stages[number], self.epoch_steps
        text = f"epoch {epoch + 1}/{self.plan.epochs}"
        found = []
        bar = tqdm(self.batches(epoch), text, steps, leave=False, disable=None)
        for batch, (pictures, goals) in enumerate(bar):
            rate = learning_rate(
                (epoch - first) * steps + batch, stage.epochs * steps,
                stage.warmup_epochs * steps, stage.learning_rate,
            )  # fmt: skip
            self.optimiser.learning_rate.assign(rate)
            # A young average follows closely, or the first weights would weigh on it for epochs.
            done = epoch * steps + batch
            decay = min(self.plan.train.ema_decay, (1 + done) / (10 + done))
            found.append(self.step(pictures, goals, tf.constant(decay, tf.float32)))
            if batch % 50 == 49:
                bar.set_postfix(loss=f"{found[-1][0].numpy():.4f}")
        loss, accuracy = np.mean([[part.numpy() for part in parts] for parts in found], axis=0)
        if not math.isfinite(loss):
            raise TrainingError(f"unable to train on: the loss of epoch {epoch + 1} is {loss}")
        return {
            "epoch": epoch + 1,
            "stage": number + 1,
            "learning_rate": rate,
            "loss": float(loss),
            "train_accuracy": float(accuracy),
        }


def _optimiser(how, stage):
    # Both decay weights apart from the gradient (Loshchilov and Hutter 2017, arXiv:1711.05101).
    common = {"weight_decay": how.weight_decay, "global_clipnorm": 5.0}
    if how.optimiser == "sgd":
        made = keras.optimizers.SGD(
            stage.learning_rate, momentum=how.momentum, nesterov=how.nesterov, **common
        )
    else:
        made = keras.optimizers.AdamW(stage.learning_rate, **common)
    # Decay shrinks kernels only; biases and normalisation have no reason to be small.
    made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return made


def train(recipe_path, data, run, say=print):
    """Train until the recipe's last epoch; returns the path of the averaged model."""
    plan = recipe.load(recipe_path)
    if plan.distill is not None:
        raise TrainingError(f"unable to train {recipe_path}: it has [distill], so use `distill`")
    pixels, targets = dataset.split(data, plan.train.train_split).soft(plan.targets)
    folder = runs.open_run(run, recipe_path)
    return run_all(Trainer(plan, pixels, targets), data, folder, say)


def run_all(trainer, data, folder, say):
    """Run the epochs that the run folder does not have yet; returns the averaged model's path."""
    plan = trainer.plan
    watched, truth = dataset.split(data, plan.train.watch_split).judged(plan.targets)
    start = runs.kept_epoch(folder)
    trainer.begin(trainer.stage_of(max(0, start - 1))[0])
    if start:
        runs.load_state(folder, trainer.groups())
    say(
        f"{plan.name}: {trainer.model.count_params():,} parameters,"
        f" {nets.multiply_adds(trainer.model) / 1e6:.1f} M multiply-adds,"
        f" {trainer.epoch_steps} steps an epoch, epochs {start + 1} to {plan.epochs}"
    )
    board = runs.TensorBoard(folder)
    for epoch in range(start, plan.epochs):
        began = time.monotonic()
        row = trainer.run_epoch(epoch)
        if (epoch + 1) % plan.train.watch_every == 0 or epoch + 1 == plan.epochs:
            found = metrics.figures(keras_logits(trainer.average, watched), truth, plan.labels)
            row.update(
                accuracy=found["accuracy"], macro_f1=found["macro_f1"], watch_loss=found["nll"]
            )
        row["seconds"] = time.monotonic() - began
        runs.append_log(folder, row)
        board.add(row)
        _save_model(trainer.average, folder)
        runs.save_state(folder, epoch + 1, trainer.groups())
        say(", ".join(f"{key} {value:.5g}" for key, value in row.items()))
    return Path(folder) / runs.MODEL


def _save_model(model, folder):
    # Keras demands the .keras ending, so the part has to end in it as well.
    write_whole(Path(folder) / runs.MODEL, lambda part: model.save(part))
