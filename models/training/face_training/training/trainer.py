"""Train a net as a recipe says; a killed run goes on where its last epoch ended."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from .. import recipe
from ..errors import TrainingError
from ..files import write_whole
from ..nets import builders, transfer
from ..nets.fused import fuse
from ..nets.models import KerasModel
from ..recipe import Recipe, Stage, Train
from ..tasks.task import Batch, Samples, Tensors
from . import precision, references, runs
from .teachers import Teachers


class Trainer:
    """A net, its optimiser, and a float32 net that holds the running average of its weights."""

    def __init__(
        self,
        plan: Recipe,
        samples: Samples,
        teachers: Teachers | None = None,
        weights: Path | None = None,
    ) -> None:
        self.plan, self.task, self.samples, self.teachers = plan, plan.task, samples, teachers
        self.epoch_steps = self.task.steps(samples, plan)
        if not self.epoch_steps:
            raise TrainingError(
                f"unable to train: {len(samples)} usable pictures are less than a batch of"
                f" {plan.train.batch}"
            )
        keras.utils.set_random_seed(plan.train.seed)
        self.precision = precision.choose(plan.train.precision)
        self.model = fuse(self._build(self.precision, weights))
        self.average = self._build("float32", weights)
        self.average.set_weights(self.model.get_weights())
        self.stage: int | None = None
        self.stream: Iterator[Batch] | None = None

    def _build(self, kind: str, weights: Path | None) -> keras.Model:
        keras.config.set_dtype_policy(kind)
        try:
            return self.task.build(self.plan, weights)
        finally:
            keras.config.set_dtype_policy("float32")

    def stage_of(self, epoch: int) -> tuple[int, int]:
        """Return (number of the stage that holds an epoch, the stage's first epoch)."""
        first = 0
        for number, stage in enumerate(self.plan.stages):
            if epoch < first + stage.epochs:
                return number, first
            first += stage.epochs
        raise ValueError(f"epoch {epoch} is beyond the last stage")

    def begin(self, number: int) -> None:
        """Start a stage: choose what learns, with a fresh optimiser."""
        self.stage = number
        stage = self.plan.stages[number]
        transfer.set_trainable(self.model, stage.trains, stage.freeze_norm)
        self.optimiser = _optimiser(self.plan.train, stage, self.epoch_steps)
        self.optimiser.build(self.model.trainable_variables)
        # Traced anew: what learns is fixed when a step is traced.
        self.step = tf.function(self._step)

    def groups(self) -> dict[str, Any]:
        """Return the variables that make up the state of the run."""
        return {
            "model": self.model.variables,
            "average": self.average.variables,
            "optimiser": self.optimiser.variables,
        }

    def _step(
        self, pictures: tf.Tensor, goals: Tensors, said: list[Tensors], decay: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        values = (pictures * 255.0 - self.plan.input.mean) / self.plan.input.std
        with tf.GradientTape() as tape:
            outputs = self.model(values, training=True)
            losses = dict(self.task.losses(outputs, goals, self.plan))
            if said:
                losses["loss"] += self.task.taught(outputs, said, goals, self.plan)
            loss = tf.reduce_mean(losses["loss"])
        variables = self.model.trainable_variables
        self.optimiser.apply(tape.gradient(loss, variables), variables)
        # Keras' use_ema would leave out the statistics of batch normalisation, and begin anew with
        # each stage's optimiser.
        for mean, value in zip(self.average.weights, self.model.weights, strict=True):
            if mean.dtype == "float32":
                mean.assign(mean * decay + tf.cast(value, mean.dtype) * (1 - decay))
        return {name: tf.reduce_mean(values) for name, values in losses.items()}

    def run_epoch(self, epoch: int) -> dict[str, float]:
        """Train the next epoch, which is `epoch` (counted from 0); returns its row of the log."""
        number, _ = self.stage_of(epoch)
        if number != self.stage:
            self.begin(number)
        if self.stream is None:
            self.stream = iter(self.task.batches(self.samples, self.plan, epoch))
        found = []
        text = f"epoch {epoch + 1}/{self.plan.epochs}"
        bar = tqdm(range(self.epoch_steps), text, leave=False, disable=None)
        for batch in bar:
            pictures, goals = next(self.stream)
            said = self.teachers.see(pictures.numpy()) if self.teachers else []
            # A young average follows closely, or the first weights would weigh on it for epochs.
            done = epoch * self.epoch_steps + batch
            decay = min(self.plan.train.ema_decay, (1 + done) / (10 + done))
            found.append(self.step(pictures, goals, said, tf.constant(decay, tf.float32)))
            if batch % 50 == 49:
                bar.set_postfix(loss=f"{found[-1]['loss'].numpy():.4f}")
        means = {name: float(np.mean([one[name].numpy() for one in found])) for name in found[0]}
        if not math.isfinite(means["loss"]):
            raise TrainingError(
                f"unable to train on: the loss of epoch {epoch + 1} is {means['loss']}"
            )
        rate = float(self.optimiser.learning_rate.numpy())
        return {"epoch": epoch + 1, "stage": number + 1, "learning_rate": rate, **means}


def schedule(stage: Stage, epoch_steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return a stage's learning rate: linear over the warm-up, then cosine to 0."""
    warmup = round(stage.warmup_epochs * epoch_steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else stage.learning_rate,
        max(1, stage.epochs * epoch_steps - warmup),
        warmup_target=stage.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def _optimiser(how: Train, stage: Stage, epoch_steps: int) -> keras.optimizers.Optimizer:
    # Both decay weights apart from the gradient (Loshchilov and Hutter 2017, arXiv:1711.05101).
    common = {"weight_decay": how.weight_decay, "global_clipnorm": 5.0}
    rate = schedule(stage, epoch_steps)
    if how.optimiser == "sgd":
        made = keras.optimizers.SGD(rate, momentum=how.momentum, nesterov=how.nesterov, **common)
    else:
        made = keras.optimizers.AdamW(rate, **common)
    # Decay shrinks kernels only; biases and normalisation have no reason to be small.
    made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return made


def train(recipe_path: Path, data: Path, run: Path, say: Callable[[str], None] = print) -> Path:
    """Train until the recipe's last epoch; returns the path of the averaged model."""
    plan = recipe.load(recipe_path)
    runs.check_same(run, plan, recipe_path, data)
    start = runs.kept_epoch(run)
    if start >= plan.epochs:
        say(f"{run} has all {plan.epochs} epochs of {plan.name}: nothing to train")
        return run / runs.MODEL
    given = plan.net.get("weights", "none")
    weights = None
    if given not in ("none", "imagenet"):
        weights = references.find(given, run.parent).path
    teachers = Teachers(plan, run) if plan.distill else None
    samples = plan.task.to_learn(data, plan, teachers.ask if teachers else None)
    watched = plan.task.to_judge(data, plan.train.watch_split, plan)
    trainer = Trainer(plan, samples, teachers, weights)
    # Nothing is left behind by what cannot be trained.
    runs.open_run(run, plan, recipe_path, data)
    if teachers:
        teachers.keep()
    return run_all(trainer, watched, run, start, say)


def run_all(
    trainer: Trainer, watched: Samples, folder: Path, start: int, say: Callable[[str], None]
) -> Path:
    """Run the epochs from `start` (counted from 0) on; returns the averaged model's path."""
    plan = trainer.plan
    trainer.begin(trainer.stage_of(max(0, start - 1))[0])
    if start:
        runs.load_state(folder, trainer.groups())
    say(
        f"{plan.name}: {trainer.model.count_params():,} parameters,"
        f" {builders.multiply_adds(trainer.model) / 1e6:.1f} M multiply-adds, {trainer.precision},"
        f" {len(trainer.samples):,} pictures, {trainer.epoch_steps} steps an epoch,"
        f" epochs {start + 1} to {plan.epochs}"
    )
    board = runs.TensorBoard(folder)
    net = KerasModel(trainer.average, given=plan.input)
    for epoch in range(start, plan.epochs):
        began = time.monotonic()
        row = trainer.run_epoch(epoch)
        if (epoch + 1) % plan.train.watch_every == 0 or epoch + 1 == plan.epochs:
            found = plan.task.judge(net, watched, plan).values
            row |= {one.name: found[one.name] for one in plan.task.columns if one.watched}
        row["seconds"] = time.monotonic() - began
        runs.append_log(folder, plan.task, row)
        board.add(row)
        # Keras demands the .keras ending, so the part has to end in it as well.
        write_whole(folder / runs.MODEL, lambda part: trainer.average.save(part))
        runs.save_state(folder, epoch + 1, trainer.groups())
        say(", ".join(f"{key} {value:.5g}" for key, value in row.items()))
    return folder / runs.MODEL
