"""Run .keras and .tflite models, one or several as one, and judge them on a split's faces."""

import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from . import metrics, recipe, runs
from .errors import TrainingError
from .labels import EMOTIONS, FER2013_EMOTIONS
from .recipe import Targets

# The nets' input convention: real value = (pixel - MEAN) / STD, so [0, 1].
MEAN, STD = 0.0, 255.0
# How the answers of several models become one: the mean of what.
LOG, PLAIN = "log-probabilities", "probabilities"


class KerasModel:
    """A float model."""

    def __init__(self, path):
        self.model = load_keras(path)
        self.outputs = self.model.output_shape[-1]

    def logits(self, pixels):
        """Return float32 logits (n, classes) for uint8 pixels (n, h, w)."""
        return keras_logits(self.model, pixels)


class TfliteModel:
    """A .tflite model of batch 1 with float32 or int8 ends, in LiteRT as the daemon runs it."""

    def __init__(self, path):
        try:
            self.interpreter = Interpreter(model_path=str(path), num_threads=1)
            self.interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise TrainingError(f"unable to load model {path}: {error}") from error
        (self.input,) = self.interpreter.get_input_details()
        (self.output,) = self.interpreter.get_output_details()
        if self.input["shape"][0] != 1:
            raise TrainingError(f"unable to use model {path}: its batch is not 1")
        self.outputs = int(self.output["shape"][-1])

    def logits(self, pixels):
        """Return float32 logits (n, classes) for uint8 pixels (n, h, w)."""
        pictures = quantise((pixels.astype(np.float32) - MEAN) / STD, self.input)
        found = []
        for picture in pictures:
            self.interpreter.set_tensor(self.input["index"], picture[None, ..., None])
            self.interpreter.invoke()
            found.append(self.interpreter.get_tensor(self.output["index"])[0])
        return dequantise(np.array(found), self.output)


def load_keras(path):
    """Load a .keras file as a float32 net, also if it was saved with another precision."""
    try:
        model = keras.saving.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to load model {path}: {error}") from error
    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model

    def as_float32(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    exact = keras.models.clone_model(model, clone_function=as_float32, recursive=True)
    exact.set_weights(model.get_weights())
    return exact


def keras_logits(model, pixels, batch=256):
    """Return float32 logits (n, classes) of a Keras model for uint8 pixels (n, h, w)."""
    pictures = (pixels[..., None].astype(np.float32) - MEAN) / STD
    return np.asarray(model.predict(pictures, batch_size=batch, verbose=0), np.float32)


def quantise(values, tensor):
    """Turn real values into the type of a tensor described by the interpreter."""
    kind = tensor["dtype"]
    if kind == np.float32:
        return values.astype(np.float32)
    scale, zero_point = tensor["quantization"]
    limits = np.iinfo(kind)
    return np.clip(np.rint(values / scale) + zero_point, limits.min, limits.max).astype(kind)


def dequantise(values, tensor):
    """Turn values of a tensor described by the interpreter into float32 real values."""
    if tensor["dtype"] == np.float32:
        return values
    scale, zero_point = tensor["quantization"]
    return ((values.astype(np.float32) - zero_point) * scale).astype(np.float32)


def load_model(path):
    """Load a .keras or .tflite model."""
    kinds = {".keras": KerasModel, ".tflite": TfliteModel}
    kind = kinds.get(Path(path).suffix)
    if kind is None:
        raise TrainingError(f"unable to load model {path}: neither .keras nor .tflite")
    return kind(path)


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
