"""The TOML recipe: everything that decides what a run makes, apart from the data."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from .errors import TrainingError
from .tasks.emotion.labels import EMOTIONS, FER2013_EMOTIONS


def _between(default, least, most):
    """A number with its range, both ends allowed."""
    return field(default=default, metadata={"least": least, "most": most})


def _one_of(default, *choices):
    return field(default=default, metadata={"choices": choices})


@dataclass(frozen=True)
class Targets:
    """What is learnt from each face, and what counts as right."""

    # votes: shares of FER+'s votes; majority: FER+'s majority rule; label: the data's own label.
    kind: str = _one_of("votes", "votes", "majority", "label")
    label_share: float = _between(0.0, 0.0, 1.0)  # of the data's own label within the votes
    smoothing: float = _between(0.0, 0.0, 0.9)  # spread evenly over all classes
    judge: str = _one_of("majority", "majority", "label")  # what counts as right
    labels: tuple = ()  # the net's classes; empty: all 8, or FER2013's 7 where judged by label

    @property
    def names(self):
        """The net's classes, in the order of its outputs."""
        return self.labels or (FER2013_EMOTIONS if self.judge == "label" else EMOTIONS)


@dataclass(frozen=True)
class Augment:
    """How far training pictures are changed; shares are of the pictures of a batch."""

    flip: bool = True
    rotate_degrees: float = _between(15.0, 0.0, 180.0)
    zoom: float = _between(0.15, 0.0, 0.9)  # size changes by up to this share
    shift: float = _between(0.08, 0.0, 0.5)  # of the side
    contrast: float = _between(0.3, 0.0, 1.0)  # up to this share more or less
    brightness: float = _between(0.15, 0.0, 1.0)  # of the full range
    gamma: float = _between(0.0, 0.0, 2.0)  # exponents from 1 / (1 + gamma) to 1 + gamma
    sidelight: float = _between(0.0, 0.0, 1.0)  # up to this share darker at one side
    grey_cast: float = _between(0.0, 0.0, 0.9)  # up to this share of one flat grey mixed in
    blur_share: float = _between(0.15, 0.0, 1.0)
    coarse_share: float = _between(0.15, 0.0, 1.0)  # made smaller and enlarged, as a far face is
    coarse_most: float = _between(2.0, 1.0, 6.0)  # how many times smaller at most, from 2 up
    jpeg_share: float = _between(0.0, 0.0, 1.0)
    jpeg_quality: int = _between(20, 1, 100)  # the lowest; the highest is 90
    noise: float = _between(0.02, 0.0, 1.0)  # largest standard deviation, of the full range
    erase_share: float = _between(0.25, 0.0, 1.0)
    erase_side: float = _between(0.3, 0.1, 1.0)  # largest side of the erased square, of the side
    mixup: float = _between(0.0, 0.0, 10.0)  # alpha of the Beta distribution; 0: none


@dataclass(frozen=True)
class Train:
    """Optimiser and schedule (warm-up, then cosine to 0)."""

    epochs: int = _between(24, 1, 100_000)
    batch: int = _between(128, 1, 65_536)  # faces of a step, over all devices
    optimiser: str = _one_of("adamw", "adamw", "sgd")
    learning_rate: float = _between(2e-3, 0.0, 10.0)
    momentum: float = _between(0.9, 0.0, 1.0)  # of sgd
    nesterov: bool = True  # of sgd
    warmup_epochs: float = _between(1.5, 0.0, 1000.0)
    weight_decay: float = _between(0.05, 0.0, 1.0)
    balance: float = _between(0.0, 0.0, 1.0)  # 0: every face weighs the same; 1: every class does
    ema_decay: float = _between(0.998, 0.0, 1.0)  # a step
    precision: str = _one_of("mixed_bfloat16", "mixed_bfloat16", "float32")
    seed: int = _between(1, 0, 2_000_000)
    train_split: str = "Training"
    watch_split: str = "PublicTest"
    watch_every: int = _between(2, 1, 100_000)  # epochs


@dataclass(frozen=True)
class Stage:
    """One of several parts of a training: which layers learn, how long, how fast."""

    epochs: int = _between(0, 1, 100_000)
    learning_rate: float = _between(0.0, 0.0, 10.0)
    trains: str = "all"  # all; head; or the name of a layer: from it to the end
    warmup_epochs: float = _between(0.0, 0.0, 1000.0)
    freeze_norm: bool = False  # keep the statistics of batch normalisation


@dataclass(frozen=True)
class Distill:
    """How much is learnt from the teachers (Hinton et al. 2015, arXiv:1503.02531)."""

    temperature: float = _between(2.0, 0.1, 100.0)  # divides logits of both sides
    share: float = _between(0.7, 0.0, 1.0)  # of the teachers; the rest is the data's own targets


@dataclass(frozen=True)
class Export:
    """How the int8 file is made."""

    calibration_faces: int = _between(1000, 1, 1_000_000)
    calibration: str = _one_of("random", "random", "balanced")  # as many faces of each class
    percentile: float = _between(100.0, 90.0, 100.0)  # int8 ranges run from 100 - it to it
    # Other ways are tried where int8 loses over half a point (auto), always, or never.
    remedy: str = _one_of("auto", "auto", "all", "off")
    finetune_steps: int = _between(300, 1, 1_000_000)  # batches of 64 faces
    finetune_rate: float = _between(1e-4, 0.0, 1.0)  # learning rate at first
    prior_shift: float = _between(0.0, 0.0, 1.0)  # share of the log prior taken off the logits
    class_shift: dict = field(default_factory=dict)  # added to the logits of the classes named
    temperature_split: str = "PublicTest"
    training_data: str = ""  # said in the sidecar


