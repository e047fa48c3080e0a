"""The points by name, and what is told from them and from a teacher's mesh.

The mesh is MediaPipe's (Kartynnik et al. 2019, arXiv:1907.06724), 468 places in x, y (pixels) and
z (depth in pixels, towards the camera negative). Right and left are the person's.
"""

import numpy as np

# Contours of the eyes in the mesh, outer corner first, whose mean is the eye's centre.
_RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
_LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398)
# Name and place in the mesh; the first two are means of contours.
NAMED: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("right_eye", _RIGHT_EYE),
    ("left_eye", _LEFT_EYE),
    ("right_eye_outer", (33,)),
    ("right_eye_inner", (133,)),
    ("right_eye_upper", (159,)),
    ("right_eye_lower", (145,)),
    ("left_eye_inner", (362,)),
    ("left_eye_outer", (263,)),
    ("left_eye_upper", (386,)),
    ("left_eye_lower", (374,)),
    ("right_brow_outer", (70,)),
    ("right_brow_middle", (105,)),
    ("right_brow_inner", (107,)),
    ("left_brow_inner", (336,)),
    ("left_brow_middle", (334,)),
    ("left_brow_outer", (300,)),
    ("nose_root", (168,)),
    ("nose_tip", (1,)),
    ("nose_base", (2,)),
    ("mouth_right", (61,)),
    ("mouth_left", (291,)),
    ("upper_lip_top", (0,)),
    ("upper_lip_bottom", (13,)),
    ("lower_lip_top", (14,)),
    ("lower_lip_bottom", (17,)),
    ("chin", (152,)),
    ("right_side", (234,)),
    ("left_side", (454,)),
    ("forehead", (10,)),
)
NAMES = tuple(name for name, _ in NAMED)
COUNT = len(NAMES)


def _mirrored(name: str) -> str:
    for one, other in (("right", "left"), ("left", "right")):
        if one in name:
            return name.replace(one, other)
    return name


# Row i of the mirrored face is row MIRRORED[i] of the face.
MIRRORED = np.array([NAMES.index(_mirrored(name)) for name in NAMES])
# Pairs of places in the mesh that a mirror exchanges, along which a face has its breadth.
_PAIRS = (
    (33, 263),
    (133, 362),
    (159, 386),
    (145, 374),
    (70, 300),
    (105, 334),
    (107, 336),
    (61, 291),
    (234, 454),
)
_LIDS = (((160, 144), (159, 145), (158, 153)), ((385, 380), (386, 374), (387, 373)))
_CORNERS = ((33, 133), (362, 263))
_LIPS = ((13, 14), (82, 87), (312, 317))


def points(mesh: np.ndarray) -> np.ndarray:
    """Return the named points (n, COUNT, 2) of meshes (n, 468, 3)."""
    return np.stack([mesh[:, places, :2].mean(axis=1) for _, places in NAMED], axis=1)


def openness(mesh: np.ndarray) -> np.ndarray:
    """Return how far right eye, left eye and mouth are open (n, 3).

    Of an eye the mean distance of its lids at three places over that of its corners (the eye
    aspect ratio, Soukupova and Cech 2016), of the mouth that of the inner lips over the distance
    of the eyes.
    """

    def distance(one: int, other: int) -> np.ndarray:
        return np.linalg.norm(mesh[:, one, :2] - mesh[:, other, :2], axis=1)

    def gap(pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
        return np.mean([distance(one, other) for one, other in pairs], axis=0)

    eyes = [
        gap(lids) / np.maximum(distance(*corners), 1e-3)
        for lids, corners in zip(_LIDS, _CORNERS, strict=True)
    ]
    named = points(mesh)
    between = np.linalg.norm(named[:, 0] - named[:, 1], axis=1)
    return np.stack([*eyes, gap(_LIPS) / np.maximum(between, 1e-3)], axis=1)


def _centred(mesh: np.ndarray) -> np.ndarray:
    mesh = mesh - mesh.mean(axis=-2, keepdims=True)
    return mesh / np.sqrt((mesh**2).sum(axis=(-2, -1), keepdims=True))


def rotation(shape: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Return the rotation (3, 3) that best takes a shape to a mesh, both centred (Kabsch 1976)."""
    u, _, v = np.linalg.svd(shape.T @ mesh)
    sign = np.sign(np.linalg.det(v.T @ u.T))
    return v.T @ np.diag([1, 1, sign]) @ u.T


def mean_shape(meshes: np.ndarray, rounds: int = 4) -> np.ndarray:
    """Return the mean of meshes (n, 468, 3) once turned alike, facing the camera: its breadth
    along x, from forehead to chin along y as far as that is across."""
    every = _centred(meshes.astype(np.float64))
    shape = every[0]
    for _ in range(rounds):
        shape = _centred(np.mean([one @ rotation(shape, one) for one in every], axis=0))
    across = np.mean([shape[left] - shape[right] for right, left in _PAIRS], axis=0)
    across /= np.linalg.norm(across)
    down = shape[152] - shape[10]
    down -= across * (across @ down)
    down /= np.linalg.norm(down)
    return shape @ np.stack([across, down, np.cross(across, down)]).T


def pose(shape: np.ndarray, meshes: np.ndarray) -> np.ndarray:
    """Return yaw, pitch and roll (n, 3) in degrees of meshes, against the mean shape.

    Yaw is positive towards the picture's right, pitch upwards, roll clockwise. The face looks
    along the third axis, away from the camera's; yaw = atan2(x, -z), pitch = asin(-y) of that
    direction, roll from where the first axis comes to.
    """
    turned = np.stack([rotation(shape, one) for one in _centred(meshes.astype(np.float64))])
    ahead = -turned[:, :, 2]
    yaw = np.arctan2(ahead[:, 0], -ahead[:, 2])
    pitch = np.arcsin(np.clip(-ahead[:, 1], -1, 1))
    roll = np.arctan2(turned[:, 1, 0], turned[:, 0, 0])
    return np.degrees(np.stack([yaw, pitch, roll], axis=1))
