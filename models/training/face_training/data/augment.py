"""Random changes to whole batches of training pictures.

Everything works on a batch at once and takes a stateless seed, so that a resumed run sees
the pictures that an unbroken one would have seen. Keras' own layers (MixUp, RandomErasing) keep
a random state of their own instead.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ..recipe import Augment

# Binomial approximation of a Gaussian of standard deviation 1 pixel.
_BLUR = tf.constant([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
# Luminance steps at quality 50: ITU-T T.81, table K.1.
_STEPS = tf.constant(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    tf.float32,
)


def uniform(
    seed: tf.Tensor, salt: int, shape: Any, low: float = 0.0, high: float = 1.0
) -> tf.Tensor:
    """Return numbers in [low, high) that depend on seed int32 (2,) and salt alone."""
    seed = tf.random.experimental.stateless_fold_in(seed, salt)
    return tf.random.stateless_uniform(shape, seed, low, high)


def _chosen(seed: tf.Tensor, salt: int, count: tf.Tensor, share: float) -> tf.Tensor:
    return tf.reshape(uniform(seed, salt, [count]) < share, [count, 1, 1, 1])


def warp(pictures: tf.Tensor, seed: tf.Tensor, how: Augment) -> tuple[tf.Tensor, tf.Tensor]:
    """Flip, turn, zoom and shift pictures (n, h, w, c) about their centres in one resampling.

    Returns (pictures, matrices float32 (n, 2, 3)): what was at (x, y), in pixels from the middle
    of the upper left one, is at matrix @ (x, y, 1) now. See `follow`.
    """
    count = tf.shape(pictures)[0]
    size = tf.cast(tf.stack([tf.shape(pictures)[2], tf.shape(pictures)[1]]), tf.float32)
    most = how.rotate_degrees * math.pi / 180
    angle = uniform(seed, 1, [count], -most, most)
    scale = 1.0 / uniform(seed, 2, [count], 1 - how.zoom, 1 + how.zoom)
    mirror = tf.where(uniform(seed, 3, [count]) < (0.5 if how.flip else 0.0), -1.0, 1.0)
    move = uniform(seed, 4, [count, 2], -how.shift, how.shift) * size
    # From a place in the changed picture to where its value comes from.
    a, b = scale * tf.cos(angle) * mirror, -scale * tf.sin(angle)
    c, d = scale * tf.sin(angle) * mirror, scale * tf.cos(angle)
    centre = (size - 1) / 2
    x, y = move[:, 0] - centre[0], move[:, 1] - centre[1]
    across, down = a * x + b * y + centre[0], c * x + d * y + centre[1]
    zero = tf.zeros_like(a)
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=tf.stack([a, b, across, c, d, down, zero, zero], axis=1),
        output_shape=tf.shape(pictures)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    turn = tf.linalg.inv(tf.reshape(tf.stack([a, b, c, d], axis=1), [-1, 2, 2]))
    moved = -turn @ tf.stack([across, down], axis=1)[..., None]
    return warped, tf.concat([turn, moved], axis=2)


def follow(points: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    """Return where `warp` took points float32 (n, k, 2), x and y in pixels."""
    turn, move = matrices[:, :, :2], matrices[:, :, 2]
    return tf.einsum("nij,nkj->nki", turn, points) + move[:, None, :]


def degrade(pictures: tf.Tensor, seed: tf.Tensor, how: Augment) -> tf.Tensor:
    """Blur some pictures, coarsen others and compress others, as webcams do."""
    count = tf.shape(pictures)[0]
    kernel = tf.tile(tf.reshape(_BLUR, [5, 1, 1, 1]), [1, 1, pictures.shape[-1], 1])
    padded = tf.pad(pictures, [[0, 0], [2, 2], [2, 2], [0, 0]], "SYMMETRIC")
    blurred = tf.nn.depthwise_conv2d(padded, kernel, [1] * 4, "VALID")
    blurred = tf.nn.depthwise_conv2d(blurred, tf.transpose(kernel, [1, 0, 2, 3]), [1] * 4, "VALID")
    coarsened = coarse(pictures, seed, how)
    pictures = tf.where(_chosen(seed, 5, count, how.coarse_share), coarsened, pictures)
    pictures = tf.where(_chosen(seed, 6, count, how.blur_share), blurred, pictures)
    if how.jpeg_share > 0:
        quality = uniform(seed, 14, [count], how.jpeg_quality, max(how.jpeg_quality, 90))
        chosen = _chosen(seed, 15, count, how.jpeg_share)
        pictures = tf.where(chosen, jpeg(pictures, quality), pictures)
    return pictures


def coarse(pictures: tf.Tensor, seed: tf.Tensor, how: Augment) -> tf.Tensor:
    """Make pictures smaller, 2 to `coarse_most` times, and enlarge them again.

    Whole steps of half a time only, one of them for the whole batch: a resize has one size.
    """
    height, width = pictures.shape[1:3]
    steps = [step / 2 for step in range(4, int(2 * how.coarse_most) + 1)]
    if len(steps) < 2:
        small = tf.nn.avg_pool2d(pictures, 2, 2, "VALID")
        return tf.image.resize(small, [height, width])
    sizes = tf.constant([[round(height / step), round(width / step)] for step in steps])
    pick = tf.cast(uniform(seed, 16, [], 0.0, float(len(steps))), tf.int32)
    small = tf.image.resize(
        pictures, tf.gather(sizes, tf.minimum(pick, len(steps) - 1)), antialias=True
    )
    return tf.image.resize(small, [height, width])


def _cosines() -> tf.Tensor:
    """Return the 8x8 matrix of the orthonormal cosine transform, type 2."""
    place, wave = tf.meshgrid(tf.range(8.0), tf.range(8.0))
    table = tf.cos((2 * place + 1) * wave * math.pi / 16) / 2
    return tf.where(wave == 0, table / math.sqrt(2), table)


def jpeg(pictures: tf.Tensor, quality: tf.Tensor) -> tf.Tensor:
    """Return pictures (n, h, w, c) as after JPEG of `quality` float (n,), 1 to 100.

    The lossy part of the standard (ITU-T T.81) alone: the cosine transform of 8x8 blocks
    rounded to steps, which are its luminance table scaled as libjpeg does.
    """
    channels = pictures.shape[-1]
    # Each channel is a picture of its own.
    flat = tf.reshape(tf.transpose(pictures, [0, 3, 1, 2]), [-1, *pictures.shape[1:3], 1])
    coded = _code(flat, tf.repeat(quality, channels))
    coded = tf.reshape(coded, [-1, channels, *pictures.shape[1:3]])
    return tf.transpose(coded, [0, 2, 3, 1])


def _code(pictures: tf.Tensor, quality: tf.Tensor) -> tf.Tensor:
    height, width = pictures.shape[1:3]
    padding = [[0, 0], [0, -height % 8], [0, -width % 8], [0, 0]]
    padded = tf.pad(pictures, padding, "SYMMETRIC")
    down, across = (height + 7) // 8, (width + 7) // 8
    blocks = tf.reshape(padded * 255 - 128, [-1, down, 8, across, 8])
    blocks = tf.transpose(blocks, [0, 1, 3, 2, 4])
    scale = tf.where(quality < 50, 50 / quality, 2 - quality / 50)
    steps = tf.clip_by_value(_STEPS * tf.reshape(scale, [-1, 1, 1, 1, 1]), 1.0, 255.0)
    cosines = _cosines()
    waves = tf.round(tf.einsum("ij,nabjk,lk->nabil", cosines, blocks, cosines) / steps) * steps
    blocks = tf.einsum("ji,nabjk,kl->nabil", cosines, waves, cosines)
    blocks = tf.reshape(tf.transpose(blocks, [0, 1, 3, 2, 4]), tf.shape(padded))
    return (blocks[:, :height, :width] + 128) / 255


def relight(pictures: tf.Tensor, seed: tf.Tensor, how: Augment) -> tf.Tensor:
    """Change gamma, light, contrast about each picture's mean and brightness, then add noise."""
    count = tf.shape(pictures)[0]
    if how.gamma > 0:
        most = math.log(1 + how.gamma)
        exponent = tf.exp(uniform(seed, 17, [count, 1, 1, 1], -most, most))
        pictures = tf.clip_by_value(pictures, 0.0, 1.0) ** exponent
    if how.sidelight > 0:
        pictures = _sidelight(pictures, seed, how)
    mean = tf.reduce_mean(pictures, axis=[1, 2, 3], keepdims=True)
    gain = uniform(seed, 7, [count, 1, 1, 1], 1 - how.contrast, 1 + how.contrast)
    lift = uniform(seed, 8, [count, 1, 1, 1], -how.brightness, how.brightness)
    deviation = uniform(seed, 9, [count, 1, 1, 1], 0.0, how.noise)
    # Uniform noise of deviation 1 is much cheaper to draw than normal noise.
    noise = uniform(seed, 10, tf.shape(pictures), -1.7, 1.7)
    pictures = (pictures - mean) * gain + mean + lift
    if how.grey_cast > 0:
        share = uniform(seed, 18, [count, 1, 1, 1], 0.0, how.grey_cast)
        grey = uniform(seed, 19, [count, 1, 1, 1])
        pictures = pictures * (1 - share) + share * grey
    return pictures + deviation * noise


