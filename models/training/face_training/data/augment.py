"""Random changes to whole batches of training pictures.

Everything works on a batch at once and takes a stateless seed, so that a resumed run sees
the pictures that an unbroken one would have seen. `how` is a recipe.Augment.
"""

import math

import tensorflow as tf

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
    """Blur some pictures, coarsen others and compress others, as webcams do."""
    count = tf.shape(pictures)[0]
    down = tf.reshape(_BLUR, [5, 1, 1, 1])
    across = tf.reshape(_BLUR, [1, 5, 1, 1])
    padded = tf.pad(pictures, [[0, 0], [2, 2], [2, 2], [0, 0]], "SYMMETRIC")
    blurred = tf.nn.conv2d(tf.nn.conv2d(padded, down, 1, "VALID"), across, 1, "VALID")
    coarsened = coarse(pictures, seed, how)
    pictures = tf.where(_chosen(seed, 5, count, how.coarse_share), coarsened, pictures)
    pictures = tf.where(_chosen(seed, 6, count, how.blur_share), blurred, pictures)
    if how.jpeg_share > 0:
        quality = _uniform(seed, 14, [count], how.jpeg_quality, max(how.jpeg_quality, 90))
        chosen = _chosen(seed, 15, count, how.jpeg_share)
        pictures = tf.where(chosen, jpeg(pictures, quality), pictures)
    return pictures


def coarse(pictures, seed, how):
    """Make pictures smaller, 2 to `coarse_most` times, and enlarge them again.

    Whole steps of half a time only, one of them for the whole batch: a resize has one size.
    """
    side = pictures.shape[1]
    sizes = sorted({round(side / (step / 2)) for step in range(4, int(2 * how.coarse_most) + 1)})
    if len(sizes) < 2:
        small = tf.nn.avg_pool2d(pictures, 2, 2, "VALID")
        return tf.image.resize(small, tf.shape(pictures)[1:3])
    pick = tf.cast(_uniform(seed, 16, [], 0.0, float(len(sizes))), tf.int32)
    small = tf.gather(tf.constant(sizes), tf.minimum(pick, len(sizes) - 1))
    reduced = tf.image.resize(pictures, [small, small], antialias=True)
    return tf.image.resize(reduced, [side, side])


def _cosines():
    """Return the 8x8 matrix of the orthonormal cosine transform, type 2."""
    place, wave = tf.meshgrid(tf.range(8.0), tf.range(8.0))
    table = tf.cos((2 * place + 1) * wave * math.pi / 16) / 2
    return tf.where(wave == 0, table / math.sqrt(2), table)


def jpeg(pictures, quality):
    """Return pictures (n, h, w, 1) as after JPEG of `quality` float (n,), 1 to 100.

    The lossy part of the standard (ITU-T T.81) alone: the cosine transform of 8x8 blocks
    rounded to steps, which are its luminance table scaled as libjpeg does.
    """
    count, height, width = (pictures.shape[axis] or tf.shape(pictures)[axis] for axis in range(3))
    padding = [[0, 0], [0, -height % 8], [0, -width % 8], [0, 0]]
    padded = tf.pad(pictures, padding, "SYMMETRIC")
    down, across = (height + 7) // 8, (width + 7) // 8
    blocks = tf.reshape(padded * 255 - 128, [count, down, 8, across, 8])
    blocks = tf.transpose(blocks, [0, 1, 3, 2, 4])
    scale = tf.where(quality < 50, 50 / quality, 2 - quality / 50)
    steps = tf.clip_by_value(_STEPS * tf.reshape(scale, [-1, 1, 1, 1, 1]), 1.0, 255.0)
    cosines = _cosines()
    waves = tf.round(tf.einsum("ij,nabjk,lk->nabil", cosines, blocks, cosines) / steps) * steps
    blocks = tf.einsum("ji,nabjk,kl->nabil", cosines, waves, cosines)
    blocks = tf.reshape(tf.transpose(blocks, [0, 1, 3, 2, 4]), tf.shape(padded))
    return (blocks[:, :height, :width] + 128) / 255


