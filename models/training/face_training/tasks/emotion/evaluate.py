"""Judge models, one or several as one, on a split's faces."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ... import recipe
from ...errors import TrainingError
from ...nets.models import load_model
from ...recipe import Targets
from ...training import runs
from . import metrics
from .labels import EMOTIONS, FER2013_EMOTIONS

# How the answers of several models become one: the mean of what.
LOG, PLAIN = "log-probabilities", "probabilities"


@dataclass(frozen=True)
class Member:
    """What is known of a model from the files beside it."""

    path: Path
    labels: tuple  # empty: by the number of its outputs
    judge: str
    temperature: float


def describe(path):
    """Describe a .keras or .tflite model, or a run folder's, by its sidecar or its run's recipe."""
    path = Path(path)
    if path.is_dir():
        path = path / runs.MODEL
    labels, judge, temperature = (), "majority", 1.0
    sidecar, kept = path.with_suffix(".json"), path.parent / runs.RECIPE
    if sidecar.exists():
        try:
            content = json.loads(sidecar.read_text(encoding="utf-8"))
            labels, temperature = tuple(content["labels"]), float(content["temperature"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"unable to read the sidecar {sidecar}: {error!r}") from error
    elif path.suffix == ".keras" and kept.exists():
        how = recipe.load(kept).targets
        labels, judge = how.names, how.judge
    return Member(path, labels, judge, temperature)


class Ensemble:
    """Models that answer as one, or a single one.

    The mean over the models is that of their log-probabilities, as one net of their mean
    logits would have it, or that of their probabilities.
    """

    def __init__(self, paths, temperature=None, mean=LOG):
        if mean not in (LOG, PLAIN):
            raise TrainingError(f"unable to take the mean of {mean}: neither {LOG} nor {PLAIN}")
        self.mean = mean
        self.members = []
        self.models = [load_model(describe(path).path) for path in paths]
        for path, model in zip(paths, self.models, strict=True):
            known = describe(path)
            names = known.labels or _labels_of(model.outputs, known.path)
            if len(names) != model.outputs:
                raise TrainingError(
                    f"unable to use model {path}: {model.outputs} outputs for {len(names)} labels"
                )
            factor = known.temperature if temperature is None else temperature
            self.members.append(Member(known.path, names, known.judge, factor))
        self.labels = tuple(
            name
            for name in self.members[0].labels
            if all(name in member.labels for member in self.members)
        )

    def logits(self, pixels, labels=None):
        """Return the log-probabilities float64 (n, labels) for uint8 pixels (n, h, w)."""
        labels = labels or self.labels
        found = []
        for member, model in zip(self.members, self.models, strict=True):
            missing = [name for name in labels if name not in member.labels]
            if missing:
                raise TrainingError(
                    f"unable to use model {member.path}: it does not know {', '.join(missing)}"
                )
            chosen = [member.labels.index(name) for name in labels]
            found.append(metrics.log_softmax(model.logits(pixels)[:, chosen], member.temperature))
        if self.mean == PLAIN:
            return np.log(np.maximum(np.mean(np.exp(found), axis=0), 1e-12))
        return metrics.log_softmax(np.mean(found, axis=0))


def _labels_of(outputs, path):
    for names in (EMOTIONS, FER2013_EMOTIONS):
        if outputs == len(names):
            return names
    raise TrainingError(
        f"unable to use model {path}: {outputs} outputs, and no sidecar or recipe names them"
    )


def evaluate(models, split, temperature=None, judge=None, labels=None, mean=LOG):
    """Return metrics.figures of a model, or of several as one, on a dataset.Split.

    Without a temperature, that of each model's sidecar is used. `judge` says what is right
    (majority or label; default: as the first model's recipe says, else majority); of
    `labels`, where given, are the faces and the answers. See Ensemble for `mean`.
    """
    models = [models] if isinstance(models, (str, Path)) else list(models)
    ensemble = Ensemble(models, temperature, mean)
    labels = tuple(labels or ensemble.labels)
    how = Targets(judge=judge or ensemble.members[0].judge, labels=labels)
    pixels, truth = split.judged(how)
    found = metrics.figures(ensemble.logits(pixels, labels), truth, labels)
    temperatures = [member.temperature for member in ensemble.members]
    return {
        **found,
        "judge": how.judge,
        "temperature": temperatures if len(models) > 1 else temperatures[0],
        "model": [str(path) for path in models] if len(models) > 1 else str(models[0]),
    }
