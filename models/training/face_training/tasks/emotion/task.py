"""The task of telling emotions: one face, a logit for each emotion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from ...data.augment import augment, mixup
from ...data.batches import shuffled
from ...errors import TrainingError
from ...nets import builders, transfer
from ...recipe import Recipe
from ...recipe.tables import one_of
from ..task import (
    Arrays,
    Ask,
    Batch,
    Column,
    Figures,
    Net,
    Samples,
    Section,
    Task,
    Teacher,
    Tensors,
    stack,
)
from . import card, golden, metrics, samples
from .evaluate import Answerer, temperature_of
from .faces import only
from .labels import EMOTIONS
from .targets import Targets

LOGITS = "logits"


@dataclass(frozen=True)
class Answers:
    """What is done to the answers of a net that has been trained."""

    class_shift: dict = field(default_factory=dict)  # added to the logits of the classes named
    temperature_split: str = ""  # that the temperature is fitted on; empty: the watched one
    # Fitted on the faces as they are and once changed by [augment]: a camera's are worse than a set's.
    temperature_changed: bool = False


@dataclass(frozen=True)
class Crop:
    """How a detector's square box becomes the net's picture, in parts of the picture's side."""

    scale: float = 1.17
    shift_x: float = 0.0
    shift_y: float = -0.08
    align: str = one_of("eyes", "eyes", "none")


