"""Cuts that a points net learns from: faces shifted, turned and zoomed, and what is no face."""

import math

import cv2
import numpy as np

from ..detector.degrade import between, degrade
from ..detector.scenes import Scenes
from . import named
from .faces import SIDE, Faces
from .tables import Cuts

# A cut is so many sizes of the face wide.
NOMINAL = 1.5
NO_FACE, FACE, UNSURE = 0.0, 1.0, -1.0
# Of a face's size: how far off the middle it may be to be one, and how wide the cut.
_BESIDE, _PART, _WIDE = 0.55, 0.34, 2.4


class Cutter:
    """Makes cuts of one side from faces and from pictures without any."""

    def __init__(self, faces: Faces, scenes: Scenes, how: Cuts, side: int) -> None:
        self.faces, self.scenes, self.how, self.side = faces, scenes, how, side
        labels = faces.labels
        # Heads that turn, closed eyes and open mouths are rare and matter.
        rare = 1 + np.clip(np.abs(labels.pose[:, 0]) / 25, 0, 2)
        rare = rare + 1.5 * (labels.open[:, :2].min(axis=1) < 0.17) + (labels.open[:, 2] > 0.12)
        self._often = np.cumsum(rare / rare.sum())

    def cut(self, random: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return a picture, grey uint8 (side, side, 1), and its goals, float32.

        "face" () is FACE, NO_FACE or UNSURE; "points" (COUNT, 2) and "box" (4,), its middle and
        sides, are in sides of the cut, "pose" (2,) yaw and pitch in units of 90 degrees, "open"
        (3,), and "weight" () says how sharp the face is. Without a face they are 0.
        """
        how, chance = self.how, random.random()
        if chance < how.none + how.beside:
            picture = self._empty(random) if chance < how.none else self._beside(random)
            return self._finish(picture, random), _goals(NO_FACE)
        chance -= how.none + how.beside
        return self._face(
            random,
            "part" if chance < how.part else "wrong" if chance < how.part + how.wrong else "",
        )

    def _empty(self, random: np.random.Generator) -> np.ndarray:
        picture = self.scenes.any_empty(random).levels[0]
        most = min(picture.shape[:2])
        return self._piece(
            picture, int(min(most, max(12, between(random, 0.15, 1) * most))), random
        )

    def _beside(self, random: np.random.Generator) -> np.ndarray:
        """Return a piece of a picture with faces, away from them; if a few tries find none, of one
        without."""
        for _ in range(4):
            scene = self.scenes.any_with_faces(random)
            high, wide = scene.levels[0].shape[:2]
            side = int(max(14, between(random, 0.08, 0.5) * min(high, wide)))
            corner = random.integers(0, (max(1, wide - side), max(1, high - side)))
            margin = 0.1 * scene.boxes[:, 2:]
            common = np.minimum(corner + side, scene.boxes[:, :2] + scene.boxes[:, 2:] + margin)
            common -= np.maximum(corner, scene.boxes[:, :2] - margin)
            if not (common > 0).all(axis=1).any():
                x, y = corner
                return self._grey(scene.levels[0][y : y + side, x : x + side])
        return self._empty(random)

    def _piece(self, picture: np.ndarray, side: int, random: np.random.Generator) -> np.ndarray:
        x, y = (int(random.integers(0, picture.shape[axis] - side + 1)) for axis in (1, 0))
        return self._grey(picture[y : y + side, x : x + side])

    def _grey(self, picture: np.ndarray) -> np.ndarray:
        grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_BGR2GRAY)
        return cv2.resize(grey, (self.side, self.side), interpolation=cv2.INTER_AREA)

    def _face(
        self, random: np.random.Generator, kind: str
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return a cut of a face; `kind` "part": of a piece of it, "wrong": placed wrongly."""
        row = min(int(np.searchsorted(self._often, random.random())), len(self.faces) - 1)
        matrix, flag = self._place(random, row, kind)
        labels, side = self.faces.labels, self.side
        source, drawn = self.faces.read(row)[..., 0], matrix.copy()
        if abs(np.linalg.det(matrix[:, :2])) < 0.18 and random.random() < 0.7:
            source = cv2.resize(source, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
            drawn[:, :2] *= 2
        border = cv2.BORDER_CONSTANT if random.random() < 0.6 else cv2.BORDER_REPLICATE
        picture = cv2.warpAffine(
            source, drawn, (side, side), flags=cv2.INTER_LINEAR, borderMode=border
        )
        turn, move = matrix[:, :2], matrix[:, 2]
        points = (labels.points[row] @ turn.T + move) / side
        pose, opened = labels.pose[row, :2] / 90, labels.open[row]
        if np.linalg.det(turn) < 0:
            points, pose, opened = points[named.MIRRORED], pose * (-1, 1), opened[[1, 0, 2]]
        scale = math.sqrt(abs(np.linalg.det(turn)))
        box = labels.box[row]
        box = np.concatenate([box[:2] @ turn.T + move, box[2:] * scale]) / side
        if flag == FACE and ((points > 0) & (points < 1)).all(axis=1).mean() < 0.75:
            flag = UNSURE
        weight = 0.3 + 0.7 * min(1.0, labels.size[row] / 50)
        return self._finish(picture, random), _goals(flag, points, box, pose, opened, weight)

    def _place(self, random: np.random.Generator, row: int, kind: str) -> tuple[np.ndarray, float]:
        """Return (matrix from the square to the cut, whether a face is there)."""
        how, labels = self.how, self.faces.labels
        level = -labels.pose[row, 2] if random.random() < 0.7 else 0.0
        often = random.random() < 0.6
        turn = (
            random.normal(0, how.turn_degrees / 6)
            if often
            else random.uniform(-1, 1) * how.turn_degrees
        )
        zoom = between(random, 1 / how.zoom, how.zoom)
        shift = random.uniform(-how.shift, how.shift, 2) * (0.4 if random.random() < 0.6 else 1.0)
        middle, flag = labels.box[row, :2], FACE
        size = SIDE / 3
        if kind == "part":
            zoom, shift = between(random, 0.16, 0.42), np.zeros(2)
            middle = (
                labels.points[row, random.integers(named.COUNT)] + random.normal(0, 0.06, 2) * size
            )
            flag = NO_FACE if zoom < _PART else UNSURE
        elif kind == "wrong" and random.random() < 0.5:
            zoom, shift = between(random, 2.1, 3.4), random.uniform(-0.3, 0.3, 2)
            flag = NO_FACE if zoom > _WIDE else UNSURE
        elif kind == "wrong":
            angle, away = random.uniform(0, 2 * math.pi), between(random, 0.5, 0.8)
            zoom, shift = (
                between(random, 0.7, 1.2),
                away * np.array([math.cos(angle), math.sin(angle)]),
            )
            flag = NO_FACE if away * zoom > _BESIDE else UNSURE
        scale, angle = self.side / (zoom * NOMINAL * size), math.radians(turn + level)
        cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
        mirror = -1 if random.random() < 0.5 else 1
        matrix = np.array([[cos * mirror, -sin], [sin * mirror, cos]])
        target = (0.5 + shift) * self.side
        return np.column_stack([matrix, target - matrix @ middle]), flag

    def _finish(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Cover a part, let the picture end, degrade it."""
        side = self.side
        if random.random() < 0.15:
            width, height = (random.uniform(0.15, 0.45, 2) * side).astype(int)
            x, y = int(random.integers(0, side - width)), int(random.integers(0, side - height))
            other = self._empty(random)[:height, :width]
            flat = np.full_like(other, random.integers(0, 256))
            picture[y : y + height, x : x + width] = flat if random.random() < 0.5 else other
        if random.random() < 0.12:
            for _ in range(random.integers(1, 4)):
                edge = np.rot90(picture, int(random.integers(4)))
                edge[: int(random.uniform(0.02, 0.28) * side)] = 0
        return degrade(picture, random)[..., None]


def _goals(
    flag: float,
    points: np.ndarray | None = None,
    box: np.ndarray | None = None,
    pose: np.ndarray | None = None,
    opened: np.ndarray | None = None,
    weight: float = 0.0,
) -> dict[str, np.ndarray]:
    given = {"points": points, "box": box, "pose": pose, "open": opened}
    shapes = {"points": (named.COUNT, 2), "box": (4,), "pose": (2,), "open": (3,)}
    made = {
        name: np.zeros(shape) if given[name] is None else given[name]
        for name, shape in shapes.items()
    }
    made |= {"face": np.array(flag), "weight": np.array(weight)}
    return {name: np.asarray(values, np.float32) for name, values in made.items()}
