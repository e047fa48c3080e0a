"""What cameras, light and compression do to pictures: uint8 (h, w) or (h, w, 3), blue first."""

import math

import cv2
import numpy as np

cv2.setNumThreads(1)


def between(random: np.random.Generator, low: float, high: float) -> float:
    """Return a number whose logarithm is spread evenly."""
    return math.exp(random.uniform(math.log(low), math.log(high)))


def blur(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Blur as a lens, as a movement, or as few pixels do."""
    kind = random.random()
    if kind < 0.5:
        return cv2.GaussianBlur(picture, (0, 0), between(random, 0.3, 1.6))
    if kind < 0.75:
        side = int(random.integers(3, 8))
        kernel, angle = np.zeros((side, side), np.float32), random.uniform(0, math.pi)
        reach = np.array([math.cos(angle), math.sin(angle)]) * side / 2
        ends = [
            tuple(np.rint((side - 1) / 2 + sign * reach).astype(int).tolist()) for sign in (-1, 1)
        ]
        cv2.line(kernel, ends[0], ends[1], 1.0)
        return cv2.filter2D(picture, -1, kernel / max(float(kernel.sum()), 1.0))
    height, width = picture.shape[:2]
    share = between(random, 0.4, 0.9)
    small = (max(1, int(width * share)), max(1, int(height * share)))
    reduced = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)


def relight(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Change gamma, contrast, brightness and each channel's gain; now and then to near darkness."""
    gamma = between(random, 0.5, 2.0) if random.random() < 0.5 else 1.0
    contrast = between(random, 0.5, 1.5) if random.random() < 0.6 else 1.0
    lift = random.normal(0, 22) if random.random() < 0.6 else 0.0
    gains = np.exp(random.normal(0, 0.12, 3)) if random.random() < 0.5 else np.ones(3)
    if random.random() < 0.08:
        contrast *= random.uniform(0.15, 0.5)
        lift -= random.uniform(20, 70)
    curve = (np.arange(256) / 255.0) ** gamma * 255 - 128
    channels = picture.shape[2] if picture.ndim == 3 else 1
    table = np.stack([curve * contrast * gain + 128 + lift for gain in gains[:channels]], axis=-1)
    return cv2.LUT(picture, np.clip(table, 0, 255).astype(np.uint8)[None])


def noise(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Add the noise of a dim room."""
    cv2.setRNGSeed(int(random.integers(1, 2**31)))
    drawn = np.empty((picture.shape[0], picture.size // picture.shape[0]), np.int16)
    drawn = cv2.randn(drawn, np.zeros(1), np.full(1, between(random, 2, 16))).reshape(picture.shape)
    return np.asarray(cv2.add(picture, drawn, dtype=cv2.CV_8U))


def compress(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the picture as after JPEG."""
    quality = int(random.integers(20, 85))
    _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    colour = cv2.IMREAD_COLOR if picture.ndim == 3 else cv2.IMREAD_GRAYSCALE
    return np.asarray(cv2.imdecode(packed, colour))


def degrade(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Blur, relight, pale, add noise to and compress a picture, each with a chance of its own."""
    if random.random() < 0.5:
        picture = blur(picture, random)
    picture = relight(picture, random)
    if picture.ndim == 3 and random.random() < 0.3:
        share = random.uniform(0.3, 1.6)
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        picture = cv2.addWeighted(picture, share, grey, 1 - share, 0)
    if random.random() < 0.35:
        picture = noise(picture, random)
    if random.random() < 0.4:
        picture = compress(picture, random)
    return picture