def _sidelight(pictures: tf.Tensor, seed: tf.Tensor, how: Augment) -> tf.Tensor:
    """Darken pictures towards one side, as a window or a lamp beside the face does."""
    count = tf.shape(pictures)[0]
    angle = uniform(seed, 20, [count, 1, 1, 1], 0.0, 2 * math.pi)
    depth = uniform(seed, 21, [count, 1, 1, 1], 0.0, how.sidelight)
    down, across = (tf.linspace(-0.5, 0.5, side) for side in pictures.shape[1:3])
    slope = tf.cos(angle) * across[None, None, :, None] + tf.sin(angle) * down[None, :, None, None]
    return pictures * (1 - depth * (slope + 0.5))


def erase(pictures: tf.Tensor, seed: tf.Tensor, how: Augment) -> tf.Tensor:
    """Put grey over a random square of some pictures (Zhong et al. 2017, arXiv:1708.04896)."""
    count = tf.shape(pictures)[0]
    half = uniform(seed, 11, [count, 1], 0.1, how.erase_side) / 2
    middle = uniform(seed, 12, [count, 2])
    down, across = (tf.linspace(0.0, 1.0, side)[None, :] for side in pictures.shape[1:3])
    rows = tf.abs(down - middle[:, :1]) < half
    columns = tf.abs(across - middle[:, 1:]) < half
    square = (rows[:, :, None] & columns[:, None, :])[..., None]
    mean = tf.reduce_mean(pictures, axis=[1, 2, 3], keepdims=True)
    return tf.where(square & _chosen(seed, 13, count, how.erase_share), mean, pictures)


