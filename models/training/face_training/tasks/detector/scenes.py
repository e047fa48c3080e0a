"""Pictures with marked faces: a folder of them made ready, and read.

A source folder holds `images/`, `pictures.csv` (image, source, width, height, split) and
`faces.csv` (image, x, y, width, height; five points as right_eye_x … left_mouth_y, which may be
empty; `what`: face, or unsure for what is neither face nor background). Right and left are the
person's. A picture without rows in `faces.csv` shows no face.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...data.tables import cells, columns, open_csv
from ...errors import TrainingError
from ...files import write_text

_INDEX, _PIXELS = "scenes.json", "scenes.bin"
_BOX = ("x", "y", "width", "height")
POINTS = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
_POINTS = tuple(f"{name}_{axis}" for name in POINTS for axis in "xy")
# Pictures are kept in full, half and quarter size, so that no crop has to average.
LEVELS = 3
# An unsure box that shares so much of the smaller one with a face is that face.
_SAME = 0.4


@dataclass(frozen=True)
class Scene:
    """One picture: blue, green, red uint8 (h, w, 3) by level, and its marked faces.

    `boxes` (m, 4) are left, top, width, height; `points` (m, 5, 2), NaN where not known; `sure`
    (m,) tells faces from unsure ones. All in pixels of level 0.
    """

    levels: tuple[np.ndarray, ...]
    boxes: np.ndarray
    points: np.ndarray
    sure: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Root of each box's area (m,)."""
        return np.sqrt(self.boxes[:, 2:].prod(axis=1))


def prepare(source: Path, out: Path) -> dict[str, int]:
    """Decode the pictures of a source folder into `out`; returns pictures and faces by split."""
    faces = _read_faces(source / "faces.csv")
    out.mkdir(parents=True, exist_ok=True)
    index, place = [], 0
    counts: dict[str, int] = defaultdict(int)
    with open(out / _PIXELS, "wb") as pixels:
        for name, origin, split in _read_pictures(source / "pictures.csv"):
            picture = cv2.imread(str(source / "images" / name), cv2.IMREAD_COLOR)
            if picture is None:
                raise TrainingError(f"unable to read picture {source / 'images' / name}")
            shapes = []
            for level in range(LEVELS):
                height, width = (max(1, round(side / 2**level)) for side in picture.shape[:2])
                small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
                pixels.write(small.tobytes())
                shapes.append([height, width, place])
                place += small.size
            found = _without_doubles(faces.get(name, []))
            index.append(
                {"name": name, "source": origin, "split": split, "levels": shapes, "faces": found}
            )
            counts[f"{split} pictures"] += 1
            counts[f"{split} faces"] += sum(bool(face[-1]) for face in found)
    write_text(out / _INDEX, json.dumps(index))
    return dict(counts)


def _read_pictures(path: Path) -> Iterator[tuple[str, str, str]]:
    with open_csv(path) as lines:
        rows = csv.reader(lines)
        wanted = columns(next(rows, []), path, ("image", "source", "split"))
        for number, row in enumerate(rows, start=2):
            name, source, split = cells(row, wanted, f"{path}, row {number}")
            yield name, source, split


def _read_faces(path: Path) -> dict[str, list[list[float]]]:
    """Return {image: rows of box, points and 1 for a face, 0 for unsure}."""
    found = defaultdict(list)
    with open_csv(path) as lines:
        rows = csv.reader(lines)
        wanted = columns(next(rows, []), path, ("image", *_BOX, *_POINTS, "what"))
        for number, row in enumerate(rows, start=2):
            name, *values, what = cells(row, wanted, f"{path}, row {number}")
            if what not in ("face", "unsure"):
                raise TrainingError(f"unable to read {path}, row {number}: what is {what!r}")
            try:
                numbers = [float(value) if value else float("nan") for value in values]
            except ValueError as error:
                raise TrainingError(f"unable to read {path}, row {number}: {error}") from error
            found[name].append([*numbers, float(what == "face")])
    return found


def _without_doubles(faces: list[list[float]]) -> list[list[float]]:
    """Leave out unsure boxes that are a face seen otherwise."""
    sure = np.array([face[:4] for face in faces if face[-1]]).reshape(-1, 4)
    kept = []
    for face in faces:
        corner, sides = np.array(face[:2]), np.array(face[2:4])
        common = np.minimum(corner + sides, sure[:, :2] + sure[:, 2:]) - np.maximum(
            corner, sure[:, :2]
        )
        smaller = np.minimum(sides.prod(), sure[:, 2:].prod(axis=1))
        doubles = np.clip(common, 0, None).prod(axis=1) > _SAME * smaller
        if face[-1] or not doubles.any():
            kept.append(face)
    return kept


class Scenes:
    """The pictures of a split of a folder made by `prepare`.

    `often` says how often pictures of a source are drawn, of others 1.
    """

    def __init__(self, data: Path, split: str, often: Mapping[str, float] | None = None) -> None:
        try:
            index = json.loads((data / _INDEX).read_text(encoding="utf-8"))
            self._pixels = np.memmap(data / _PIXELS, np.uint8, "r")
        except (OSError, ValueError) as error:
            raise TrainingError(
                f"unable to read scenes in {data}: {error} (make them with `scenes`)"
            ) from error
        self._index = [one for one in index if one["split"] == split]
        if not self._index:
            raise TrainingError(f"unable to use {data}: it has no pictures of split {split}")
        self._faces = [np.array(one["faces"]).reshape(-1, 15) for one in self._index]
        self.sources = [one["source"] for one in self._index]
        sure = np.array([faces[:, -1].sum() for faces in self._faces])
        self.with_faces = np.flatnonzero(sure > 0)
        self.empty = np.flatnonzero([not len(faces) for faces in self._faces])
        # Crowds show more, but not as often as they have faces.
        weights = np.sqrt(np.minimum(sure[self.with_faces], 8))
        weights *= [(often or {}).get(self.sources[number], 1.0) for number in self.with_faces]
        self._weights = np.cumsum(weights / weights.sum()) if len(weights) else weights

    def __len__(self) -> int:
        return len(self._index)

    def scene(self, number: int) -> Scene:
        """Return one picture."""
        levels = tuple(
            self._pixels[place : place + height * width * 3].reshape(height, width, 3)
            for height, width, place in self._index[number]["levels"]
        )
        faces = self._faces[number]
        return Scene(levels, faces[:, :4], faces[:, 4:14].reshape(-1, 5, 2), faces[:, 14] > 0)

    def read(self, number: int) -> np.ndarray:
        """Return one picture as red, green, blue uint8 (h, w, 3)."""
        return np.ascontiguousarray(self.scene(number).levels[0][..., ::-1])

    def any_with_faces(self, random: np.random.Generator) -> Scene:
        """Return a picture with a sure face."""
        place = int(np.searchsorted(self._weights, random.random()))
        return self.scene(self.with_faces[min(place, len(self.with_faces) - 1)])

    def any_empty(self, random: np.random.Generator) -> Scene:
        """Return a picture without a face; one with faces where the data has none without."""
        chosen = self.empty if len(self.empty) else np.arange(len(self))
        return self.scene(random.choice(chosen))
