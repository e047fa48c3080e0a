"""How good a points net is on faces of people that it has not learnt from."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ..detector.scenes import Scenes
from ..task import Figures, Net
from . import named
from .cuts import FACE, NO_FACE, NOMINAL, Cutter
from .faces import SIDE, Faces
from .tables import Cuts

# Faces further turned are judged by nobody: half of their points cannot be seen.
_FRONT = 35.0
# As a detector's box and its eyes are off.
_ZOOM, _SHIFT, _TURN = 0.08, 0.04, 5.0
_SEED = 7


@dataclass(frozen=True)
class Shown:
    """Cuts as the daemon makes them, with the goals of `Cutter.cut`, and as many of what is no face."""

    faces: Faces
    scenes: Scenes
    side: int

    def __len__(self) -> int:
        return 2 * len(self.faces)

    def read(self, number: int) -> np.ndarray:
        """Return one cut, grey uint8 (side, side, 1): first the faces, then what is none."""
        return self.shown(number)[0]

    def shown(self, number: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return (cut, goals)."""
        random = np.random.default_rng([_SEED, number])
        if number >= len(self.faces):
            how = Cuts(none=0.5, beside=0.2, part=0.3, wrong=0.0)
            while True:
                picture, goals = Cutter(self.faces, self.scenes, how, self.side).cut(random)
                if goals["face"] == NO_FACE:
                    return picture, goals
        labels, side = self.faces.labels, self.side
        turn = np.radians(random.normal(0, _TURN) - labels.pose[number, 2])
        scale = side / (NOMINAL * SIDE / 3 * np.exp(random.normal(0, _ZOOM)))
        cos, sin = np.cos(turn) * scale, np.sin(turn) * scale
        matrix = np.array([[cos, -sin], [sin, cos]])
        target = (0.5 + random.normal(0, _SHIFT, 2)) * side
        move = target - matrix @ labels.box[number, :2]
        picture = cv2.warpAffine(
            self.faces.read(number)[..., 0], np.column_stack([matrix, move]), (side, side)
        )
        return picture[..., None], {
            "points": (labels.points[number] @ matrix.T + move) / side,
            "pose": labels.pose[number, :2] / 90,
            "open": labels.open[number],
            "face": np.array(FACE),
        }


def errors(points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return distances (n, COUNT) of points (n, COUNT, 2) in shares of the distance of the eyes."""
    eyes = np.linalg.norm(wanted[:, 0] - wanted[:, 1], axis=1)
    return np.linalg.norm(points - wanted, axis=2) / eyes[:, None]


def figures(net: Net, shown: Shown) -> Figures:
    """Return "right" (primary, 1 less the mean error of faces seen from the front, in distances of
    the eyes), the error of each answer, and the shares of faces and of others that are said to be
    faces."""
    pairs = [shown.shown(number) for number in range(len(shown))]
    answers = net.outputs(np.stack([picture for picture, _ in pairs]))
    faces = len(shown.faces)
    said = answers["face"][:, 0] > 0
    goals = [goal for _, goal in pairs[:faces]]
    wanted: Mapping[str, np.ndarray] = {
        name: np.stack([goal[name] for goal in goals]) for name in ("points", "pose", "open")
    }
    front = np.abs(shown.faces.labels.pose[:, 0]) < _FRONT
    points = answers["points"][:faces].reshape(-1, named.COUNT, 2)
    error = errors(points, wanted["points"])[front]
    turn = 90 * np.abs(answers["pose"][:faces] - wanted["pose"]).mean(axis=0)
    opened = np.abs(answers["open"][:faces] - wanted["open"])
    values = {
        "right": 1 - float(error.mean()),
        "error": float(error.mean()),
        "yaw_degrees": float(turn[0]),
        "pitch_degrees": float(turn[1]),
        "eyes_open": float(opened[:, :2].mean()),
        "mouth_open": float(opened[:, 2].mean()),
        "faces": float(said[:faces].mean()),
        "others": float(said[faces:].mean()),
    }
    each = {name: float(value) for name, value in zip(named.NAMES, error.mean(axis=0), strict=True)}
    return Figures(len(shown), values, "right", {"points": each})
