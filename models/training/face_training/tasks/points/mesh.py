"""MediaPipe's face mesh of marked faces, for `prepare`. A program of its own: mediapipe 0.10.21 wants an
older NumPy than the toolkit.

    python3 -m venv mesh && mesh/bin/pip install mediapipe==0.10.21
    mesh/bin/python models/training/face_training/tasks/points/mesh.py SOURCE OUT.npz [FOLDER ...]

SOURCE is a folder as `scenes` takes it; each FOLDER holds pictures that one face fills. OUT.npz gets `mesh`
(n, 478, 3) in pixels of the picture, `picture` (n,), its path, `box` (n, 4), the marked box, NaN where
there is none, and `split` (n,).
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

# Side of the cut that the mesh looks at, and how many sizes of the face it shows.
_SIDE, _SIZES = 256, 2.3
# Smaller faces show too little; the size is the root of the box's area.
_LEAST = 20.0
# A picture that a face fills is shown as the middle of one so many times its side.
_AROUND = 1.55

Job = tuple[Path, np.ndarray, float, str]


def marked(source: Path) -> Iterator[Job]:
    """Return (picture, box, its angle in radians, split) of the marked faces."""
    with open(source / "pictures.csv", newline="", encoding="utf-8") as file:
        splits = {row["image"]: row["split"] for row in csv.DictReader(file)}
    with open(source / "faces.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            box = np.array([float(row[key]) for key in ("x", "y", "width", "height")])
            if row["what"] != "face" or np.sqrt(box[2:].prod()) < _LEAST:
                continue
            keys = ("left_eye_y", "right_eye_y", "left_eye_x", "right_eye_x")
            known = all(row[key] for key in keys)
            low, high, right, left = (float(row[key]) if known else 0.0 for key in keys)
            angle = float(np.arctan2(low - high, right - left)) if known else 0.0
            yield source / "images" / row["image"], box, angle, splits[row["image"]]


def close(folder: Path) -> Iterator[Job]:
    """Return the same for pictures that a face fills, without a box."""
    for path in sorted(folder.glob("*.jpg")):
        yield path, np.full(4, np.nan), 0.0, "train"


def look(mesh: Any, picture: np.ndarray, box: np.ndarray, angle: float) -> np.ndarray | None:
    """Return the mesh (478, 3) of a face, levelled and looked at twice: found, then followed."""
    if np.isnan(box[0]):
        middle, side = np.array(picture.shape[1::-1]) / 2, max(picture.shape[:2]) * _AROUND
    else:
        middle, side = box[:2] + box[2:] / 2, _SIZES * np.sqrt(box[2:].prod())
    scale = _SIDE / side
    cos, sin = np.cos(-angle) * scale, np.sin(-angle) * scale
    turn = np.array([[cos, -sin], [sin, cos]])
    matrix = np.column_stack([turn, _SIDE / 2 - turn @ middle])
    cut = cv2.warpAffine(picture, matrix, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE)
    mesh.reset()
    for _ in range(2):
        found = mesh.process(cv2.cvtColor(cut, cv2.COLOR_BGR2RGB)).multi_face_landmarks
    if not found:
        return None
    places = np.array([[one.x, one.y, one.z] for one in found[0].landmark]) * _SIDE
    flat = (places[:, :2] - matrix[:, 2]) @ np.linalg.inv(turn).T
    return np.column_stack([flat, places[:, 2] / scale]).astype(np.float32)


def main() -> None:
    """Write the meshes of all faces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="*")
    options = parser.parse_args()
    import mediapipe

    mesh = mediapipe.solutions.face_mesh.FaceMesh(
        max_num_faces=1, refine_landmarks=True, min_detection_confidence=0.4
    )
    jobs = [*marked(options.source), *(job for folder in options.folders for job in close(folder))]
    kept = []
    for path, box, angle, split in jobs:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        found = None if picture is None else look(mesh, picture, box, angle)
        if found is not None:
            kept.append((found, str(path), box, split))
    names = ("mesh", "picture", "box", "split")
    columns: dict[str, Any] = dict(zip(names, map(np.array, zip(*kept, strict=True)), strict=True))
    np.savez(options.out, **columns)
    print(f"{len(kept)} of {len(jobs)} faces have a mesh")


if __name__ == "__main__":
    main()
