"""Put a picture with its faces into a part of another: turned, stretched, mirrored, scaled."""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from .losses import FACE, UNSURE
from .scenes import Scene

# Points (right eye, left eye, nose, mouth's right, left corner) of the mirrored face.
_MIRRORED = np.array([1, 0, 2, 4, 3])
# Below these scales half and quarter of the picture are used.
_HALF, _QUARTER = 0.62, 0.31


@dataclass
class Marked:
    """The faces of a crop: boxes (4,) as left, top, right, bottom, points (5, 2), NaN where not
    known, and kinds as in `losses`."""

    boxes: list[np.ndarray] = field(default_factory=list)
    points: list[np.ndarray] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)

    def add(self, box: np.ndarray, points: np.ndarray, kind: int) -> None:
        """Mark one more face."""
        self.boxes.append(box)
        self.points.append(points)
        self.kinds.append(kind)


@dataclass(frozen=True)
class Pose:
    """How a picture is drawn: its point `source` comes to `target`."""

    scale: float
    angle: float  # radians, clockwise
    stretch: float  # width over height, 1: as it is
    mirror: bool
    source: np.ndarray
    target: np.ndarray

    def matrix(self) -> np.ndarray:
        """Return the 2x3 matrix from the picture's pixels to the part's."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        wide = math.sqrt(self.stretch)
        across = -wide if self.mirror else wide
        turn = self.scale * np.array([[cos * across, -sin / wide], [sin * across, cos / wide]])
        return np.column_stack([turn, np.asarray(self.target) - turn @ np.asarray(self.source)])


def draw(scene: Scene, matrix: np.ndarray, part: np.ndarray, sharp: bool) -> None:
    """Draw a picture into `part` (h, w, 3); what it does not cover stays.

    `sharp`: from a larger copy, so that pixels are left out rather than averaged.
    """
    scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    level = int(scale < _QUARTER) + int(scale < _HALF and not sharp)
    source, matrix = scene.levels[level], matrix.copy()
    matrix[:, 0] *= scene.levels[0].shape[1] / source.shape[1]
    matrix[:, 1] *= scene.levels[0].shape[0] / source.shape[0]
    height, width = part.shape[:2]
    cv2.warpAffine(source, matrix, (width, height), part, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)


def mark(
    scene: Scene,
    matrix: np.ndarray,
    corner: tuple[int, int],
    size: tuple[int, int],
    least: float,
    marked: Marked,
) -> None:
    """Mark the faces of a picture drawn into a part whose corner and size are (x, y).

    A face whose eyes, nose and mouth are seen is one, wherever its edges are; of which little is
    seen it is background, between the two unsure.
    """
    if not len(scene.boxes):
        return
    turn, move = matrix[:, :2], matrix[:, 2]
    middles = (scene.boxes[:, :2] + scene.boxes[:, 2:] / 2) @ turn.T + move
    # The box of the turned ellipse that fills the face's box.
    sides = np.stack(
        [
            np.hypot(turn[axis, 0] * scene.boxes[:, 2], turn[axis, 1] * scene.boxes[:, 3])
            for axis in (0, 1)
        ],
        axis=1,
    )
    points = scene.points @ turn.T + move
    if np.linalg.det(turn) < 0:
        points = points[:, _MIRRORED]
    low, high = middles - sides / 2, middles + sides / 2
    shown = np.clip(np.minimum(high, size) - np.maximum(low, 0), 0, None).prod(axis=1)
    shown /= np.maximum(sides.prod(axis=1), 1e-6)
    margin = 0.03 * np.sqrt(sides.prod(axis=1))[:, None, None]
    known = np.isfinite(points).all(axis=2)
    inside = ((points > margin) & (points < np.array(size) - margin)).all(axis=2)
    seen = (known & inside).sum(axis=1) + (~known).sum(axis=1) * (shown > 0.7)
    for row in range(len(sides)):
        kind = _kind(
            bool(scene.sure[row]), math.sqrt(sides[row].prod()), shown[row], seen[row], least
        )
        if kind is not None:
            box = np.concatenate([low[row] + corner, high[row] + corner])
            marked.add(box, points[row] + corner, kind)


def _kind(sure: bool, side: float, shown: float, seen: int, least: float) -> int | None:
    """Return what a face is of which a share `shown` and `seen` of five points are in the crop."""
    if shown <= 0.02:
        return None
    if not sure or side < least:
        return UNSURE
    if seen >= 4 and shown >= 0.4:
        return FACE
    if shown < 0.25 or seen <= 1 and shown < 0.5:
        return None
    return UNSURE
