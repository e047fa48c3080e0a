"""Made-up faces and recipes."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[3]
# NASA's portrait of Eileen Collins (public domain), fetched by scripts/prepare.sh.
PORTRAIT = REPOSITORY / "third_party/portrait.png"
VOTE_HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
RECIPE = """
name = "tiny"
version = "0.0.1"
description = "made-up"

[targets]
labels = ["happy", "sad"]

[net]
name = "residual"
widths = [8]
blocks = [1]
stem = 4

[train]
epochs = 4
batch = 16
precision = "float32"
ema_decay = 0.9
watch_every = 2

[export]
calibration_pictures = 8

[card]
licence = "MIT"
training_data = "made-up"
"""


# Trained in seconds, for tests that want no data.
SMALL_NET = """
name = "tiny"
version = "0"
description = "made-up"
[net]
name = "residual"
widths = [8, 16]
blocks = [1, 1]
stem = 4
dropout = 0.0
"""


def face_row(number, pixels, usage):
    return f"{number},{' '.join(map(str, np.ravel(pixels)))},{usage}"


def write_faces(path, rows):
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n", encoding="utf-8")
    return path


def write_votes(path, rows):
    lines = [f"{usage},name.png,{','.join(map(str, votes))}" for usage, votes in rows]
    path.write_text("\n".join([VOTE_HEADER, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def made_up(tmp_path_factory):
    """Prepared data of bright "happy" and dark "sad" squares: (folder, recipe path)."""
    from face_training.tasks.emotion import dataset, fer2013

    folder = tmp_path_factory.mktemp("made-up")
    random = np.random.default_rng(1)
    faces, votes = [], []
    for number in range(96):
        usage = "Training" if number < 64 else "PublicTest"
        happy = number % 2 == 0
        pixels = random.integers(150 if happy else 0, 256 if happy else 100, (48, 48))
        faces.append(face_row(3 if happy else 4, pixels, usage))
        votes.append((usage, [0, 10 * happy, 0, 10 * (not happy), 0, 0, 0, 0, 0, 0]))
    paths = (
        write_faces(folder / "faces.csv", faces), write_votes(folder / "votes.csv", votes),
    )  # fmt: skip
    dataset.prepare([lambda _: fer2013.rows(*paths)], folder / "data")
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    return folder / "data", recipe


@pytest.fixture
def emotiond():
    """The program as built in this repository, or as EMOTIOND_BIN says."""
    built = [REPOSITORY / "target" / kind / "emotiond" for kind in ("debug", "release")]
    found = [
        path for path in (os.environ.get("EMOTIOND_BIN"), *built) if path and Path(path).exists()
    ]
    if not found or not PORTRAIT.exists():
        text = f"no emotiond is built, or no {PORTRAIT} is fetched: make test does both"
        assert os.environ.get("CI") != "true", text
        pytest.skip(text)
    return str(found[0])
