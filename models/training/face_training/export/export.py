"""Make the int8 .tflite and its sidecar of a float net.

Where int8 loses more than half a point of accuracy against float, other ways to quantise are
tried in turn, each measured on the watched split, and the best is kept.
"""

import dataclasses
import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from .. import recipe
from ..errors import TrainingError
from ..files import write_text
from ..nets.models import MEAN, STD, keras_logits, load_keras
from ..tasks.emotion import dataset, metrics
from ..tasks.emotion.rows import SIDE
from ..training import runs
from .quantise import Calibration, check, convert
from .simulate import fine_tune

# What int8 may lose against float before a remedy is looked for: half a point of accuracy.
MOST_LOSS = 0.005
# Percentiles that clipping tries.
PERCENTILES = (99.99, 99.95, 99.9, 99.5)


@dataclass(frozen=True)
class Try:
    """One way to quantise, and what it gave on the watched faces."""

    calibration: Calibration
    fine_tuned: bool
    accuracy: float
    macro_f1: float
    agreement: float  # share of the faces where int8 and float name the same class
    divergence: float  # mean Kullback-Leibler divergence of int8 from float, nats
    content: bytes = dataclasses.field(repr=False)

    def __str__(self):
        return f"{'fine-tuned, ' if self.fine_tuned else ''}{self.calibration}"

    def row(self):
        """Return the figures as plain numbers."""
        return {
            "way": str(self),
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "agreement": self.agreement,
            "divergence": self.divergence,
            "bytes": len(self.content),
        }


class Quantiser:
    """A float net, the faces that set its ranges and those that judge the result."""

    def __init__(self, model, plan, data, say=print):
        self.model, self.plan, self.labels, self.say = model, plan, plan.labels, say
        self.pixels, targets = dataset.split(data, plan.train.train_split).soft(plan.targets)
        self.classes = targets.argmax(axis=1)
        watched = dataset.split(data, plan.train.watch_split)
        self.watched, self.truth = watched.judged(plan.targets)
        self.float_logits = keras_logits(model, self.watched)
        self.float = metrics.figures(self.float_logits, self.truth, self.labels)
        self.tries = []

    def best(self):
        """Return the try of greatest accuracy; of several, the one closest to float."""
        return max(self.tries, key=lambda one: (one.accuracy, -one.divergence))

    def loses(self):
        """Tell whether the best try loses more than it may."""
        return self.float["accuracy"] - self.best().accuracy > MOST_LOSS

    def attempt(self, calibration, tuned=None):
        """Convert the net, or a fine-tuned one, and measure what came out."""
        if any(
            one.calibration == calibration and one.fine_tuned == bool(tuned) for one in self.tries
        ):
            return
        faces = calibration.choose(self.pixels, self.classes, self.plan.train.seed)
        content = convert(tuned or self.model, faces, calibration.percentile)
        logits = tflite_logits(content, self.watched)
        found = metrics.figures(logits, self.truth, self.labels)
        agreement = float((logits.argmax(axis=1) == self.float_logits.argmax(axis=1)).mean())
        divergence = metrics.divergence(self.float_logits, logits)
        measured = Try(
            calibration, bool(tuned), found["accuracy"], found["macro_f1"], agreement, divergence, content
        )  # fmt: skip
        self.tries.append(measured)
        self.say(
            f"{measured}: accuracy {measured.accuracy:.4f} (float {self.float['accuracy']:.4f}),"
            f" agreement {agreement:.4f}, divergence {divergence:.5f}"
        )

    def run(self):
        """Try what the recipe asks for and, if need be, the remedies; returns the best try."""
        how = self.plan.export
        first = Calibration(how.calibration_faces, how.calibration, how.percentile)
        self.attempt(first)
        for remedy in (self.other_faces, self.clip, self.fine_tune):
            if how.remedy == "off" or how.remedy == "auto" and not self.loses():
                break
            remedy(first)
        return self.best()

    def other_faces(self, first):
        """Calibrate with faces of all classes alike, with more and with fewer faces."""
        most = len(self.pixels)
        for faces, which in ((1, "balanced"), (4, "random"), (0.1, "random")):
            count = max(1, min(most, round(first.faces * faces)))
            self.attempt(dataclasses.replace(first, faces=count, which=which))

    def clip(self, first):
        """Clip the ranges to percentiles, with the faces that did best so far."""
        base = dataclasses.replace(self.best().calibration, faces=first.faces)
        for percentile in PERCENTILES:
            self.attempt(dataclasses.replace(base, percentile=percentile))

    def fine_tune(self, first):
        """Let the net get used to int8, then quantise it as did best so far and as at first."""
        how, best = self.plan.export, self.best().calibration
        try:
            tuned = fine_tune(
                self.model, self.pixels, how.finetune_steps, how.finetune_rate,
                best.percentile, self.plan.train.seed, self.say,
            )  # fmt: skip
        except TrainingError as error:
            self.say(f"{error}; left out")
            return
        for calibration in (best, first):
            self.attempt(calibration, tuned)


