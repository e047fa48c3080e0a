"""How wrong answers about a cut are."""

from collections.abc import Mapping

import tensorflow as tf

from . import named
from .cuts import FACE, UNSURE


def smooth(away: tf.Tensor, bend: float) -> tf.Tensor:
    """Return |away|, but squared below `bend` (Huber), each picture's mean (b,)."""
    away = tf.abs(away)
    bent = tf.where(away < bend, 0.5 * tf.square(away) / bend, away - 0.5 * bend)
    return tf.reduce_mean(tf.reshape(bent, (tf.shape(bent)[0], -1)), axis=1)


def measure(
    outputs: Mapping[str, tf.Tensor], goals: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """Return {"face", "points", "box", "pose", "open"}: (b,) each.

    Whether there is a face is asked of all but unsure cuts, the rest of cuts with a face; points
    and box in sizes of the face.
    """
    flag = goals["face"]
    sure, seen = (
        tf.cast(flag != UNSURE, tf.float32),
        goals["weight"] * tf.cast(flag == FACE, tf.float32),
    )
    size = tf.sqrt(tf.maximum(goals["box"][:, 2] * goals["box"][:, 3], 1e-4))
    points = tf.reshape(outputs["points"], (-1, named.COUNT, 2)) - goals["points"]
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(
        labels=tf.maximum(flag, 0.0), logits=outputs["face"][:, 0]
    )
    return {
        "face": sure * entropy,
        "points": seen * smooth(points / size[:, None, None], 0.01),
        "box": seen * smooth((outputs["box"] - goals["box"]) / size[:, None], 0.02),
        "pose": seen * smooth(outputs["pose"] - goals["pose"], 0.02),
        "open": seen * smooth(outputs["open"] - goals["open"], 0.01),
    }
