"""Faces with what a teacher's mesh says of them: made ready, and read.

Each is kept as a grey square around it, three of its sizes wide, so that it can be shifted, turned and
zoomed; with its points, box, pose and openness in the square's pixels.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...errors import TrainingError
from ...files import write_whole
from . import named

SIDE = 160
# Sides of the square in sizes of the face.
_SIZES = 3.0
_PIXELS, _LABELS = "faces.npy", "faces.npz"
# A face whose roll is less tells how its box lies around its mesh.
_LEVEL = 12.0
# A mesh is refused whose box is so far off the marked one, or of so different a size.
_FAR, _RATIO = 0.3, 1.6
# Every so many meshes make the mean shape.
_EVERY = 5


@dataclass(frozen=True)
class Labels:
    """What is known of n faces; lengths in pixels of the square."""

    points: np.ndarray  # (n, named.COUNT, 2)
    box: np.ndarray  # (n, 4): middle and sides of the upright face's box
    pose: np.ndarray  # (n, 3): yaw, pitch, roll in degrees
    open: np.ndarray  # (n, 3): right eye, left eye, mouth
    size: np.ndarray  # (n,): of the face in its picture, in that picture's pixels
    split: np.ndarray

    def __len__(self) -> int:
        return len(self.split)

    def part(self, chosen: np.ndarray) -> "Labels":
        """Return those that an index or mask chooses."""
        return Labels(**{name: values[chosen] for name, values in vars(self).items()})


def _turned(places: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Return places (n, …, 2) turned clockwise, each row by its own angle."""
    angle = np.radians(degrees).reshape(-1, *[1] * (places.ndim - 2))
    x, y = places[..., 0], places[..., 1]
    return np.stack(
        [np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y], axis=-1
    )


def boxes(mesh: np.ndarray, roll: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Return middle and sides (n, 4) of each upright face's box.

    All by one rule, as the marked boxes of faces that stand upright lie around their meshes.
    """
    upright = _turned(mesh[:, :468, :2], -roll)
    low, high = upright.min(axis=1), upright.max(axis=1)
    middle, sides = (low + high) / 2, high - low
    known = np.isfinite(marked[:, 0]) & (np.abs(roll) < _LEVEL)
    if not known.any():
        raise TrainingError("unable to prepare faces: no upright face has a marked box")
    centres = _turned(marked[:, :2] + marked[:, 2:] / 2, -roll)
    shift = np.median(((centres - middle) / sides)[known], axis=0)
    scale = np.median((marked[:, 2:] / sides)[known], axis=0)
    return np.concatenate([_turned(middle + shift * sides, roll), sides * scale], axis=1)


def _agree(box: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Return which boxes (n, 4) are where something was marked, or where nothing was."""
    size, other = (np.sqrt(one[:, 2:].prod(axis=1)) for one in (box, marked))
    away = np.linalg.norm(box[:, :2] - marked[:, :2] - marked[:, 2:] / 2, axis=1)
    near = (away < _FAR * size) & (size < _RATIO * other) & (other < _RATIO * size)
    return near | np.isnan(marked[:, 0])


def prepare(meshes: Path, out: Path) -> dict[str, int]:
    """Cut the faces of a file made by `mesh.py` into `out`; returns how many there are by split."""
    try:
        with np.load(meshes) as kept:
            mesh, marked = kept["mesh"], kept["box"]
            pictures, split = kept["picture"], kept["split"]
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"unable to read {meshes}: {error}") from error
    pose = named.pose(named.mean_shape(mesh[::_EVERY, :468]), mesh[:, :468])
    box = boxes(mesh, pose[:, 2], marked)
    chosen = np.flatnonzero(_agree(box, marked))
    mesh, box, pose = mesh[chosen], box[chosen], pose[chosen]
    size = np.sqrt(box[:, 2:].prod(axis=1))
    scale, corner = SIDE / (_SIZES * size), box[:, :2] - _SIZES * size[:, None] / 2
    out.mkdir(parents=True, exist_ok=True)
    shape = (len(chosen), SIDE, SIDE)
    squares = np.lib.format.open_memmap(out / _PIXELS, "w+", np.uint8, shape)
    for row, number in enumerate(chosen):
        squares[row] = _square(Path(str(pictures[number])), float(scale[row]), corner[row])
    squares.flush()
    labels = Labels(
        (named.points(mesh) - corner[:, None]) * scale[:, None, None],
        np.concatenate([(box[:, :2] - corner), box[:, 2:]], axis=1) * scale[:, None],
        pose,
        named.openness(mesh),
        size,
        split[chosen],
    )

    def write(part: Path) -> None:
        with open(part, "wb") as file:
            np.savez(file, **vars(labels))

    write_whole(out / _LABELS, write)
    return {name: int((labels.split == name).sum()) for name in sorted(set(labels.split))}


def _square(path: Path, scale: float, corner: np.ndarray) -> np.ndarray:
    """Return the grey square of a picture whose upper left corner is at `corner`."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise TrainingError(f"unable to read picture {path}")
    matrix = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    if scale < 0.55:
        height, width = (max(1, round(side * scale)) for side in picture.shape)
        matrix[0, 0] *= picture.shape[1] / width
        matrix[1, 1] *= picture.shape[0] / height
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)


class Faces:
    """The faces of a split of a folder made by `prepare`."""

    def __init__(self, data: Path, split: str) -> None:
        try:
            with np.load(data / _LABELS) as kept:
                every = Labels(**{name: kept[name] for name in kept})
            self._squares = np.load(data / _PIXELS, mmap_mode="r")
        except (OSError, ValueError, TypeError) as error:
            raise TrainingError(
                f"unable to read faces in {data}: {error} (make them with `faces`)"
            ) from error
        self._rows = np.flatnonzero(every.split == split)
        if not len(self._rows):
            raise TrainingError(f"unable to use {data}: it has no faces of split {split}")
        self.labels = every.part(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, number: int) -> np.ndarray:
        """Return one square, grey uint8 (SIDE, SIDE, 1)."""
        return self._squares[self._rows[number]][..., None]