def tflite_logits(content, pixels):
    """Return float32 logits (n, c) of a .tflite given as bytes, after `check`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        return check(path).logits(pixels)


def prior_change(prior, share):
    """Return what takes `share` of the logarithm of the classes' prior off their logits (c,).

    Logit adjustment (Menon et al. 2021, arXiv:2007.07314): with share 1 the net answers as if
    all classes were equally frequent, with 0 as it was trained. `prior` (c,) holds the shares
    of the classes in the training targets; one without any keeps its logit.
    """
    prior = np.asarray(prior, np.float64)
    known = prior > 0
    return np.where(known, -share * np.log(np.where(known, prior, 1.0)), 0.0)


def shift_logits(model, change):
    """Add `change` (c,) less its mean to the net's logits, in place."""
    last = model.outputs[0]._keras_history.operation
    bias = getattr(last, "bias", None)
    if bias is None or getattr(last, "activation", None) is not keras.activations.linear:
        raise TrainingError(
            f"unable to shift logits: the last layer of {model.name} has no bias of its own"
            " (set neither prior_shift nor class_shift)"
        )
    # Softmax does not see the mean, and the int8 range is not spent on it.
    bias.assign(bias + (change - change.mean()).astype(np.float32))


def _tensor(details):
    # The exact value of the float32 scale as a double, so that reading it back loses nothing.
    scale, zero_point = details["quantization"]
    return {"dtype": "int8", "scale": float(np.float32(scale)), "zero_point": int(zero_point)}


def sidecar(plan, path, labels, temperature, figures, quantisation):
    """Return the sidecar of the .tflite at `path` as the daemon reads it."""
    model = check(path)
    return {
        "kind": "emotion",
        "name": plan.name,
        "version": plan.version,
        "description": plan.description,
        "licence": "MIT OR Apache-2.0",
        "training_data": plan.export.training_data,
        "figures": figures,
        "quantisation": quantisation,
        "input": {
            "width": SIDE, "height": SIDE, "channels": 1, **_tensor(model.input),
            "mean": MEAN, "std": STD,
        },
        "output": {**_tensor(model.output), "values": "logits"},
        "labels": list(labels),
        "crop": vars(plan.crop),
        "temperature": temperature,
        "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest(),
    }  # fmt: skip


def export(out, data, run=None, model=None, recipe_path=None, say=print, **changes):
    """Write `out`.tflite and `out`.json; returns the sidecar.

    The net is the run's, or the .keras file `model`. `changes` replace keys of [export]. The
    table of tries goes to the run folder, if there is one.
    """
    if not run and not (model and recipe_path):
        raise TrainingError("unable to export: name a run, or a model and a recipe")
    plan = recipe.load(recipe_path or Path(run) / runs.RECIPE)
    plan = recipe.replaced(plan, export=changes)
    net = load_keras(model or Path(run) / runs.MODEL)
    _, targets = dataset.split(data, plan.train.train_split).soft(plan.targets)
    change = prior_change(targets.mean(axis=0), plan.export.prior_shift)
    change += [plan.export.class_shift.get(label, 0.0) for label in plan.labels]
    if change.any():
        shift_logits(net, change)
    quantiser = Quantiser(net, plan, data, say=say)
    best = quantiser.run()
    described = write(out, best.content, lambda path: _describe(path, plan, data, quantiser))
    if run:
        table = {
            "sha256": described["sha256"],
            "split": plan.train.watch_split,
            "faces": len(quantiser.truth),
            "prior_shift": plan.export.prior_shift,
            "class_shift": plan.export.class_shift,
            "float": {key: quantiser.float[key] for key in ("accuracy", "macro_f1")},
            "tries": [one.row() for one in quantiser.tries],
            "kept": str(best),
        }
        write_text(Path(run) / runs.EXPORT, json.dumps(table, indent=2) + "\n")
    return described


def write(out, content, describe):
    """Write `out`.tflite and, with what `describe` makes of its path, `out`.json; returns that."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    trial = out.with_name(f".part-{out.name}.tflite")
    try:
        trial.write_bytes(content)
        described = describe(trial)
        trial.replace(out.with_name(f"{out.name}.tflite"))
    finally:
        trial.unlink(missing_ok=True)
    write_text(out.with_name(f"{out.name}.json"), json.dumps(described, indent=2) + "\n")
    return described


def measure(path, plan, data, pixels, truth):
    """Return (temperature, figures for the sidecar) of a .tflite.

    The temperature is fitted on the recipe's split for it; `pixels` and `truth` are the judged
    faces of the watched split, which the figures are of.
    """
    small = check(path)
    fit = dataset.split(data, plan.export.temperature_split).judged(plan.targets)
    temperature = round(metrics.fit_temperature(small.logits(fit[0]), fit[1]), 4)
    logits = small.logits(pixels)
    before = metrics.figures(logits, truth, plan.labels)
    after = metrics.figures(logits, truth, plan.labels, temperature)
    name = plan.train.watch_split.lower()
    return temperature, {
        f"{name}_samples": after["samples"],
        f"{name}_accuracy": round(after["accuracy"], 4),
        f"{name}_macro_f1": round(after["macro_f1"], 4),
        f"{name}_top2": round(after["top2"], 4),
        f"{name}_ece": round(after["ece"], 4),
        f"{name}_ece_uncalibrated": round(before["ece"], 4),
    }


def _describe(path, plan, data, quantiser):
    """Fit the temperature and return the sidecar with the figures of the watched split."""
    best = quantiser.best()
    temperature, figures = measure(path, plan, data, quantiser.watched, quantiser.truth)
    name = plan.train.watch_split.lower()
    figures |= {
        f"{name}_float_accuracy": round(quantiser.float["accuracy"], 4),
        f"{name}_int8_float_agreement": round(best.agreement, 4),
    }
    quantisation = {
        "calibration": str(best),
        "prior_shift": plan.export.prior_shift,
        "class_shift": plan.export.class_shift,
        "temperature_split": plan.export.temperature_split,
    }
    return sidecar(plan, path, plan.labels, temperature, figures, quantisation)
