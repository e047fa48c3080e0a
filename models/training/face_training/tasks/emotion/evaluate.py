"""Judge models, one or several as one, on a split's faces."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ... import recipe
from ...errors import TrainingError
from ...nets.models import load_model
from ...nets.tflite import Model, read_sidecar
from ...training import runs
from ..task import Net, stack
from . import metrics, targets
from .faces import Faces
from .labels import EMOTIONS, FER2013_EMOTIONS
from .rows import Rows
from .targets import Targets

# How the answers of several models become one: the mean of what.
LOG, PLAIN = "log-probabilities", "probabilities"


@dataclass(frozen=True)
class Known:
    """What the files beside a model tell."""

    path: Path
    labels: tuple[str, ...] = ()  # empty: by the number of its outputs
    judge: str | None = None
    temperature: float = 1.0
    given: recipe.Input | None = None  # what the net takes, where its run tells


def describe(path: str | Path) -> Known:
    """Describe a model, or a run folder's, by its sidecar or its run's recipe."""
    path = Path(path)
    if path.is_dir():
        path = path / runs.MODEL
    sidecar = read_sidecar(path)
    if sidecar is not None and "labels" in sidecar:
        try:
            labels, heat = tuple(sidecar["labels"]), float(sidecar.get("temperature", 1.0))
        except (TypeError, ValueError) as error:
            raise TrainingError(f"unable to use the sidecar of {path}: {error!r}") from error
        return Known(path, labels, sidecar.get("judged_by"), heat)
    kept = path.parent / runs.RECIPE
    if path.suffix == ".keras" and kept.exists():
        plan = recipe.load(kept)
        how: Targets = plan.tables["targets"]
        return Known(path, how.names, how.judge, given=plan.input)
    return Known(path)


def labels_of(path: Path) -> tuple[str, ...]:
    """Return the classes of a model, empty where nothing beside it tells them."""
    return describe(path).labels


def temperature_of(net: Net) -> float:
    """Return what the sidecar of a net's file says, 1 where there is none."""
    return describe(net.path).temperature if net.path is not None else 1.0


class Answerer:
    """A model with its classes and temperature."""

    def __init__(self, path: str | Path, temperature: float | None = None) -> None:
        self.known = describe(path)
        self.model: Model = load_model(self.known.path, self.known.given)
        self.temperature = self.known.temperature if temperature is None else temperature
        self.labels = self.known.labels

    def outputs(self, pictures: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """Return log-probabilities float64 (n, labels) for uint8 (n, h, w, c)."""
        return self._chosen(self.model.outputs(pictures), labels)

    def see(self, pictures: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """Return the same for pictures float32 (n, h, w, c) in [0, 1] of any size."""
        return self._chosen(self.model.see(pictures), labels)

    def names(self, outputs: int) -> tuple[str, ...]:
        """Return the classes of a net with so many outputs."""
        names = self.labels
        if not names:
            names = {len(one): one for one in (EMOTIONS, FER2013_EMOTIONS)}.get(outputs, ())
        if len(names) != outputs:
            raise TrainingError(
                f"unable to use model {self.known.path}: {outputs} outputs for {len(names)} labels"
                " (no sidecar or recipe beside it names them)"
            )
        return names

    def _chosen(self, outputs: dict[str, np.ndarray], labels: Sequence[str]) -> np.ndarray:
        (logits,) = outputs.values()
        names = self.names(logits.shape[1])
        missing = [name for name in labels if name not in names]
        if missing:
            raise TrainingError(
                f"unable to use model {self.known.path}: it does not know {', '.join(missing)}"
            )
        chosen = [names.index(name) for name in labels]
        return metrics.log_softmax(logits[:, chosen], self.temperature)


class Ensemble:
    """Models that answer as one, or a single one.

    The mean over the models is that of their log-probabilities, as one net of their mean
    logits would have it, or that of their probabilities.
    """

    def __init__(
        self, paths: Sequence[str | Path], temperature: float | None = None, mean: str = LOG
    ) -> None:
        if mean not in (LOG, PLAIN):
            raise TrainingError(f"unable to take the mean of {mean}: neither {LOG} nor {PLAIN}")
        self.mean = mean
        self.members = [Answerer(path, temperature) for path in paths]
        named = [member.labels or EMOTIONS for member in self.members]
        self.labels = tuple(name for name in named[0] if all(name in one for one in named))

    def logits(self, faces: Sequence[np.ndarray], labels: Sequence[str]) -> np.ndarray:
        """Return log-probabilities float64 (n, labels) for faces uint8 (h, w) of any size."""
        found = []
        for member in self.members:
            height, width, channels = member.model.shape
            size = recipe.Input(width=width, height=height, channels=channels)
            found.append(member.outputs(stack(Faces(faces, size)), labels))
        if self.mean == PLAIN:
            return np.log(np.maximum(np.mean(np.exp(found), axis=0), 1e-12))
        return metrics.log_softmax(np.mean(found, axis=0))


def rule(asked: str | None, known: str | None, rows: Rows) -> str:
    """Return what is right: as asked, as the model says, else by votes where there are any."""
    judge = asked or known or ("majority" if rows.votes.any() else "label")
    if judge == "majority" and not rows.votes.any():
        if asked:
            raise TrainingError(
                "unable to judge by majority: nobody voted on these faces (--judge label)"
            )
        judge = "label"
    return judge


def evaluate(
    models: Sequence[str | Path],
    rows: Rows,
    temperature: float | None = None,
    judge: str | None = None,
    labels: Sequence[str] | None = None,
    mean: str = LOG,
    against: str | Path | None = None,
) -> dict[str, Any]:
    """Return metrics.figures of a model, or of several as one, on the rows of a split.

    Without a temperature, that of each model's sidecar is used. `judge` says what is right
    (majority or label; default: as the first model says, label where nobody voted); of `labels`,
    where given, are the faces and the answers. See Ensemble for `mean`. With a model `against`,
    metrics.compared of it on the same faces is under that name.
    """
    ensemble = Ensemble(models, temperature, mean)
    names = tuple(labels or ensemble.labels)
    judge = rule(judge, ensemble.members[0].known.judge, rows)
    right = targets.truth(
        rows.votes, rows.labels, dataclasses.replace(Targets(), judge=judge, labels=names)
    )
    if not (right >= 0).any():
        raise TrainingError(f"unable to judge: no face is one of {', '.join(names)} by {judge}")
    judged = rows.take(right >= 0)
    answers, truth = ensemble.logits(judged.pictures, names), right[right >= 0]
    found = metrics.figures(answers, truth, names)
    if against is not None:
        others = Ensemble([against]).logits(judged.pictures, names)
        found["against"] = metrics.compared(answers, others, truth, names)
    heats = [member.temperature for member in ensemble.members]
    paths = [str(path) for path in models]
    return {
        **found,
        "judge": judge,
        "temperature": heats if len(heats) > 1 else heats[0],
        "model": paths if len(paths) > 1 else paths[0],
    }