class EmotionTask:
    """See tasks.task.Task."""

    name = "emotion"
    kind = "emotion"
    tables: Mapping[str, type] = {"targets": Targets, "answers": Answers, "crop": Crop}
    columns: Sequence[Column] = (
        Column("loss", "loss", "training"),
        Column("train_accuracy", "accuracy", "training"),
        Column("nll", "loss", "watched", watched=True),
        Column("accuracy", "accuracy", "watched", watched=True),
        Column("macro_f1", watched=True),
    )

    def check(self, plan: Recipe) -> None:
        """Refuse classes that are none, and shifts of classes that the net has not."""
        how: Targets = plan.tables["targets"]
        foreign = [label for label in how.labels if label not in EMOTIONS]
        if foreign:
            raise TrainingError(
                f"[targets] labels: unknown {foreign[0]!r}, known are {', '.join(EMOTIONS)}"
            )
        if len(set(how.names)) != len(how.names) or len(how.names) < 2:
            raise TrainingError("[targets] labels must be two or more")
        for label, shift in plan.tables["answers"].class_shift.items():
            if label not in how.names or type(shift) not in (int, float):
                raise TrainingError(
                    f"[answers] class_shift: {label} = {shift!r} is no class of the net with a number"
                )

    def to_learn(self, data: Path, plan: Recipe, ask: Ask | None) -> Samples:
        """Return faces with "targets" float32 (n, classes) and "taught" float32 (n,)."""
        return samples.to_learn(data, plan, ask)

    def to_judge(self, data: Path, split: str, plan: Recipe) -> Samples:
        """Return faces with "truth" int (n,), an index into the classes."""
        return samples.to_judge(data, split, plan)

    def steps(self, samples: Samples, plan: Recipe) -> int:
        """Return how many batches an epoch has."""
        return len(samples) // plan.train.batch

    def batches(self, samples: Samples, plan: Recipe, first: int) -> Iterable[Batch]:
        """Return augmented batches with the goals of `to_learn`."""
        faces = tf.constant(stack(samples.pictures))
        goals = {name: tf.constant(values, tf.float32) for name, values in samples.goals.items()}

        def load(rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            pictures = tf.cast(tf.gather(faces, rows), tf.float32) / 255.0
            pictures, _ = augment(pictures, seed, plan.augment)
            mine = {name: tf.gather(values, rows) for name, values in goals.items()}
            return mixup(pictures, mine, seed, plan.augment)

        return shuffled(len(samples), plan, first, load)

    def build(self, plan: Recipe, weights: Path | None) -> keras.Model:
        """Build the net with a logit a class, started from `weights` where they are given."""
        names = plan.tables["targets"].names

        def heads(features: Any) -> dict[str, Any]:
            # In float32, so that the loss does not see the steps of bfloat16.
            return {LOGITS: layers.Dense(len(names), dtype="float32", name=LOGITS)(features)}

        net = builders.of_recipe(plan, weights, heads)
        if weights is not None and weights.suffix == ".keras":
            samples.adopt_classes(net.get_layer(LOGITS), weights, names)
        return net

    def losses(self, outputs: Tensors, goals: Tensors, plan: Recipe) -> Tensors:
        """Return the cross entropy with the data's targets, and whether each answer is right."""
        logits, targets = outputs[LOGITS], goals["targets"]
        # Not the fused operator: its gradient is wrong for targets that do not sum to 1.
        losses = -tf.reduce_sum(targets * tf.nn.log_softmax(logits), axis=1)
        labelled = tf.cast(tf.reduce_sum(targets, axis=1) > 0, tf.float32)
        right = tf.argmax(logits, axis=1) == tf.argmax(targets, axis=1)
        mean = labelled / tf.maximum(tf.reduce_mean(labelled), 1e-6)
        return {"loss": losses, "train_accuracy": tf.cast(right, tf.float32) * mean}

    def teacher(self, path: Path, plan: Recipe) -> Teacher:
        """Return a model's calibrated log-probabilities of the recipe's classes."""
        model = Answerer(path)

        def answer(pictures: np.ndarray) -> Arrays:
            return {LOGITS: model.see(pictures, plan.tables["targets"].names).astype(np.float32)}

        return answer

    def taught(
        self, outputs: Tensors, said: Sequence[Tensors], goals: Tensors, plan: Recipe
    ) -> tf.Tensor:
        """Return the cross entropy with the mean of the teachers, at the recipe's temperature."""
        assert plan.distill is not None
        heat = plan.distill.temperature
        answers = [one[LOGITS] for one in said]
        if plan.distill.mean == "probabilities":
            mean = tf.reduce_logsumexp(tf.stack(answers), axis=0)
        else:
            mean = tf.add_n(answers) / len(answers)
        wanted = tf.nn.softmax(mean / heat)
        losses = -tf.reduce_sum(wanted * tf.nn.log_softmax(outputs[LOGITS] / heat), axis=1)
        # Times the temperature squared, so that the share means the same at each temperature.
        return goals["taught"] * heat**2 * losses

    def judge(self, net: Net, samples: Samples, plan: Recipe) -> Figures:
        """Return accuracy (primary), macro F1, negative log likelihood and calibration error."""
        logits = only(net.outputs(stack(samples.pictures)))
        found = metrics.figures(logits, samples.goals["truth"], plan.tables["targets"].names)
        values = {key: found[key] for key in ("accuracy", "macro_f1", "top2", "nll", "ece")}
        return Figures(found["samples"], values, "accuracy", {"logits": logits, **found})

    def calibration(self, samples: Samples, plan: Recipe, count: int, which: str) -> np.ndarray:
        """Return faces, of all classes alike where `which` is balanced."""
        order = np.random.default_rng(plan.train.seed).permutation(len(samples))
        if which == "balanced":
            classes = samples.goals["targets"].argmax(axis=1)
            # How many of the same class come before a face: sorted by it, classes take turns.
            turn = np.empty(len(order), np.int64)
            for number in np.unique(classes):
                mine = classes[order] == number
                turn[mine] = np.arange(mine.sum())
            order = order[np.argsort(turn, kind="stable")]
        return stack(samples.pictures)[order[:count]]

    def finish(self, net: keras.Model, data: Path, plan: Recipe) -> None:
        """Add the recipe's class_shift to the bias of the logits."""
        shifts = plan.tables["answers"].class_shift
        change = np.array([shifts.get(label, 0.0) for label in plan.tables["targets"].names])
        if change.any():
            bias = transfer.head(net)[-1].bias
            # Softmax does not see the mean, and the int8 range is not spent on it.
            bias.assign(bias + (change - change.mean()).astype(np.float32))

    def describe(self, net: Net, exact: Net, data: Path, plan: Recipe) -> Mapping[str, Any]:
        """Return figures, labels, crop, temperature and the rule of judging."""
        answers: Answers = plan.tables["answers"]
        watched = plan.train.watch_split
        fitted = answers.temperature_split or watched
        fit = self.to_judge(data, fitted, plan)
        pictures, truth = stack(fit.pictures), fit.goals["truth"]
        if answers.temperature_changed:
            pictures = np.concatenate([pictures, _changed(pictures, plan)])
            truth = np.concatenate([truth, truth])
        temperature = round(metrics.fit_temperature(only(net.outputs(pictures)), truth), 4)
        judged = self.to_judge(data, watched, plan)
        return {
            "figures": card.figures(net, exact, judged, plan, temperature),
            "judged_by": plan.tables["targets"].judge,
            "labels": list(plan.tables["targets"].names),
            "crop": samples.frame(data, plan),
            "class_shift": dict(answers.class_shift),
            "temperature_split": fitted,
            "temperature_changed": answers.temperature_changed,
            "temperature": temperature,
        }

    def sections(
        self, net: Net, exact: Net, against: Path | None, data: Path, plan: Recipe
    ) -> Sequence[Section]:
        """Return accuracy, classes, confusion, calibration, comparison and mistakes."""
        judged = self.to_judge(data, plan.train.watch_split, plan)
        return card.sections(net, exact, against, judged, plan, temperature_of(net))

    def golden(self, model: Path) -> Mapping[str, Any]:
        """Return the table that the daemon's tests hold the net to."""
        return golden.table(model)


def _changed(pictures: np.ndarray, plan: Recipe) -> np.ndarray:
    """Return uint8 pictures changed once as the recipe's [augment] says, the same every time."""
    seed = tf.constant([plan.train.seed, 0], tf.int32)
    values, _ = augment(tf.cast(pictures, tf.float32) / 255.0, seed, plan.augment)
    return np.round(values.numpy() * 255).astype(np.uint8)


TASK: Task = EmotionTask()