def relight(pictures, seed, how):
    """Change gamma, light, contrast about each picture's mean and brightness, then add noise."""
    count = tf.shape(pictures)[0]
    if how.gamma > 0:
        most = math.log(1 + how.gamma)
        exponent = tf.exp(_uniform(seed, 17, [count, 1, 1, 1], -most, most))
        pictures = tf.clip_by_value(pictures, 0.0, 1.0) ** exponent
    if how.sidelight > 0:
        pictures = _sidelight(pictures, seed, how)
    mean = tf.reduce_mean(pictures, axis=[1, 2, 3], keepdims=True)
    gain = _uniform(seed, 7, [count, 1, 1, 1], 1 - how.contrast, 1 + how.contrast)
    lift = _uniform(seed, 8, [count, 1, 1, 1], -how.brightness, how.brightness)
    deviation = _uniform(seed, 9, [count, 1, 1, 1], 0.0, how.noise)
    # Uniform noise of deviation 1 is much cheaper to draw than normal noise.
    noise = _uniform(seed, 10, tf.shape(pictures), -1.7, 1.7)
    pictures = (pictures - mean) * gain + mean + lift
    if how.grey_cast > 0:
        share = _uniform(seed, 18, [count, 1, 1, 1], 0.0, how.grey_cast)
        grey = _uniform(seed, 19, [count, 1, 1, 1])
        pictures = pictures * (1 - share) + share * grey
    return pictures + deviation * noise


def _sidelight(pictures, seed, how):
    """Darken pictures towards one side, as a window or a lamp beside the face does."""
    count, side = tf.shape(pictures)[0], tf.shape(pictures)[1]
    angle = _uniform(seed, 20, [count, 1, 1, 1], 0.0, 2 * math.pi)
    depth = _uniform(seed, 21, [count, 1, 1, 1], 0.0, how.sidelight)
    grid = tf.linspace(-0.5, 0.5, side)
    slope = tf.cos(angle) * grid[None, None, :, None] + tf.sin(angle) * grid[None, :, None, None]
    return pictures * (1 - depth * (slope + 0.5))


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


def mixup(pictures, goals, seed, how):
    """Mix each picture with another of the batch, its targets likewise (arXiv:1710.09412).

    `goals` is a list of targets (n, classes) that belong to the pictures. The share of the
    other picture is Beta(mixup, mixup), at most a half.
    """
    if how.mixup <= 0:
        return pictures, goals
    count = tf.shape(pictures)[0]
    one, other = (
        tf.random.stateless_gamma(
            [count], tf.random.experimental.stateless_fold_in(seed, salt), how.mixup
        )
        for salt in (22, 23)
    )
    share = tf.minimum(one, other) / tf.maximum(one + other, 1e-6)
    # The batch is in random order already, so its reverse is a random partner.
    wide = share[:, None, None, None]
    pictures = pictures * (1 - wide) + pictures[::-1] * wide
    return pictures, [goal * (1 - share[:, None]) + goal[::-1] * share[:, None] for goal in goals]


def contact_sheet(pixels, how, seed=1, variants=9, gap=2, enlarge=2):
    """Return uint8 (height, width): a row a face, left as it is, then `variants` changes of it.

    `pixels` uint8 (n, h, w). Mixup, if the recipe has it, mixes the faces of the sheet.
    """
    faces = tf.cast(tf.constant(pixels[..., None]), tf.float32) / 255.0
    columns = [faces]
    for number in range(variants):
        changed = augment(faces, tf.constant([seed, number]), how)
        columns.append(mixup(changed, [], tf.constant([seed, number]), how)[0])
    sheet = tf.concat([_framed(column, gap) for column in columns], axis=2)
    sheet = tf.concat(tf.unstack(sheet), axis=0)[..., 0].numpy()
    sheet = (sheet * 255).round().astype("uint8")
    return sheet.repeat(enlarge, axis=0).repeat(enlarge, axis=1)


def _framed(pictures, gap):
    return tf.pad(pictures, [[0, 0], [0, gap], [0, gap], [0, 0]], constant_values=1.0)