def change(pictures: tf.Tensor, seed: tf.Tensor, how: Augment) -> tf.Tensor:
    """Return pictures (n, h, w, c) in [0, 1] with all the changes that move nothing."""
    pictures = degrade(pictures, seed, how)
    return tf.clip_by_value(erase(relight(pictures, seed, how), seed, how), 0.0, 1.0)


def augment(pictures: tf.Tensor, seed: tf.Tensor, how: Augment) -> tuple[tf.Tensor, tf.Tensor]:
    """Return changed pictures float32 (n, h, w, c) in [0, 1], and `warp`'s matrices."""
    pictures, matrices = warp(pictures, seed, how)
    return change(pictures, seed, how), matrices


def mixup(
    pictures: tf.Tensor, goals: Mapping[str, tf.Tensor], seed: tf.Tensor, how: Augment
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Mix each picture with another of the batch, its goals likewise (arXiv:1710.09412).

    `goals` are floats (n, …) in which the loss is linear. The share of the other picture is
    Beta(mixup, mixup), at most a half.
    """
    if how.mixup <= 0:
        return pictures, dict(goals)
    count = tf.shape(pictures)[0]
    one, other = (
        tf.random.stateless_gamma(
            [count], tf.random.experimental.stateless_fold_in(seed, salt), how.mixup
        )
        for salt in (22, 23)
    )
    share = tf.minimum(one, other) / tf.maximum(one + other, 1e-6)

    # The batch is in random order already, so its reverse is a random partner.
    def mixed(values: tf.Tensor) -> tf.Tensor:
        wide = tf.reshape(share, [-1] + [1] * (len(values.shape) - 1))
        return values * (1 - wide) + values[::-1] * wide

    return mixed(pictures), {name: mixed(values) for name, values in goals.items()}


def contact_sheet(
    pixels: np.ndarray, how: Augment, seed: int = 1, variants: int = 9, enlarge: int = 2
) -> np.ndarray:
    """Return uint8 (h, w, c): a row a picture, left as it is, then `variants` changes of it.

    `pixels` uint8 (n, h, w, c). Mixup, if the recipe has it, mixes the pictures of the sheet.
    """
    pictures = tf.cast(tf.constant(pixels), tf.float32) / 255.0
    columns = [pictures]
    for number in range(variants):
        place = tf.constant([seed, number])
        columns.append(mixup(augment(pictures, place, how)[0], {}, place, how)[0])
    sheet = tf.concat([_framed(column) for column in columns], axis=2)
    sheet = tf.concat(tf.unstack(sheet), axis=0).numpy()
    sheet = (sheet * 255).round().astype("uint8")
    return sheet.repeat(enlarge, axis=0).repeat(enlarge, axis=1)


def _framed(pictures: tf.Tensor, gap: int = 2) -> tf.Tensor:
    return tf.pad(pictures, [[0, 0], [0, gap], [0, gap], [0, 0]], constant_values=1.0)
