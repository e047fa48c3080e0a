"""The recipe's tables that only points nets have."""

from dataclasses import dataclass

from ...recipe.tables import between


@dataclass(frozen=True)
class Cuts:
    """How the pictures are cut that a points net learns from.

    A cut is NOMINAL times as wide as its face's size (the root of its box's area). Shares are of
    the cuts; what is left of 1 shows a face.
    """

    epoch: int = between(64_000, 1, 100_000_000)  # cuts of an epoch
    none: float = between(0.13, 0.0, 1.0)  # of pictures without a face
    beside: float = between(0.04, 0.0, 1.0)  # of pictures with faces, away from them
    part: float = between(0.05, 0.0, 1.0)  # an eye, a nose, a mouth: no face
    wrong: float = between(
        0.05, 0.0, 1.0
    )  # a face much too small in the cut, or far off its middle
    shift: float = between(0.24, 0.0, 0.5)  # of the cut's side
    zoom: float = between(1.5, 1.0, 3.0)  # how much wider or narrower than NOMINAL
    turn_degrees: float = between(45.0, 0.0, 180.0)


@dataclass(frozen=True)
class Weights:
    """How much each part of the loss weighs."""

    face: float = between(1.0, 0.0, 1000.0)
    points: float = between(20.0, 0.0, 1000.0)
    box: float = between(10.0, 0.0, 1000.0)
    pose: float = between(10.0, 0.0, 1000.0)
    open: float = between(5.0, 0.0, 1000.0)
