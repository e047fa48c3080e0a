"""Random changes to whole batches of training pictures.

Everything works on a batch at once and takes a stateless seed, so that a resumed run sees
the pictures that an unbroken one would have seen. `how` is a recipe.Augment.
"""

import math

import tensorflow as tf

# Binomial approximation of a Gaussian of standard deviation 1 pixel.
_BLUR = tf.constant([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0


def _uniform(seed, salt, shape, low=0.0, high=1.0):
    seed = tf.random.experimental.stateless_fold_in(seed, salt)
    return tf.random.stateless_uniform(shape, seed, low, high)


def _chosen(seed, salt, count, share):
    return tf.reshape(_uniform(seed, salt, [count]) < share, [count, 1, 1, 1])


def warp(pictures, seed, how):
    """Flip, turn, zoom and shift pictures (n, h, w, 1) about their centres in one resampling."""
    count = tf.shape(pictures)[0]
    side = tf.cast(tf.shape(pictures)[1], tf.float32)
    most = how.rotate_degrees * math.pi / 180
    angle = _uniform(seed, 1, [count], -most, most)
    scale = 1.0 / _uniform(seed, 2, [count], 1 - how.zoom, 1 + how.zoom)
    mirror = tf.where(_uniform(seed, 3, [count]) < (0.5 if how.flip else 0.0), -1.0, 1.0)
    move = _uniform(seed, 4, [count, 2], -how.shift, how.shift) * side
    a, b = scale * tf.cos(angle) * mirror, -scale * tf.sin(angle)
    c, d = scale * tf.sin(angle) * mirror, scale * tf.cos(angle)
    centre = (side - 1) / 2
    x, y = move[:, 0] - centre, move[:, 1] - centre
    zero = tf.zeros_like(a)
    transforms = tf.stack(
        [a, b, a * x + b * y + centre, c, d, c * x + d * y + centre, zero, zero], axis=1
    )
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=transforms,
        output_shape=tf.shape(pictures)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def degrade(pictures, seed, how):
    """Blur some pictures and coarsen others, as a cheap webcam does."""
    count = tf.shape(pictures)[0]
    size = tf.shape(pictures)[1:3]
    down = tf.reshape(_BLUR, [5, 1, 1, 1])
    across = tf.reshape(_BLUR, [1, 5, 1, 1])
    padded = tf.pad(pictures, [[0, 0], [2, 2], [2, 2], [0, 0]], "SYMMETRIC")
    blurred = tf.nn.conv2d(tf.nn.conv2d(padded, down, 1, "VALID"), across, 1, "VALID")
    coarse = tf.image.resize(tf.nn.avg_pool2d(pictures, 2, 2, "VALID"), size)
    pictures = tf.where(_chosen(seed, 5, count, how.coarse_share), coarse, pictures)
    return tf.where(_chosen(seed, 6, count, how.blur_share), blurred, pictures)


def relight(pictures, seed, how):
    """Change contrast about each picture's mean and brightness, then add noise."""
    count = tf.shape(pictures)[0]
    mean = tf.reduce_mean(pictures, axis=[1, 2, 3], keepdims=True)
    gain = _uniform(seed, 7, [count, 1, 1, 1], 1 - how.contrast, 1 + how.contrast)
    lift = _uniform(seed, 8, [count, 1, 1, 1], -how.brightness, how.brightness)
    deviation = _uniform(seed, 9, [count, 1, 1, 1], 0.0, how.noise)
    # Uniform noise of deviation 1 is much cheaper to draw than normal noise.
    noise = _uniform(seed, 10, tf.shape(pictures), -1.7, 1.7)
    return (pictures - mean) * gain + mean + lift + deviation * noise


def erase(pictures, seed, how):
    """Put grey over a random square of some pictures (Zhong et al. 2017, arXiv:1708.04896)."""
    count = tf.shape(pictures)[0]
    side = tf.shape(pictures)[1]
    half = _uniform(seed, 11, [count, 1], 0.1, how.erase_side) / 2
    middle = _uniform(seed, 12, [count, 2])
    grid = tf.linspace(0.0, 1.0, side)[None, :]
    rows = tf.abs(grid - middle[:, :1]) < half
    columns = tf.abs(grid - middle[:, 1:]) < half
    square = (rows[:, :, None] & columns[:, None, :])[..., None]
    mean = tf.reduce_mean(pictures, axis=[1, 2, 3], keepdims=True)
    return tf.where(square & _chosen(seed, 13, count, how.erase_share), mean, pictures)


def augment(pictures, seed, how):
    """Return changed pictures float32 (n, h, w, 1) in [0, 1] from the same; seed int32 (2,)."""
    pictures = degrade(warp(pictures, seed, how), seed, how)
    return tf.clip_by_value(erase(relight(pictures, seed, how), seed, how), 0.0, 1.0)
