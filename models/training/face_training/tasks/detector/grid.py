"""Cells of a detector's feature maps, and from what it says of them to boxes: as the daemon does.

Output pixel (i, j) of the map with stride s answers for the place ((j + 0.5) s, (i + 0.5) s) of
the picture: a logit, the distances to the left, upper, right and lower edge of the face's box in
units of s, and where from there eyes, nose and corners of the mouth are (x, y each, the person's
right side first) in units of POINT_UNIT s. Maps follow each other from the finest to the coarsest,
row by row.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np

STRIDES = (8, 16, 32)
POINT_UNIT = 4
# Boxes that overlap by so much are of one face.
SAME_FACE_IOU = 0.4
# From a box to the square that the daemon measures crops by, BlazeFace's: its side in longer sides of the
# box, and how far down it lies in its own sides. Medians of 1,483 faces of 60 pixels and more, each with
# the teacher's box and BlazeFace full range's; middle halves 0.846 to 0.915 and 0.035 to 0.074.
CORE = {"scale": 0.877, "shift_y": 0.056}


@cache
def cells(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells' centres (n, 2) as x, y and their strides (n,), in pixels, float32."""
    centres, strides = [], []
    for stride in STRIDES:
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = np.mgrid[:rows, :columns]
        centres.append((np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * stride)
        strides.append(np.full(rows * columns, stride))
    return (
        np.concatenate(centres).astype(np.float32),
        np.concatenate(strides).astype(np.float32),
    )


def decode(distances: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return boxes (…, n, 4) as left, top, right, bottom in pixels from distances (…, n, 4)."""
    centres, strides = cells(height, width)
    edges = distances * strides[:, None]
    return np.concatenate([centres - edges[..., :2], centres + edges[..., 2:]], axis=-1)


def decode_points(offsets: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return points (…, n, 5, 2) in pixels from offsets (…, n, 10)."""
    centres, strides = cells(height, width)
    moves = offsets.reshape(*offsets.shape[:-1], 5, 2) * (POINT_UNIT * strides[:, None, None])
    return centres[:, None] + moves


def iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the intersection over union of one box (4,) and others (n, 4), each (n,)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.clip(sides, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return common / np.maximum((box[2:] - box[:2]).prod() + areas - common, 1e-9)


def suppress(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the numbers of the boxes that stay, surest first: one of those of one face."""
    order, kept = np.argsort(-scores, kind="stable"), []
    while len(order):
        kept.append(order[0])
        order = order[1:][iou(boxes[order[0]], boxes[order[1:]]) < SAME_FACE_IOU]
    return np.array(kept, int)


def faces(
    answers: Mapping[str, np.ndarray], height: int, width: int, floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (boxes (k, 4), points (k, 5, 2), scores (k,)), surest first, from the net's answers to
    one picture."""
    scores = 1 / (1 + np.exp(-answers["scores"].reshape(-1).astype(np.float64)))
    chosen = np.flatnonzero(scores >= floor)
    boxes = decode(answers["boxes"], height, width)[chosen]
    kept = suppress(boxes, scores[chosen])
    points = decode_points(answers["points"], height, width)[chosen[kept]]
    return boxes[kept], points, scores[chosen[kept]]
