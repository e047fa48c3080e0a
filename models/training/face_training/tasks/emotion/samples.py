"""The index of faces that is learnt from or judged by, out of prepared data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ...errors import TrainingError
from ...recipe import Recipe, Train
from ..task import Ask, Samples, part
from . import dataset, metrics, targets
from .evaluate import labels_of
from .faces import Faces, only
from .labels import balance_weights
from .rows import Rows
from .targets import Targets


def _samples(rows: Rows, chosen: np.ndarray, plan: Recipe, goals: Mapping[str, Any]) -> Samples:
    rows = rows.take(chosen)
    return Samples(
        pictures=Faces(rows.pictures, plan.input),
        goals={name: values[chosen] for name, values in goals.items()},
        person=rows.person,
        group=rows.group,
        source=rows.source,
        origin=rows.origin,
    )


def check_votes(rows: Rows, how: Targets, split: str) -> None:
    """Refuse to go by votes where nobody voted."""
    asked = "judge" if how.judge == "majority" else "kind" if how.kind != "label" else None
    if asked and not rows.votes.any():
        raise TrainingError(
            f"unable to use split {split} by votes: nobody voted on its faces"
            ' (set judge = "label" and kind = "label" in [targets], or --judge label)'
        )


def to_judge(data: Path, split: str, plan: Recipe) -> Samples:
    """Return the faces whose right class is known, with "truth" int (n,)."""
    how: Targets = plan.tables["targets"]
    rows = dataset.split(data, split)
    if how.judge == "majority":
        check_votes(rows, how, split)
    right = targets.truth(rows.votes, rows.labels, how)
    if not (right >= 0).any():
        raise TrainingError(
            f"unable to judge: no face of {split} is one of {', '.join(how.names)} by {how.judge}"
        )
    return _samples(rows, right >= 0, plan, {"truth": right})


def to_learn(data: Path, plan: Recipe, ask: Ask | None) -> Samples:
    """Return the faces that can be learnt from.

    "targets" float32 (n, classes) is what the data says times the face's weight and the data's share of
    the loss; "taught" float32 (n,) the weight of what teachers say. The loss is linear in both.
    Faces without votes and label count only where there are teachers, and these are sure.
    """
    how: Targets = plan.tables["targets"]
    split = plan.train.train_split
    rows = dataset.split(data, split)
    frame(data, plan)
    if how.kind != "label":
        check_votes(rows, how, split)
    wanted, keep = targets.soft(rows.votes, rows.labels, how)
    _check_classes(rows, keep, how, split)
    silent = (rows.votes.sum(axis=1) == 0) & (rows.labels.sum(axis=1) == 0)
    if ask is None:
        return _weighted(_samples(rows, keep, plan, {"targets": wanted}), None, plan)
    found = _samples(rows, keep | silent, plan, {"targets": wanted * keep[:, None]})
    labelled = np.any(found.goals["targets"], axis=1)
    if labelled.all():
        return _weighted(found, None, plan)
    said = np.zeros_like(found.goals["targets"])
    said[~labelled] = _mean(ask(part(found, ~labelled)))
    assert plan.distill is not None
    sure = labelled | (said.max(axis=1) >= plan.distill.least_confidence)
    return _weighted(part(found, sure), said[sure], plan)


def _mean(answers: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    """Return the teachers' mean as probabilities (n, classes)."""
    return np.exp(metrics.log_softmax(np.mean([only(one) for one in answers], axis=0)))


