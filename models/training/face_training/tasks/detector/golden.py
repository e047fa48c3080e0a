"""The golden table of the decoding: answers of a small grid, and the faces in them.

The daemon's tests read the same numbers, so that both languages get the same boxes from the same
int8 answers.
"""

from typing import Any

import numpy as np

from . import grid

_HEIGHT, _WIDTH = 48, 64
# Scale and zero point of each answer.
_SCALES = {"scores": (0.125, 40), "boxes": (0.03125, -100), "points": (0.015625, 3)}


def table() -> dict[str, Any]:
    """Return int8 answers for a picture of 64 x 48 pixels and what they mean."""
    count = len(grid.cells(_HEIGHT, _WIDTH)[0])
    place = np.arange(count)
    # Formulas in whole numbers, alike in every language; a few cells are sure.
    scores = (place * 37 % 61 - 90).astype(np.int8)
    scores[[9, 10, 30, count - 1]] = (80, 76, 52, 61)
    counts = {
        "scores": scores[:, None],
        "boxes": ((place[:, None] * 13 + np.arange(4) * 29) % 83 - 80).astype(np.int8),
        "points": ((place[:, None] * 17 + np.arange(10) * 31) % 101 - 50).astype(np.int8),
    }
    answers = {
        name: (values.astype(np.float64) - _SCALES[name][1]) * _SCALES[name][0]
        for name, values in counts.items()
    }
    faces = zip(*grid.faces(answers, _HEIGHT, _WIDTH, 0.3), strict=True)
    return {
        "made_by": "python -m face_training golden; do not edit",
        "width": _WIDTH,
        "height": _HEIGHT,
        "strides": list(grid.STRIDES),
        "point_unit": grid.POINT_UNIT,
        "iou": grid.SAME_FACE_IOU,
        "min_score": 0.3,
        "answers": {
            name: {
                "scale": _SCALES[name][0], "zero_point": _SCALES[name][1],
                "int8": values.ravel().tolist(),
            }
            for name, values in counts.items()
        },
        "faces": [
            {
                "box": box.round(4).tolist(),
                "points": points.round(4).tolist(),
                "score": round(float(score), 6),
            }
            for box, points, score in faces
        ],
    }  # fmt: skip
