"""Faces brought to the size of a net's input."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ...recipe import Input


class Faces:
    """Faces of a split, brought to the size of a net's input."""

    def __init__(self, faces: Sequence[np.ndarray], size: Input) -> None:
        self.faces, self.size = faces, size

    def __len__(self) -> int:
        return len(self.faces)

    def read(self, number: int) -> np.ndarray:
        """Return face `number` as uint8 (height, width, channels) of the net's input."""
        return fitted(self.faces[number], self.size)


def fitted(face: np.ndarray, size: Input) -> np.ndarray:
    """Return a grey face (h, w) as uint8 (height, width, channels) of a net's input."""
    if face.shape != (size.height, size.width):
        image = Image.fromarray(face)
        face = np.asarray(image.resize((size.width, size.height), Image.Resampling.BILINEAR))
    return np.repeat(face[..., None], size.channels, axis=2)


def only(outputs: Mapping[str, Any]) -> Any:
    """Return the one output of an emotion net, whatever its name."""
    (values,) = outputs.values()
    return values
