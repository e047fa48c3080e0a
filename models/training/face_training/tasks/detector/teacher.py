"""YuNet as a teacher: its scores of the very crops, cell by cell.

YuNet (Wu et al. 2023, Machine Intelligence Research 20; the file face_detection_yunet_2023mar.onnx)
has the same cells. OpenCV runs it, as it takes pictures of any size.
"""

from pathlib import Path

import cv2
import numpy as np

from ...errors import TrainingError
from ..task import Arrays, Teacher
from .crops import to_bgr
from .grid import STRIDES


def yunet(path: Path) -> Teacher:
    """Return what gives {"scores": (b, n)} in [0, 1] for pictures YUV float32 (b, h, w, 3) in [0, 1]."""
    try:
        net = cv2.dnn.readNetFromONNX(str(path))
    except cv2.error as error:
        raise TrainingError(f"unable to load teacher {path}: {error}") from error
    names = net.getUnconnectedOutLayersNames()

    def see(pictures: np.ndarray) -> Arrays:
        height, width = pictures.shape[1:3]
        most = max(STRIDES)
        room = (-(-height // most) * most, -(-width // most) * most)
        said = []
        for picture in pictures:
            padded = np.zeros((*room, 3), np.uint8)
            padded[:height, :width] = to_bgr(np.rint(picture * 255).astype(np.uint8))
            net.setInput(cv2.dnn.blobFromImage(padded))
            answers = dict(zip(names, net.forward(names), strict=True))
            maps = []
            for stride in STRIDES:
                classes, objects = (
                    answers[f"{kind}_{stride}"].clip(0, 1) for kind in ("cls", "obj")
                )
                scores = np.sqrt(classes * objects)
                scores = scores.reshape(room[0] // stride, room[1] // stride)
                maps.append(scores[: -(-height // stride), : -(-width // stride)].ravel())
            said.append(np.concatenate(maps))
        return {"scores": np.stack(said).astype(np.float32)}

    return see
