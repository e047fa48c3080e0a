"""The golden table: made-up faces and what the shipped model must make of them.

The daemon's tests read the same file, so that normalisation, quantisation, the net and the
temperature give the same numbers in Python and in Rust. The faces are formulas in whole
numbers, which every language computes alike.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import TrainingError
from ...export.quantise import check
from ...nets.tflite import quantise, read_sidecar
from ...recipe import Input
from . import metrics

SIDE = 48

FORMULA = (
    "pixel(x, y), x right and y down from 0, integer division rounding down: ramp[0] +"
    " (ramp[1] - ramp[0]) * x / 47; then for each ellipse [cx, cy, rx, ry, grey] in turn, grey where"
    " (x - cx)^2 * ry^2 + (y - cy)^2 * rx^2 <= rx^2 * ry^2; then + (31 * x + 17 * y + 7 * x * y)"
    " mod (noise + 1); then limited to 0 to 255"
)
_HEAD = [24, 26, 17, 21, 170]
_EYES = [[17, 21, 3, 2, 50], [31, 21, 3, 2, 50]]
FACES: tuple[dict[str, Any], ...] = (
    {"name": "level", "ramp": [60, 90], "ellipses": [_HEAD, *_EYES, [24, 37, 7, 1, 90]], "noise": 0},
    {
        "name": "smile",
        "ramp": [60, 90],
        "ellipses": [_HEAD, *_EYES, [24, 35, 10, 6, 110], [24, 32, 9, 5, 170], [24, 38, 6, 2, 235]],
        "noise": 9,
    },
    {
        "name": "open mouth",
        "ramp": [40, 40],
        "ellipses": [_HEAD, [17, 20, 4, 4, 230], [31, 20, 4, 4, 230], *_EYES, [24, 38, 4, 6, 20]],
        "noise": 5,
    },
    {
        "name": "drooping",
        "ramp": [120, 30],
        "ellipses": [_HEAD, *_EYES, [24, 40, 10, 5, 90], [24, 42, 9, 5, 165]],
        "noise": 15,
    },
    {
        "name": "frown",
        "ramp": [200, 240],
        "ellipses": [[24, 26, 17, 21, 110], [17, 17, 5, 1, 20], [31, 17, 5, 1, 20], *_EYES, [24, 37, 8, 2, 35]],
        "noise": 20,
    },
    {"name": "whole range", "ramp": [0, 255], "ellipses": [], "noise": 0},
)  # fmt: skip


def face(how: Mapping[str, Any]) -> np.ndarray:
    """Return the pixels uint8 (48, 48) of one of `FACES`."""
    y, x = np.mgrid[:SIDE, :SIDE]
    first, last = how["ramp"]
    grey = first + (last - first) * x // (SIDE - 1)
    for cx, cy, rx, ry, level in how["ellipses"]:
        inside = (x - cx) ** 2 * ry**2 + (y - cy) ** 2 * rx**2 <= rx**2 * ry**2
        grey = np.where(inside, level, grey)
    grey = grey + (31 * x + 17 * y + 7 * x * y) % (how["noise"] + 1)
    return np.clip(grey, 0, 255).astype(np.uint8)


def table(model: Path) -> dict[str, Any]:
    """Return the golden table of a .tflite with its sidecar beside it."""
    described = read_sidecar(model)
    if described is None:
        raise TrainingError(
            f"unable to read the sidecar {model.with_suffix('.json')}: none is there"
        )
    try:
        labels, temperature = described["labels"], float(described["temperature"])
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"unable to use the sidecar of {model}: {error!r}") from error
    given = Input()
    net = check(model, given)
    scale, zero_point = net.output[0]["quantization"]

    def encode(pixels: np.ndarray) -> np.ndarray:
        return quantise((pixels.astype(np.float32) - given.mean) / given.std, net.input)

    rows = []
    for how in FACES:
        pixels = face(how)
        (logits,) = net.outputs(pixels[None, ..., None]).values()
        counts = np.rint(logits[0] / scale).astype(int) + zero_point
        rows.append(
            {
                **how,
                "pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
                "input_sha256": hashlib.sha256(encode(pixels).tobytes()).hexdigest(),
                "logits_int8": counts.tolist(),
                "probabilities": metrics.softmax(logits, temperature)[0].round(6).tolist(),
            }
        )
    return {
        "made_by": "python -m face_training golden; do not edit",
        "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "formula": FORMULA,
        "labels": labels,
        "temperature": temperature,
        "encoded_pixels_0_to_255": encode(np.arange(256, dtype=np.uint8)).tolist(),
        "faces": rows,
    }
