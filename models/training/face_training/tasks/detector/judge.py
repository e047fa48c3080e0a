"""How good a detector is on pictures with marked faces and on pictures without any."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..task import Figures, Net
from . import grid
from .crops import to_yuv
from .scenes import Scenes
from .tables import Judge

# A face is found by a detection that overlaps it by so much, each by one.
FOUND_IOU = 0.4
# A detection that overlaps every marked face by less shows none of them.
NO_FACE_IOU = 0.3
# Heights of faces in the net's input, in pixels, that are counted apart.
GROUPS = {"large": (28.0, np.inf), "small": (14.0, 28.0)}
_PART = 64


class Letterboxed:
    """The pictures of a split as a net sees a frame: the whole picture, black beside it, YUV."""

    def __init__(self, scenes: Scenes, size: tuple[int, int]) -> None:
        self.scenes, (self.width, self.height) = scenes, size

    def __len__(self) -> int:
        return len(self.scenes)

    def _fit(self, height: int, width: int) -> tuple[float, float, float]:
        scale = min(self.width / width, self.height / height)
        return scale, (self.width - width * scale) / 2, (self.height - height * scale) / 2

    def read(self, number: int) -> np.ndarray:
        """Return one picture uint8 (h, w, 3)."""
        picture = self.scenes.scene(number).levels[0]
        scale, left, top = self._fit(*picture.shape[:2])
        size = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
        canvas = np.zeros((self.height, self.width, 3), np.uint8)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        x, y = int(left), int(top)
        canvas[y : y + size[1], x : x + size[0]] = small
        return to_yuv(canvas)

    def boxes(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (boxes (m, 4) as left, top, right, bottom, sure (m,)) in the input's pixels."""
        scene = self.scenes.scene(number)
        scale, left, top = self._fit(*scene.levels[0].shape[:2])
        corners = np.concatenate([scene.boxes[:, :2], scene.boxes[:, :2] + scene.boxes[:, 2:]], 1)
        return corners * scale + np.array([int(left), int(top)] * 2), scene.sure


@dataclass(frozen=True)
class Found:
    """What was detected in one picture, surest first, and what is marked in it.

    `hits` (k,): number of the marked face, -1 for none; `beside` (k,): no marked box is near.
    """

    scores: np.ndarray
    hits: np.ndarray
    beside: np.ndarray
    heights: np.ndarray
    sure: np.ndarray


def match(boxes: np.ndarray, scores: np.ndarray, marked: np.ndarray, sure: np.ndarray) -> Found:
    """Match detections, surest first, with marked boxes; a sure face is found once."""
    taken = np.zeros(len(marked), bool)
    hits, beside = np.full(len(boxes), -1), np.ones(len(boxes), bool)
    for row, box in enumerate(boxes):
        if not len(marked):
            break
        overlaps = grid.iou(box, marked)
        beside[row] = overlaps.max() < NO_FACE_IOU
        free = np.where(taken | ~sure, -1, overlaps)
        if free.max() >= FOUND_IOU:
            hits[row] = free.argmax()
            taken[hits[row]] = True
    return Found(scores, hits, beside, marked[:, 3] - marked[:, 1], sure)


def detect(net: Net, pictures: Letterboxed, floor: float) -> Iterator[Found]:
    """Return what a net finds in each picture."""
    for start in range(0, len(pictures), _PART):
        numbers = range(start, min(start + _PART, len(pictures)))
        answers = net.outputs(np.stack([pictures.read(number) for number in numbers]))
        for row, number in enumerate(numbers):
            mine = {name: values[row] for name, values in answers.items()}
            boxes, _, scores = grid.faces(mine, pictures.height, pictures.width, floor)
            yield match(boxes, scores, *pictures.boxes(number))


def average_precision(found: Sequence[Found], least: float) -> float:
    """Return the area under precision over recall (all points, as in VOC 2010) of sure faces of at
    least `least` pixels; detections of smaller and unsure ones count neither way."""
    scores, right, faces = [], [], 0
    for one in found:
        counts = one.sure & (one.heights >= least)
        faces += int(counts.sum())
        for score, hit, beside in zip(one.scores, one.hits, one.beside, strict=True):
            if hit >= 0 and counts[hit] or hit < 0 and beside:
                scores.append(score)
                right.append(hit >= 0)
    if not faces or not scores:
        return 0.0
    order = np.argsort(-np.array(scores), kind="stable")
    hits = np.cumsum(np.array(right)[order])
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(envelope * np.diff(hits, prepend=0)) / faces)


def threshold(found: Sequence[Found], allowed: int, floor: float) -> float:
    """Return the lowest score that lets `allowed` detections pass in pictures without any box."""
    false = sorted(
        (score for one in found if not len(one.sure) for score in one.scores), reverse=True
    )
    return max(floor, float(false[allowed]) + 1e-6) if len(false) > allowed else floor


def figures(found: Sequence[Found], how: Judge) -> Figures:
    """Return the average precision (primary), and the share of faces found by size, the share of
    detections beside all faces and the threshold, where that lets `how.false_faces` pass."""
    limit = threshold(found, how.false_faces, how.score_floor)
    values = {"ap": average_precision(found, GROUPS["small"][0]), "threshold": limit}
    for name, (least, most) in GROUPS.items():
        faces = hits = 0
        for one in found:
            counts = one.sure & (one.heights >= least) & (one.heights < most)
            faces += int(counts.sum())
            hits += int(counts[one.hits[(one.scores >= limit) & (one.hits >= 0)]].sum())
        values[name] = hits / max(1, faces)
    with_faces = [one for one in found if len(one.sure)]
    shown = sum(int((one.scores >= limit).sum()) for one in with_faces)
    strange = sum(int(one.beside[one.scores >= limit].sum()) for one in with_faces)
    values["unmatched"] = strange / max(1, shown)
    return Figures(len(found), values, "ap")
