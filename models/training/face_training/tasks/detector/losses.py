"""Which cells answer for which face, and how wrong they are.

Assignment is SimOTA's (Ge et al. 2021, arXiv:2107.08430, section 2.2): of the cells near a face's
middle those that serve it best, as many as their overlaps add up to. A map takes faces of a range
of sizes only, so that no cell has to say distances of many strides.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from . import grid

# Kinds of boxes in the goals.
NOTHING, UNSURE, FACE = 0, 1, 2
# Sizes of faces that maps take, in strides: from (that of the finest map: 0) up to (of the
# coarsest: no limit).
_LEAST, _MOST = 1.5, 9.0
# Cells within so many strides of the middle may answer.
_NEAR = 1.5
# At most so many cells answer for one face.
_CELLS = 8
_NEVER = 1e9


def decode(distances: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Return boxes (b, n, 4) as `grid.decode` does, for training."""
    centres, strides = grid.cells(height, width)
    edges = distances * strides[:, None]
    return tf.concat([centres - edges[..., :2], centres + edges[..., 2:]], axis=-1)


def _overlap(one: tf.Tensor, other: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (IoU, area of the union) of boxes (…, 4)."""

    def area(corners: tf.Tensor) -> tf.Tensor:
        return tf.reduce_prod(tf.maximum(corners[..., 2:] - corners[..., :2], 0.0), axis=-1)

    common = area(
        tf.concat(
            [tf.maximum(one[..., :2], other[..., :2]), tf.minimum(one[..., 2:], other[..., 2:])], -1
        )
    )
    union = tf.maximum(area(one) + area(other) - common, 1e-6)
    return common / union, union


def _candidates(boxes: tf.Tensor, kinds: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Return which cells (b, m, n) may answer for which face: at least one each."""
    centres, strides = grid.cells(height, width)
    middle, sides = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
    away = tf.abs(centres - middle[:, :, None])
    inside = tf.reduce_all(away * 2 < sides[:, :, None], axis=-1)
    near = tf.reduce_all(away < _NEAR * strides[:, None], axis=-1)
    relative = tf.sqrt(tf.reduce_prod(tf.maximum(sides, 1.0), axis=-1))[:, :, None] / strides
    least = np.where(strides == min(grid.STRIDES), 0.0, _LEAST)
    most = np.where(strides == max(grid.STRIDES), _NEVER, _MOST)
    fits = (relative >= least) & (relative < most)
    face = (kinds == FACE)[:, :, None]
    found = inside & near & fits & face
    distance = tf.reduce_sum(tf.square(away), axis=-1) / np.square(strides)
    nearest = tf.argmin(tf.where(fits, distance, _NEVER), axis=-1)
    # A face between all centres gets the nearest cell.
    lonely = ~tf.reduce_any(found, axis=-1, keepdims=True) & face
    return found | (tf.one_hot(nearest, len(strides), True, False) & lonely)


def assign(
    logits: tf.Tensor,
    boxes: tf.Tensor,
    marked: tf.Tensor,
    kinds: tf.Tensor,
    height: int,
    width: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (number of the face that each cell answers for (b, n), -1: none; left out (b, n)).

    `logits` (b, n) and `boxes` (b, n, 4) are the net's, `marked` (b, m, 4) and `kinds` (b, m) the
    goals. Left out are cells without a face inside of unsure boxes.
    """
    candidates = _candidates(marked, kinds, height, width)
    overlaps, _ = _overlap(boxes[:, None], marked[:, :, None])
    overlaps = tf.where(candidates, overlaps, 0.0)
    cost = -0.5 * tf.maximum(tf.math.log_sigmoid(logits), -10.0)[:, None]
    cost = tf.where(candidates, cost - 3 * tf.math.log(tf.maximum(overlaps, 1e-4)), _NEVER)
    wanted = tf.reduce_sum(tf.math.top_k(overlaps, _CELLS).values, axis=-1)
    wanted = tf.clip_by_value(tf.cast(wanted, tf.int32), 1, _CELLS)
    cheapest = -tf.math.top_k(-cost, _CELLS).values
    limit = tf.gather(cheapest, wanted - 1, axis=-1, batch_dims=2)
    chosen = tf.where((cost <= limit[..., None]) & candidates, cost, _NEVER)
    # A cell that several faces want answers for the one that it serves best.
    face = tf.where(
        tf.reduce_min(chosen, axis=1) < _NEVER, tf.argmin(chosen, axis=1, output_type=tf.int32), -1
    )
    centres, _ = grid.cells(height, width)
    middle, sides = (marked[..., :2] + marked[..., 2:]) / 2, marked[..., 2:] - marked[..., :2]
    within = tf.abs(centres - middle[:, :, None]) < sides[:, :, None] / 2 + 2
    unsure = tf.reduce_all(within, axis=-1) & (kinds == UNSURE)[:, :, None]
    return face, tf.reduce_any(unsure, axis=1) & (face < 0)


def quality_focal(logits: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Return the quality focal loss with beta 2 (Li et al. 2020, arXiv:2006.04388) of each cell."""
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=wanted, logits=logits)
    return entropy * tf.square(tf.sigmoid(logits) - wanted)


def _point_errors(
    offsets: tf.Tensor, goal: tf.Tensor, size: tf.Tensor, height: int, width: int
) -> tf.Tensor:
    """Return how far the points (b, n, 10) are off the goal (b, n, 5, 2), in sizes of the face:
    the mean of a smooth distance (Huber, 0.1), 0 for what is not known."""
    centres, strides = grid.cells(height, width)
    shape = tf.concat([tf.shape(offsets)[:-1], [5, 2]], axis=0)
    moves = tf.reshape(offsets, shape) * (grid.POINT_UNIT * strides[:, None, None])
    known = tf.math.is_finite(goal)
    away = centres[:, None] + moves - tf.where(known, goal, 0.0)
    away = tf.where(known, tf.abs(away) / size[..., None, None], 0.0)
    smooth = tf.where(away < 0.1, 5 * tf.square(away), away - 0.05)
    return tf.reduce_mean(smooth, axis=[-1, -2])


def measure(
    outputs: Mapping[str, tf.Tensor], goals: Mapping[str, tf.Tensor], height: int, width: int
) -> dict[str, tf.Tensor]:
    """Return {"score": (b,), "box": (b,), "points": (b,)}: losses a picture, over the mean number
    of answering cells.

    A cell that answers for a face should score as its box overlaps, others 0.
    """
    logits, boxes = outputs["scores"][..., 0], decode(outputs["boxes"], height, width)
    # Rows that no picture of the batch uses would only cost time.
    used = tf.reduce_max(tf.math.count_nonzero(goals["kinds"], axis=1, dtype=tf.int32))
    marked, kinds, points = (
        goals[name][:, : tf.maximum(used, 1)] for name in ("boxes", "kinds", "points")
    )
    face, left_out = assign(
        tf.stop_gradient(logits), tf.stop_gradient(boxes), marked, kinds, height, width
    )
    answers, row = face >= 0, tf.maximum(face, 0)
    goal = tf.gather(marked, row, axis=1, batch_dims=1)
    overlap, union = _overlap(boxes, goal)
    hull = tf.maximum(boxes[..., 2:], goal[..., 2:]) - tf.minimum(boxes[..., :2], goal[..., :2])
    hull = tf.maximum(tf.reduce_prod(hull, axis=-1), 1e-6)
    generalised = overlap - (hull - union) / hull
    size = tf.sqrt(tf.maximum(tf.reduce_prod(goal[..., 2:] - goal[..., :2], axis=-1), 1.0))
    errors = _point_errors(
        outputs["points"], tf.gather(points, row, axis=1, batch_dims=1), size, height, width
    )
    wanted = tf.where(answers, tf.stop_gradient(overlap), 0.0)
    cells = tf.maximum(tf.reduce_mean(tf.reduce_sum(tf.cast(answers, tf.float32), axis=-1)), 1.0)
    return {
        "score": tf.reduce_sum(tf.where(left_out, 0.0, quality_focal(logits, wanted)), axis=-1)
        / cells,
        "box": tf.reduce_sum(tf.where(answers, 1 - generalised, 0.0), axis=-1) / cells,
        "points": tf.reduce_sum(tf.where(answers, errors, 0.0), axis=-1) / cells,
    }
