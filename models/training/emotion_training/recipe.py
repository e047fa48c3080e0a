"""The TOML recipe: everything that decides what a run makes, apart from the data."""

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .errors import TrainingError


@dataclass(frozen=True)
class Augment:
    """How far training pictures are changed; shares are of the pictures of a batch."""

    flip: bool = True
    rotate_degrees: float = 15.0
    zoom: float = 0.15  # size changes by up to this share
    shift: float = 0.08  # of the side
    contrast: float = 0.3  # up to this share more or less
    brightness: float = 0.15  # of the full range
    blur_share: float = 0.15
    coarse_share: float = 0.15  # halved and enlarged again, as a far face is
    noise: float = 0.02  # largest standard deviation, of the full range
    erase_share: float = 0.25
    erase_side: float = 0.3  # largest side of the erased square, of the side


@dataclass(frozen=True)
class Train:
    """Optimiser (AdamW) and schedule (warm-up, then cosine to 0)."""

    epochs: int = 24
    batch: int = 128
    learning_rate: float = 2e-3
    warmup_epochs: float = 1.5
    weight_decay: float = 0.05
    balance: float = 0.0  # 0: every face weighs the same; 1: every class does
    ema_decay: float = 0.998  # a step
    precision: str = "mixed_bfloat16"
    seed: int = 1
    train_split: str = "Training"
    watch_split: str = "PublicTest"
    watch_every: int = 2  # epochs


@dataclass(frozen=True)
class Export:
    """How the int8 file is made."""

    calibration_faces: int = 1000
    calibration: str = "random"  # or "balanced": as many faces of each class
    percentile: float = 100.0  # int8 ranges run from 100 - percentile to percentile
    remedy: str = "auto"  # other ways where int8 loses over half a point; or "all", "off"
    finetune_steps: int = 300  # batches of 64 faces
    finetune_rate: float = 1e-4  # learning rate at first
    prior_shift: float = 0.0  # share of the log prior taken off the logits
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
    augment: Augment
    train: Train
    export: Export
    crop: Crop


_SECTIONS = {"augment": Augment, "train": Train, "export": Export, "crop": Crop}


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
    for key, kind in _SECTIONS.items():
        values[key] = _section(kind, table.pop(key, {}), f"{path}: [{key}]")
    if table:
        raise TrainingError(f"unable to use recipe {path}: unknown key {sorted(table)[0]}")
    return Recipe(**values)


def _section(kind, table, place):
    if not isinstance(table, dict):
        raise TrainingError(f"unable to use recipe {place} must be a table")
    fields = {field.name: field.type for field in dataclasses.fields(kind)}
    values = {}
    for key, value in table.items():
        if key not in fields:
            raise TrainingError(f"unable to use recipe {place} unknown key {key}")
        wanted = fields[key]
        if wanted is float and type(value) is int:
            value = float(value)
        if type(value) is not wanted:
            raise TrainingError(f"unable to use recipe {place} {key} must be {wanted.__name__}")
        values[key] = value
    return kind(**values)
