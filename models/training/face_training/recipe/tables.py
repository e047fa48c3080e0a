"""The recipe's tables that every task shares, as dataclasses; their defaults and ranges."""

from dataclasses import dataclass, field
from typing import Any


def between(default: float, least: float, most: float) -> Any:
    """Return the field of a number with its range, both ends allowed."""
    return field(default=default, metadata={"least": least, "most": most})


def one_of(default: str, *choices: str) -> Any:
    """Return the field of a text that is one of several."""
    return field(default=default, metadata={"choices": choices})


@dataclass(frozen=True)
class Input:
    """What the net takes: real value = (pixel value - mean) / std."""

    width: int = between(48, 8, 4096)
    height: int = between(48, 8, 4096)
    channels: int = between(1, 1, 3)  # 1: grey; 3: red, green, blue
    mean: float = between(0.0, 0.0, 255.0)
    std: float = between(255.0, 1.0, 255.0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one picture."""
        return self.height, self.width, self.channels


@dataclass(frozen=True)
class Augment:
    """How far training pictures are changed; shares are of the pictures of a batch."""

    flip: bool = True
    rotate_degrees: float = between(15.0, 0.0, 180.0)
    zoom: float = between(0.15, 0.0, 0.9)  # size changes by up to this share
    shift: float = between(0.08, 0.0, 0.5)  # of the side
    contrast: float = between(0.3, 0.0, 1.0)  # up to this share more or less
    brightness: float = between(0.15, 0.0, 1.0)  # of the full range
    gamma: float = between(0.0, 0.0, 2.0)  # exponents from 1 / (1 + gamma) to 1 + gamma
    sidelight: float = between(0.0, 0.0, 1.0)  # up to this share darker at one side
    grey_cast: float = between(0.0, 0.0, 0.9)  # up to this share of one flat grey mixed in
    blur_share: float = between(0.15, 0.0, 1.0)
    coarse_share: float = between(0.15, 0.0, 1.0)  # made smaller and enlarged, as a far face is
    coarse_most: float = between(2.0, 1.0, 6.0)  # how many times smaller at most, from 2 up
    jpeg_share: float = between(0.0, 0.0, 1.0)
    jpeg_quality: int = between(20, 1, 100)  # the lowest; the highest is 90
    noise: float = between(0.02, 0.0, 1.0)  # largest standard deviation, of the full range
    erase_share: float = between(0.25, 0.0, 1.0)
    erase_side: float = between(0.3, 0.1, 1.0)  # largest side of the erased square, of the side
    mixup: float = between(0.0, 0.0, 10.0)  # alpha of the Beta distribution; 0: none


@dataclass(frozen=True)
class Train:
    """Optimiser and schedule (warm-up, then cosine to 0)."""

    epochs: int = between(24, 1, 100_000)
    batch: int = between(128, 1, 65_536)  # pictures of a step
    optimiser: str = one_of("adamw", "adamw", "sgd")
    learning_rate: float = between(2e-3, 0.0, 10.0)
    momentum: float = between(0.9, 0.0, 1.0)  # of sgd
    nesterov: bool = True  # of sgd
    warmup_epochs: float = between(1.5, 0.0, 1000.0)
    weight_decay: float = between(0.05, 0.0, 1.0)
    ema_decay: float = between(0.998, 0.0, 1.0)  # of the averaged weights, a step
    # auto: mixed_bfloat16 where the processor has it, else float32
    precision: str = one_of("auto", "auto", "mixed_bfloat16", "float32")
    seed: int = between(1, 0, 2_000_000)
    train_split: str = "Training"
    watch_split: str = "PublicTest"
    watch_every: int = between(2, 1, 100_000)  # epochs
    source_weights: dict = field(default_factory=dict)  # of a source's pictures in the loss; else 1
    source_shares: dict = field(default_factory=dict)  # of the loss, of all of a source's pictures


@dataclass(frozen=True)
class Stage:
    """One of several parts of a training: which layers learn, how long, how fast."""

    epochs: int = between(0, 1, 100_000)
    learning_rate: float = between(0.0, 0.0, 10.0)
    trains: str = "all"  # all; head; or the name of a layer: from it to the end
    warmup_epochs: float = between(0.0, 0.0, 1000.0)
    freeze_norm: bool = False  # keep the statistics of batch normalisation


@dataclass(frozen=True)
class Distill:
    """How much is learnt from the teachers (Hinton et al. 2015, arXiv:1503.02531)."""

    # Each a text, or {model = …, sha256 = …}; the model is the name of a run beside this one, or a
    # run folder, .keras, .tflite or .onnx file.
    teachers: tuple = ()
    mean: str = one_of("log-probabilities", "log-probabilities", "probabilities")  # over teachers
    temperature: float = between(2.0, 0.1, 100.0)  # divides logits of both sides
    share: float = between(0.7, 0.0, 1.0)  # of the teachers; the rest is the data's own targets
    sources: tuple = ()  # whose labelled pictures the teachers speak of; empty: all
    # Pictures without a label count only where the teachers' mean is at least this sure of what
    # they see when the picture is not changed (Xie et al. 2020, arXiv:1911.04252).
    least_confidence: float = between(0.5, 0.0, 1.0)


@dataclass(frozen=True)
class Export:
    """How the int8 file is made."""

    calibration_pictures: int = between(1000, 1, 1_000_000)
    calibration: str = one_of("random", "random", "balanced")  # as many of each class
    # Other pictures are tried where int8 loses over half a point of the primary figure.
    remedy: str = one_of("auto", "auto", "all", "off")


@dataclass(frozen=True)
class Card:
    """What is said of the model in its sidecar and card."""

    licence: str = ""  # of the weights; empty: said to be not stated
    training_data: str = ""  # whose pictures, with references
    terms: str = ""  # under what terms the pictures may be used
    limits: tuple = ()  # sentences: where it is not to be relied on
