"""Fit an exported model to a few own pictures, on any computer: LiteRT and NumPy, no TensorFlow.

`calibrate` changes how sure the net is (temperature) and how readily it says each class (bias);
`tune` teaches its last layer.
"""

import dataclasses
import hashlib
import json
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.model_selection import StratifiedGroupKFold

from ...errors import TrainingError
from ...files import write_bytes, write_text
from ...nets.tflite import read_sidecar
from ...recipe import Input
from ..task import stack
from . import folders, metrics
from .faces import Faces
from .head import Head, features
from .labels import EMOTIONS

LEAST_FACES = 100
# Of a class, before it gets a bias of its own.
LEAST_OF_CLASS = 20
FOLDS = 5
# How strongly weights are held to the old ones: of the squared change, in nats.
_HOLDS = (0.001, 0.003, 0.01, 0.03, 0.1)
_BIAS_HOLD = 0.01


@dataclass(frozen=True)
class Shown:
    """Labelled faces as a model's last layer sees them."""

    taken: np.ndarray  # float32 (n, features)
    logits: np.ndarray  # float32 (n, classes)
    truth: np.ndarray  # int (n,)
    groups: np.ndarray  # str (n,): persons, or pictures where nobody is known

    def take(self, chosen: np.ndarray) -> "Shown":
        """Return the faces that an index or mask chooses."""
        return Shown(*(getattr(self, one.name)[chosen] for one in dataclasses.fields(self)))


def look(model: Path, pictures: Path, how: folders.How) -> tuple[bytes, dict[str, Any], Shown]:
    """Return a model's bytes and sidecar, and labelled pictures as it sees them."""
    described = read_sidecar(model)
    if described is None or "labels" not in described:
        raise TrainingError(
            f"unable to use model {model}: no sidecar of an emotion model beside it"
        )
    told = described["input"]
    size = Input(told["width"], told["height"], told["channels"], told["mean"], told["std"])
    how = dataclasses.replace(how, only_test=True, tool=dataclasses.replace(how.tool, model=model))
    with tempfile.TemporaryDirectory() as work:
        rows = folders.rows(pictures, Path(work), how).rows
    names = [EMOTIONS[number] for number in rows.labels.argmax(axis=1)]
    known = np.array([name in described["labels"] for name in names])
    rows = rows.take(known)
    truth = [described["labels"].index(name) for name, use in zip(names, known, strict=True) if use]
    if len(rows) < LEAST_FACES:
        raise TrainingError(
            f"unable to learn from {pictures}: {len(rows)} faces with labels of the model,"
            f" {LEAST_FACES} are needed"
        )
    content = model.read_bytes()
    taken, logits = features(content, stack(Faces(rows.pictures, size)), size)
    groups = np.where(rows.person != "", rows.person, rows.origin)
    return content, described, Shown(taken, logits, np.array(truth), groups)


def calibrate(
    model: Path, pictures: Path, out: Path, how: folders.How, say: Callable[[str], None] = print
) -> None:
    """Write `out`.tflite and .json: the model with a temperature, and biases where they help.

    What it brings is measured cross-fitted: fitted on four fifths, by person, judged on the rest.
    """
    content, described, shown = look(model, pictures, how)
    labels, before = described["labels"], float(described["temperature"])
    old = metrics.nll(shown.logits, shown.truth, before)
    found = {
        biases: np.mean([
            metrics.nll(shown.logits[there] + bias, shown.truth[there], heat)
            for here, there in _folds(shown)
            for heat, bias in [_fitted(shown.take(here), biases)]
        ])
        for biases in (False, True)
    }  # fmt: skip
    biases = bool(found[False] - found[True] > metrics.NLL_SLACK)
    say(
        f"{len(shown.truth)} faces, negative log likelihood {old:.4f} nats with the temperature {before}"
    )
    say(
        f"cross-fitted: {found[False]:.4f} with another temperature, {found[True]:.4f} with biases too"
    )
    if old - found[biases] <= metrics.NLL_SLACK:
        say("neither helps: nothing is written")
        return
    heat, bias = _fitted(shown, biases)
    head = Head.of(content)
    head.shift(bias)
    told = {
        label: round(float(value), 3) for label, value in zip(labels, bias, strict=True) if value
    }
    _write(out, head.content(), {**described, "temperature": round(heat, 4), "calibrated": {
        "faces": len(shown.truth), "class_shift": told, "nll_before": round(old, 4),
        "nll_cross_fitted": round(float(found[biases]), 4),
    }})  # fmt: skip
    say(f"temperature {heat:.4f}, logits shifted by {told or 'nothing'}: {out}.tflite")


def _folds(shown: Shown) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the faces of each fold's learning and judging, no person in both."""
    maker = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=1)
    with warnings.catch_warnings():
        # A class of fewer faces than folds is shared as far as it goes.
        warnings.simplefilter("ignore", UserWarning)
        return list(maker.split(shown.truth, shown.truth, shown.groups))