@dataclass(frozen=True)
class Crop:
    """How a detector's square box becomes the net's picture, in parts of the picture's side."""

    scale: float = 1.17
    shift_x: float = 0.0
    shift_y: float = -0.08
    align: str = "eyes"


@dataclass(frozen=True)
class Recipe:
    """One recipe; `net` is the net's name and its builder's options."""

    name: str
    version: str
    description: str
    net: dict
    targets: Targets
    augment: Augment
    train: Train
    stages: tuple  # of Stage; one that trains everything where the recipe has none
    distill: Distill | None
    export: Export
    crop: Crop

    @property
    def labels(self):
        """The net's classes, in the order of its outputs."""
        return self.targets.names

    @property
    def epochs(self):
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)


_SECTIONS = {
    "targets": Targets, "augment": Augment, "train": Train, "export": Export, "crop": Crop,
}  # fmt: skip


def load(path):
    """Read and check a recipe. An unknown key or a value of the wrong type is an error."""
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"unable to read recipe {path}: {error}") from error
    values = {}
    for key in ("name", "version", "description"):
        values[key] = table.pop(key, None)
        if not isinstance(values[key], str):
            raise TrainingError(f"unable to use recipe {path}: {key} must be a text")
    values["net"] = table.pop("net", None)
    if not isinstance(values["net"], dict) or "name" not in values["net"]:
        raise TrainingError(f"unable to use recipe {path}: [net] must have a name")
    values["stages"] = _stages(table, path)
    for key, kind in _SECTIONS.items():
        values[key] = _section(kind, table.pop(key, {}), f"{path}: [{key}]")
    values["stages"] = values["stages"] or (_only_stage(values["train"]),)
    values["distill"] = None
    if "distill" in table:
        values["distill"] = _section(Distill, table.pop("distill"), f"{path}: [distill]")
    if table:
        raise TrainingError(f"unable to use recipe {path}: unknown key {sorted(table)[0]}")
    _check_labels(values["targets"], path)
    for label, shift in values["export"].class_shift.items():
        if label not in values["targets"].names or type(shift) not in (int, float):
            raise TrainingError(
                f"unable to use recipe {path}: [export] class_shift: {label} = {shift!r} is no class"
                " of the net with a number"
            )
    return Recipe(**values)


def replaced(plan, **sections):
    """Return a recipe with keys of sections replaced, as if it had been written so."""
    made = {
        key: _section(type(getattr(plan, key)), {**vars(getattr(plan, key)), **table}, f"[{key}]")
        for key, table in sections.items()
    }
    return dataclasses.replace(plan, **made)


def _stages(table, path):
    stages = table.pop("stages", [])
    if not isinstance(stages, list):
        raise TrainingError(f"unable to use recipe {path}: stages must be written as [[stages]]")
    if stages:
        train = table.get("train", {})
        for key in ("epochs", "learning_rate", "warmup_epochs"):
            if isinstance(train, dict) and key in train:
                raise TrainingError(
                    f"unable to use recipe {path}: [train] {key} belongs into each of [[stages]]"
                )
    made = []
    for number, stage in enumerate(stages, start=1):
        place = f"{path}: [[stages]] number {number}"
        for key in ("epochs", "learning_rate"):
            if isinstance(stage, dict) and key not in stage:
                raise TrainingError(f"unable to use recipe {place} must have {key}")
        made.append(_section(Stage, stage, place))
    return tuple(made)


def _only_stage(train):
    return Stage(
        epochs=train.epochs,
        learning_rate=train.learning_rate,
        warmup_epochs=train.warmup_epochs,
    )


def _section(kind, table, place):
    if not isinstance(table, dict):
        raise TrainingError(f"unable to use recipe {place} must be a table")
    fields = {one.name: one for one in dataclasses.fields(kind)}
    values = {}
    for key, value in table.items():
        if key not in fields:
            raise TrainingError(f"unable to use recipe {place} unknown key {key}")
        values[key] = _value(fields[key], value, f"{place} {key}")
    return kind(**values)


def _value(wanted, value, place):
    if wanted.type is float and type(value) is int:
        value = float(value)
    if wanted.type is tuple and type(value) is list:
        value = tuple(value)
    if type(value) is not wanted.type:
        raise TrainingError(f"unable to use recipe {place} must be {wanted.type.__name__}")
    rule = wanted.metadata
    if "choices" in rule and value not in rule["choices"]:
        raise TrainingError(f"unable to use recipe {place} must be {' or '.join(rule['choices'])}")
    if "least" in rule and not rule["least"] <= value <= rule["most"]:
        raise TrainingError(
            f"unable to use recipe {place} must be {rule['least']} to {rule['most']}"
        )
    return value


def _check_labels(targets, path):
    foreign = [label for label in targets.labels if label not in EMOTIONS]
    if foreign:
        raise TrainingError(
            f"unable to use recipe {path}: [targets] labels: unknown {foreign[0]!r},"
            f" known are {', '.join(EMOTIONS)}"
        )
    if len(set(targets.names)) != len(targets.names) or len(targets.names) < 2:
        raise TrainingError(f"unable to use recipe {path}: [targets] labels must be two or more")
