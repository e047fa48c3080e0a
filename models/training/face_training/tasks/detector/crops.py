"""Crops that a detector learns from: one picture, mosaics of four and nine, faces pasted small into
pictures without any, pictures without a face, parts of one face.
"""

import dataclasses
import math

import cv2
import numpy as np

from .degrade import between, degrade
from .losses import FACE
from .place import Marked, Pose, draw, mark
from .scenes import Scene, Scenes
from .tables import Crops

# Boxes a crop has room for.
MOST_FACES = 48
_BLACK_SHARE = 0.6
_KINDS = ("none", "inside", "filling", "pasted", "four", "nine", "single")


class Composer:
    """Makes crops of one size from the pictures of a split."""

    def __init__(self, scenes: Scenes, how: Crops, size: tuple[int, int]) -> None:
        self.scenes, self.how = scenes, how
        self.width, self.height = size

    def crop(self, random: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return a picture YUV uint8 (h, w, 3) and its goals, float32, in pixels.

        "boxes" (m, 4) are left, top, right, bottom, "points" (m, 5, 2) NaN where not known, "kinds"
        (m,) as in `losses`, "colour" () is 0 where there is none; m is MOST_FACES, unused rows 0.
        """
        canvas = np.zeros((self.height, self.width, 3), np.uint8)
        if random.random() > _BLACK_SHARE:
            canvas[:] = random.integers(0, 256, 3)
        marked = Marked()
        self._fill(canvas, random, marked)
        self._occlude(canvas, random, marked)
        picture = to_yuv(degrade(canvas, random))
        colour = random.random() >= self.how.grey
        if not colour:
            picture[..., 1:] = 128
        return picture, {**_goals(marked), "colour": np.array(colour, np.float32)}

    def _fill(self, canvas: np.ndarray, random: np.random.Generator, marked: Marked) -> None:
        """Draw one of the kinds of crops."""
        how, side = self.how, min(self.width, self.height)
        whole = (0, 0, self.width, self.height)
        shares = np.cumsum([how.none, how.inside, how.filling, how.pasted, how.four, how.nine])
        kind = _KINDS[int(np.searchsorted(shares, random.random(), "right"))]
        if kind in ("none", "pasted") or kind != "inside" and random.random() < 0.7:
            self._put_empty(canvas, whole, random)
        if kind == "inside":
            self._put(canvas, whole, random, marked, (1.5 * side, 3.5 * side), part=True)
        elif kind == "pasted":
            for _ in range(random.integers(1, 7)):
                self._paste(canvas, random, marked)
        elif kind in ("four", "nine"):
            four = kind == "four"
            for rect in self._grid(random, 2 if four else 3):
                most = 0.8 * max(20, *rect[2:]) if four else 26
                self._put_some(canvas, rect, random, marked, 0.1 if four else 0.2, most)
        elif kind in ("filling", "single"):
            sizes = (0.8 * side, 1.6 * side) if kind == "filling" else self._sizes(random)
            self._put(canvas, whole, random, marked, sizes)

    def _sizes(self, random: np.random.Generator) -> tuple[float, float]:
        """Return a range of sizes for the face of a single picture."""
        rest = (1 - self.how.small) / 2
        ranges = ((8, 34), (24, 80), (60, 1.45 * min(self.width, self.height)))
        return ranges[random.choice(3, p=(self.how.small, rest, rest))]

    def _grid(self, random: np.random.Generator, count: int) -> list[tuple[int, int, int, int]]:
        """Return rectangles (left, top, width, height) of about equal size."""
        lines = []
        for length in (self.width, self.height):
            inner = (np.arange(1, count) + random.uniform(-0.22, 0.22, count - 1)) / count
            lines.append([0, *(int(length * share) for share in inner), length])
        across, down = lines
        return [
            (across[i], down[j], across[i + 1] - across[i], down[j + 1] - down[j])
            for j in range(count)
            for i in range(count)
        ]

    def _put_some(
        self,
        canvas: np.ndarray,
        rect: tuple[int, int, int, int],
        random: np.random.Generator,
        marked: Marked,
        empty: float,
        most: float,
    ) -> None:
        """Put a picture with faces, or with a share `empty` one without, into a rectangle."""
        if random.random() < empty:
            self._put_empty(canvas, rect, random)
        else:
            self._put(canvas, rect, random, marked, (8, most))

    def _put_empty(
        self, canvas: np.ndarray, rect: tuple[int, int, int, int], random: np.random.Generator
    ) -> None:
        left, top, width, height = rect
        scene = self.scenes.any_empty(random)
        high, wide = scene.levels[0].shape[:2]
        # Mostly so large that it covers all.
        share = between(random, 1, 2.5) if random.random() < 0.8 else between(random, 0.4, 1)
        scale = share * max(width / wide, height / high)
        source, target = random.uniform(0, (wide, high)), random.uniform(0, (width, height))
        pose = self._covering(
            self._pose(random, scale, source, target), scene, (width, height), random
        )
        draw(
            scene,
            pose.matrix(),
            canvas[top : top + height, left : left + width],
            random.random() < 0.3,
        )

    def _put(
        self,
        canvas: np.ndarray,
        rect: tuple[int, int, int, int],
        random: np.random.Generator,
        marked: Marked,
        sizes: tuple[float, float],
        part: bool = False,
    ) -> None:
        """Put a picture so that one of its faces has a size within `sizes`; `part`: into the middle
        comes any place of the face."""
        left, top, width, height = rect
        scene, row, wanted = self._choose(random, sizes, width)
        box, size = scene.boxes[row], scene.sizes[row]
        # Enlarged further they are but blurred.
        scale = min(wanted / size, 3.0 if size > 24 else 2.0)
        source = box[:2] + box[2:] / 2
        if part:
            source = source + random.uniform(-0.5, 0.5, 2) * box[2:]
            target = np.array([width / 2, height / 2])
        else:
            margin = np.minimum(0.35 * size * scale, (width / 2, height / 2))
            target = random.uniform(margin, (width, height) - margin)
        pose = self._pose(random, scale, source, target)
        if not part:
            pose = self._covering(pose, scene, (width, height), random)
        matrix = pose.matrix()
        draw(scene, matrix, canvas[top : top + height, left : left + width], random.random() < 0.3)
        mark(scene, matrix, (left, top), (width, height), self.how.least, marked)

    def _choose(
        self, random: np.random.Generator, sizes: tuple[float, float], width: int
    ) -> tuple[Scene, int, float]:
        """Return (picture, number of a face, its new size); if a few tries find one, such that the
        picture is then as wide as its place."""
        for _ in range(5):
            scene = self.scenes.any_with_faces(random)
            row = int(random.choice(np.flatnonzero(scene.sure)))
            wanted = between(random, *sizes)
            if wanted / scene.sizes[row] * scene.levels[0].shape[1] > 0.8 * width:
                break
        return scene, row, wanted

    def _pose(
        self, random: np.random.Generator, scale: float, source: np.ndarray, target: np.ndarray
    ) -> Pose:
        how, chance = self.how, random.random()
        if chance < how.turned:
            angle = random.uniform(-55, 55)
        elif chance < 3 * how.turned:
            angle = random.uniform(-30, 30)
        else:
            angle = random.normal(0, 5)
        wide = random.random() < how.stretched
        stretch = between(random, 0.7, 1.43) if wide else math.exp(random.normal(0, 0.08))
        mirror = random.random() < 0.5
        return Pose(scale, math.radians(angle), stretch, mirror, source, target)

    def _covering(
        self, pose: Pose, scene: Scene, size: tuple[int, int], random: np.random.Generator
    ) -> Pose:
        """Shift a picture that is hardly turned and large enough so that it covers its place."""
        if abs(pose.angle) > 0.2 or random.random() > 0.85:
            return pose
        high, wide = scene.levels[0].shape[:2]
        corners = pose.matrix() @ np.array([[0, wide, 0, wide], [0, 0, high, high], [1, 1, 1, 1]])
        low, most = corners.min(axis=1), corners.max(axis=1)
        target = np.array(pose.target)
        for axis in (0, 1):
            if most[axis] - low[axis] >= size[axis]:
                target[axis] += min(0, -low[axis]) + max(0, size[axis] - most[axis])
        return dataclasses.replace(pose, target=target)

    def _paste(self, canvas: np.ndarray, random: np.random.Generator, marked: Marked) -> None:
        """Blend a face with its hair, small, into the canvas."""
        scene = self.scenes.any_with_faces(random)
        rows = np.flatnonzero(scene.sure & (scene.sizes > 20))
        if not len(rows):
            return
        box = scene.boxes[row := int(random.choice(rows))]
        size = between(random, 8, 40)
        middle = random.uniform(0.3 * size, (self.width - 0.3 * size, self.height - 0.3 * size))
        if any(
            left < middle[0] + size and right > middle[0] - size
            and top < middle[1] + size and bottom > middle[1] - size
            for left, top, right, bottom in marked.boxes
        ):  # fmt: skip
            return
        pose = Pose(
            size / scene.sizes[row], 0.0, 1.0, random.random() < 0.5,
            box[:2] + box[2:] * (0.5, 0.55), middle,
        )  # fmt: skip
        matrix = pose.matrix()
        low = np.clip(np.floor(middle - 1.1 * size), 0, None).astype(int)
        part = canvas[
            low[1] : int(middle[1] + 1.1 * size) + 1, low[0] : int(middle[0] + 1.1 * size) + 1
        ]
        drawn, moved = part.copy(), matrix.copy()
        moved[:, 2] -= low
        draw(scene, moved, drawn, sharp=False)
        y, x = np.ogrid[: part.shape[0], : part.shape[1]]
        oval = ((x + 0.5 + low[0] - middle[0]) / 0.75) ** 2 + (
            (y + 0.5 + low[1] - middle[1]) / 0.95
        ) ** 2
        share = np.clip((1.25 - oval / size**2) / 0.4, 0, 1)[..., None]
        part[:] = drawn * share + part * (1 - share)
        only = Scene(scene.levels, box[None], scene.points[row][None], np.array([True]))
        mark(only, matrix, (0, 0), (self.width, self.height), self.how.least, marked)

    def _occlude(self, canvas: np.ndarray, random: np.random.Generator, marked: Marked) -> None:
        """Cover a part of some faces."""
        for (left, top, right, bottom), kind in zip(marked.boxes, marked.kinds, strict=True):
            if kind != FACE or random.random() >= self.how.occluded:
                continue
            width, height = right - left, bottom - top
            way, share = random.integers(3), random.uniform(0.15, 0.4)
            if way == 0:  # its lower part, as a scarf does
                covered = (left, top + random.uniform(0.55, 0.75) * height, right, bottom)
            elif way == 1:  # one side
                begin = left if random.random() < 0.5 else right - share * width
                covered = (begin, top, begin + share * width, bottom)
            else:
                begin, high = random.uniform(0, 1 - share, 2) * (width, height) + (left, top)
                covered = (begin, high, begin + share * width, high + share * height)
            x, y, end, low = (
                int(np.clip(round(value), 0, most))
                for value, most in zip(covered, (self.width, self.height) * 2, strict=True)
            )
            if end > x and low > y:
                self._cover(canvas[y:low, x:end], random)

    def _cover(self, part: np.ndarray, random: np.random.Generator) -> None:
        """Put one colour or a piece of a picture without faces over a part of the canvas."""
        if random.random() < 0.5:
            part[:] = random.integers(0, 256, 3)
            return
        other = self.scenes.any_empty(random).levels[0]
        height, width = (min(part.shape[axis], other.shape[axis]) for axis in (0, 1))
        y, x = (
            int(random.integers(0, other.shape[axis] - side + 1))
            for axis, side in enumerate((height, width))
        )
        part[:height, :width] = other[y : y + height, x : x + width]


def to_yuv(picture: np.ndarray) -> np.ndarray:
    """Return Y, U, V (ITU-R BT.601, full range, as JPEG has it) of blue, green, red."""
    return np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb)[..., [0, 2, 1]])


def to_bgr(picture: np.ndarray) -> np.ndarray:
    """Return blue, green, red of Y, U, V."""
    return cv2.cvtColor(np.ascontiguousarray(picture[..., [0, 2, 1]]), cv2.COLOR_YCrCb2BGR)


def _goals(marked: Marked) -> dict[str, np.ndarray]:
    """Return the marked faces in arrays: sure and large ones first, should there be too many."""
    boxes, points = np.zeros((MOST_FACES, 4), np.float32), np.zeros((MOST_FACES, 5, 2), np.float32)
    kinds = np.zeros(MOST_FACES, np.float32)

    def rank(row: int) -> tuple[int, float]:
        left, top, right, bottom = marked.boxes[row]
        return -marked.kinds[row], -(right - left) * (bottom - top)

    for row, chosen in enumerate(sorted(range(len(marked.kinds)), key=rank)[:MOST_FACES]):
        boxes[row], points[row] = marked.boxes[chosen], marked.points[chosen]
        kinds[row] = marked.kinds[chosen]
    return {"boxes": boxes, "points": points, "kinds": kinds}
