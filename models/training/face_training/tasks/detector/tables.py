"""The recipe's tables that only detectors have."""

from dataclasses import dataclass

from ...recipe.tables import between


@dataclass(frozen=True)
class Crops:
    """What the pictures that a detector learns from are put together of; sizes are pixels.

    A face's size is the root of its box's area. Shares are of the crops; what is left of 1 shows
    one picture each.
    """

    epoch: int = between(16_000, 1, 100_000_000)  # crops of an epoch
    four: float = between(
        0.16, 0.0, 1.0
    )  # four pictures (mosaic, Bochkovskiy 2020, arXiv:2004.10934)
    nine: float = between(0.08, 0.0, 1.0)
    pasted: float = between(0.10, 0.0, 1.0)  # small faces on a picture without any
    none: float = between(0.10, 0.0, 1.0)  # a picture without a face
    inside: float = between(0.03, 0.0, 1.0)  # a part of one face: an eye is none
    filling: float = between(0.03, 0.0, 1.0)  # one face that the edges cut
    least: float = between(7.0, 1.0, 100.0)  # faces below are neither face nor background
    small: float = between(0.38, 0.0, 1.0)  # of single pictures: a face of 8 to 34 px
    turned: float = between(0.13, 0.0, 1.0)  # turned up to 55 degrees; up to 30: twice as many
    stretched: float = between(0.30, 0.0, 1.0)  # up to 1.43 times as wide or as high
    occluded: float = between(0.12, 0.0, 1.0)  # of the faces
    grey: float = between(0.20, 0.0, 1.0)  # without colour, as infrared cameras see


@dataclass(frozen=True)
class Losses:
    """How much each part of the loss weighs."""

    box: float = between(2.0, 0.0, 100.0)  # generalised IoU (arXiv:1902.09630)
    points: float = between(3.0, 0.0, 100.0)
    score: float = between(1.0, 0.0, 100.0)  # quality focal loss (arXiv:2006.04388)


@dataclass(frozen=True)
class Judge:
    """When a detector is said to be good."""

    false_faces: int = between(3, 0, 100_000)  # in pictures without faces: sets the threshold
    # Of the net's own scores, which becomes 0.5 in the file; 0: the one that `false_faces` sets.
    threshold: float = between(0.0, 0.0, 0.999)
    unmatched: float = between(
        0.04, 0.0, 1.0
    )  # share of detections beside all faces that is let pass
    score_floor: float = between(0.05, 0.001, 0.999)  # answers below are not looked at