def _weighted(found: Samples, said: np.ndarray | None, plan: Recipe) -> Samples:
    """Put every face's weight into its goals: of its class, its source, and of data and teachers."""
    wanted = found.goals["targets"]
    if not len(wanted):
        raise TrainingError(
            f"unable to train: no face of {plan.train.train_split} can be learnt from"
        )
    labelled = np.any(wanted, axis=1)
    guess = wanted if said is None else np.where(labelled[:, None], wanted, said)
    weights = balance_weights(guess, plan.tables["targets"].balance)
    assert found.source is not None
    weights = _by_source(weights, found.source, plan.train)
    share = np.full(len(wanted), plan.distill.share if plan.distill else 0.0, np.float32)
    if plan.distill and plan.distill.sources:
        _check_sources(plan.distill.sources, found.source)
        share[~np.isin(found.source, plan.distill.sources)] = 0.0
    shares = np.where(labelled, share, 1.0 if plan.distill else 0.0)
    goals = {
        "targets": (wanted * (weights * (1 - shares))[:, None]).astype(np.float32),
        "taught": (weights * shares).astype(np.float32),
    }
    return Samples(
        found.pictures, goals, weights, found.person, found.group, found.source, found.origin
    )


def _by_source(weights: np.ndarray, source: np.ndarray, how: Train) -> np.ndarray:
    """Return the weights float32 (n,) of mean 1, each source's with its weight or share."""
    _check_sources([*how.source_weights, *how.source_shares], source)
    weights = weights * np.array([how.source_weights.get(name, 1.0) for name in source], np.float32)
    rest = ~np.isin(source, [*how.source_shares])
    left = 1.0 - sum(how.source_shares.values())
    if how.source_shares and (left <= 0 or not rest.any()):
        raise TrainingError(
            "unable to weigh sources: [train] source_shares must leave a part of the loss to others"
        )
    for name, share in how.source_shares.items():
        mine = source == name
        weights[mine] *= share / left * weights[rest].sum() / weights[mine].sum()
    return weights / weights.mean()


def _check_sources(names: Sequence[str], source: np.ndarray) -> None:
    known = sorted(set(source))
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise TrainingError(
            f"unable to weigh source {unknown[0]}: the data holds {', '.join(known)}"
        )


def _check_classes(rows: Rows, keep: np.ndarray, how: Targets, split: str) -> None:
    """Refuse classes that no face shows, the even part that smoothing adds left aside."""
    plain = Targets(how.kind, how.label_share, 0.0, how.balance, how.judge, how.labels)
    wanted, _ = targets.soft(rows.votes[keep], rows.labels[keep], plain)
    missing = [name for name, total in zip(how.names, wanted.sum(axis=0), strict=True) if not total]
    if missing:
        raise TrainingError(
            f"unable to train: no face of {split} shows {', '.join(missing)}"
            " (name the classes that there are in [targets] labels)"
        )


def frame(data: Path, plan: Recipe) -> dict[str, Any]:
    """Return how faces are cut for the net: as the data's photos were, else as the recipe says.

    A recipe that says otherwise than the data was cut is refused.
    """
    used = dataset.counts(data).get("crop")
    wanted = dict(vars(plan.tables["crop"]))
    if used is None:
        return wanted
    written = plan.written.get("crop", {})
    wrong = {key: value for key, value in written.items() if used.get(key) != value}
    if wrong:
        raise TrainingError(
            f"unable to use {data} with [crop] {wrong}: its photos were cut with {used}"
            " (prepare it again with --recipe, or leave [crop] out)"
        )
    return dict(used)


def adopt_classes(head: keras.Layer, path: Path, names: Sequence[str]) -> None:
    """Give the logits of classes that a net to start from knew their old weights, by name."""
    from ...nets.models import load_keras

    known = labels_of(path)
    source = load_keras(path)
    old = source.outputs[0]._keras_history.operation
    if (
        not known
        or len(known) != old.kernel.shape[1]
        or old.kernel.shape[0] != head.kernel.shape[0]
    ):
        return
    kernel, bias = (np.array(weight) for weight in head.get_weights())
    for number, name in enumerate(names):
        if name in known:
            kernel[:, number] = np.asarray(old.kernel)[:, known.index(name)]
            bias[number] = np.asarray(old.bias)[known.index(name)]
    head.set_weights([kernel, bias])