def _fitted(shown: Shown, biases: bool) -> tuple[float, np.ndarray]:
    """Return (temperature, bias (classes,)) that fit the faces; 0 for classes with few of them."""
    classes = shown.logits.shape[1]
    free = np.bincount(shown.truth, minlength=classes) >= LEAST_OF_CLASS
    bias = np.zeros(classes)
    if biases and free.any():

        def loss(values: np.ndarray) -> float:
            tried = np.zeros(classes)
            tried[free] = values[1:]
            fit = metrics.nll(shown.logits + tried, shown.truth, float(np.exp(values[0])))
            return fit + _BIAS_HOLD * float(values[1:] @ values[1:])

        best = minimize(loss, np.zeros(1 + int(free.sum())), method="L-BFGS-B").x
        bias[free] = best[1:]
    return metrics.fit_temperature(shown.logits + bias, shown.truth), bias


def tune(
    model: Path, pictures: Path, out: Path, how: folders.How, say: Callable[[str], None] = print
) -> bool:
    """Write `out`.tflite and .json: the model with a last layer that learnt the pictures.

    A fifth of the persons is kept aside; where the new layer is not better there, nothing is
    written, and False is returned.
    """
    content, described, shown = look(model, pictures, how)
    here, there = _folds(shown)[0]
    learnt, kept = shown.take(here), shown.take(there)
    heat = float(described["temperature"])
    head = Head.of(content)
    old = head.kernel / heat, head.bias / heat
    hold = min(_HOLDS, key=lambda one: _cross_loss(learnt, old, one))
    kernel, bias = _learn(learnt, old, hold)
    # In the units of the old logits, so that their int8 steps and the temperature stay.
    head.put(kernel * heat, bias * heat)
    made = head.content()
    answers = _answers(made, kept.taken)
    rights = [logits.argmax(axis=1) == kept.truth for logits in (answers, kept.logits)]
    losses = [metrics.nll(logits, kept.truth, heat) for logits in (answers, kept.logits)]
    say(
        f"{len(learnt.truth)} faces learnt; of {len(kept.truth)} others {rights[1].mean():.1%} right before,"
        f" {rights[0].mean():.1%} after; {losses[1]:.4f} nats before, {losses[0]:.4f} after"
    )
    if rights[0].mean() < rights[1].mean() or losses[0] >= losses[1]:
        say("not better on faces that it did not learn: nothing is written")
        return False
    _write(out, made, {**described, "name": f"{described['name']}-tuned", "tuned": {
        "faces": len(learnt.truth), "judged_faces": len(kept.truth),
        "accuracy_before": round(float(rights[1].mean()), 4),
        "accuracy": round(float(rights[0].mean()), 4),
    }})  # fmt: skip
    say(f"written: {out}.tflite")
    return True


def _answers(content: bytes, taken: np.ndarray) -> np.ndarray:
    """Return the logits of a file's last layer, rounded as int8 does, for what it takes."""
    head = Head.of(content)
    logits = taken @ head.kernel.T + head.bias
    return np.rint(logits / head.logit) * head.logit


Weights = tuple[np.ndarray, np.ndarray]


def _learn(shown: Shown, old: Weights, hold: float) -> Weights:
    """Return weights that fit the faces by their log likelihood, held to the old ones."""
    start = np.concatenate([old[0], old[1][:, None]], axis=1)
    taken = np.concatenate([shown.taken, np.ones((len(shown.taken), 1))], axis=1)
    wanted = np.eye(len(start))[shown.truth]

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        weights = values.reshape(start.shape)
        logs = metrics.log_softmax(taken @ weights.T)
        gone = weights - start
        gradient = (np.exp(logs) - wanted).T @ taken / len(taken) + 2 * hold * gone
        return float(-(logs * wanted).sum() / len(taken) + hold * (gone**2).sum()), gradient.ravel()

    best = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B").x.reshape(start.shape)
    return best[:, :-1], best[:, -1]


def _cross_loss(shown: Shown, old: Weights, hold: float) -> float:
    found = []
    for here, there in _folds(shown):
        kernel, bias = _learn(shown.take(here), old, hold)
        found.append(metrics.nll(shown.taken[there] @ kernel.T + bias, shown.truth[there]))
    return float(np.mean(found))


def _write(out: Path, content: bytes, described: Mapping[str, Any]) -> None:
    """Write a file and its sidecar; its figures were another file's."""
    sidecar = {key: value for key, value in described.items() if key != "figures"}
    sidecar["sha256"] = hashlib.sha256(content).hexdigest()
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out.with_name(f"{out.name}.tflite"), content)
    write_text(out.with_name(f"{out.name}.json"), json.dumps(sidecar, indent=2) + "\n")
