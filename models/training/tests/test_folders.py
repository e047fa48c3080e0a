"""A user's own pictures: class folders, lists, photos."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_training.errors import TrainingError
from face_training.tasks.emotion import crops, dataset

REPOSITORY = Path(__file__).parents[3]
# NASA's portrait of Eileen Collins (public domain), fetched by scripts/prepare.sh.
PORTRAIT = REPOSITORY / "third_party/portrait.png"


def _save(path, random, side=48):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(random.integers(0, 256, (side, side), np.uint8)).save(path)
    return path


def _subjects(root, subjects=20):
    """CK+ as it is shared: three neighbouring frames a subject and emotion."""
    random = np.random.default_rng(1)
    for subject in range(subjects):
        for emotion in ("anger", "happy") if subject % 2 else ("happy", "sadness"):
            for frame in range(3):
                _save(root / emotion / f"S{subject:03}_001_{frame:08}.png", random)
    return root


def _prepare(path, out, **options):
    return dataset.prepare([dataset.from_pictures(path, **options)], out)


def test_no_person_is_in_two_splits(tmp_path):
    counts = _prepare(_subjects(tmp_path / "ckplus"), tmp_path / "out")
    splits = dataset.load(tmp_path / "out")
    people = {
        name: {Path(origin).name[:4] for origin in split.origin} for name, split in splits.items()
    }
    assert len(people["Training"]) + len(people["Test"]) == 20
    assert not people["Training"] & people["Test"]
    assert counts["splits"]["Test"]["rows"] == pytest.approx(120 / 5, abs=6)
    found = counts["splits"]["Test"]["by_label"]
    assert (found["happy"], found["angry"], found["sad"]) == (12, 6, 6)
    # The same seed splits alike, another one does not.
    _prepare(tmp_path / "ckplus", tmp_path / "again")
    _prepare(tmp_path / "ckplus", tmp_path / "other", seed=2)
    tested = [
        set(dataset.split(tmp_path / name, "Test").origin) for name in ("out", "again", "other")
    ]
    assert tested[0] == tested[1] != tested[2]


def test_names_of_classes_are_no_persons(tmp_path):
    random = np.random.default_rng(1)
    for emotion in ("happy", "sad"):
        for number in range(10):
            _save(tmp_path / "own" / emotion / f"{emotion}_face_{number}.png", random)
    counts = _prepare(tmp_path / "own", tmp_path / "out")
    assert counts["splits"]["Test"]["by_label"]["happy"] == 2
    assert counts["splits"]["Test"]["by_label"]["sad"] == 2


def test_train_and_test_folders_keep_their_splits(tmp_path):
    random = np.random.default_rng(1)
    for split, emotion in (("train", "happy"), ("train", "sad"), ("test", "Happiness")):
        _save(tmp_path / "own" / split / emotion / "1.png", random)
    # A picture of the test folder, saved as JPEG, is in the training folder as well.
    copy = Image.open(tmp_path / "own/test/Happiness/1.png")
    copy.save(tmp_path / "own/train/sad/2.jpg", quality=80)
    counts = _prepare(tmp_path / "own", tmp_path / "out")
    assert {name: split["rows"] for name, split in counts["splits"].items()} == {
        "Training": 2, "Test": 1,
    }  # fmt: skip
    assert (counts["leaked"], counts["near"]) == (0, 1)


def test_list(tmp_path):
    random = np.random.default_rng(1)
    rows = ["image,person,emotion,split"]
    for number in range(4):
        _save(tmp_path / "images" / f"{number}.png", random)
        rows.append(f"{number}.png,p{number},happiness,{'Training' if number else 'test'}")
    faces = tmp_path / "faces.csv"
    faces.write_text("\n".join(rows), encoding="utf-8")
    counts = _prepare(faces, tmp_path / "out")
    assert counts["splits"]["Training"]["by_majority"]["happy"] == 3
    assert dataset.split(tmp_path / "out", "Test").origin.tolist() == ["faces.csv, row 2: 0.png"]

    faces.write_text("\n".join([*rows, "4.png,p4,happy,test"]), encoding="utf-8")
    with pytest.raises(TrainingError, match="row 6: no picture 4.png"):
        _prepare(faces, tmp_path / "out")
    faces.write_text("\n".join([*rows, "3.png,p4,glad,test"]), encoding="utf-8")
    with pytest.raises(TrainingError, match="row 6: unknown label 'glad'"):
        _prepare(faces, tmp_path / "out")


def _empty_class(root):
    (root / "fear").mkdir()
    (root / "fear/note.txt").write_text("no picture", encoding="utf-8")


def _cut_short(root):
    file = root / "happy/S000_001_00000000.png"
    file.write_bytes(file.read_bytes()[:900])


def _glad(root):
    (root / "happy").rename(root / "glad")


@pytest.mark.parametrize(
    ("harm", "cause"),
    [
        (_empty_class, "fear: the class is empty"),
        (_cut_short, "unable to read picture .*S000_001_00000000.png"),
        (_glad, "unknown label 'glad'"),
    ],
)
def test_nothing_is_written_on_an_error(tmp_path, harm, cause):
    out = tmp_path / "out"
    _prepare(_subjects(tmp_path / "ckplus", 10), out)
    before = {path: path.read_bytes() for path in sorted(out.iterdir())}
    harm(tmp_path / "ckplus")
    with pytest.raises(TrainingError, match=cause):
        _prepare(tmp_path / "ckplus", out)
    assert {path: path.read_bytes() for path in sorted(out.iterdir())} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ckplus", "out"]


@pytest.fixture
def emotiond(monkeypatch):
    """The program as built in this repository, or as EMOTIOND_BIN says."""
    built = [REPOSITORY / "target" / kind / "emotiond" for kind in ("debug", "release")]
    found = [
        path for path in (os.environ.get(crops.BINARY), *built) if path and Path(path).exists()
    ]
    if not found or not PORTRAIT.exists():
        text = f"no emotiond is built, or no {PORTRAIT} is fetched: make test does both"
        assert os.environ.get("CI") != "true", text
        pytest.skip(text)
    return str(found[0])


def test_photos_are_cut_by_emotiond(tmp_path, emotiond):
    root = tmp_path / "photos"
    (root / "happy").mkdir(parents=True)
    (root / "happy/collins.png").write_bytes(PORTRAIT.read_bytes())
    _save(root / "neutral/noise.png", np.random.default_rng(1), side=200)
    _prepare(root, tmp_path / "out", only_test=True, emotiond=emotiond)
    test = dataset.split(tmp_path / "out", "Test")
    assert test.origin.tolist() == ["photos/happy/collins.png"]
    # A face fills the picture: its middle is skin, brighter than the hair at its upper corners.
    assert test.pixels[0, 20:30, 20:28].mean() > test.pixels[0, :6, :6].mean() + 30
    left_out = (tmp_path / "out" / dataset.LEFT_OUT).read_text(encoding="utf-8")
    assert left_out == "photos/neutral/noise.png: no face found\n"

    broken = root / "happy/broken.jpg"
    Image.fromarray(np.zeros((100, 100), np.uint8)).save(broken)
    broken.write_bytes(broken.read_bytes()[:-100])
    with pytest.raises(TrainingError, match=f"unable to cut photos: .*{broken}"):
        _prepare(root, tmp_path / "out", only_test=True, emotiond=emotiond)


def test_missing_program(tmp_path, monkeypatch):
    _save(tmp_path / "own/happy/1.png", np.random.default_rng(1), side=64)
    monkeypatch.setenv(crops.BINARY, str(tmp_path / "emotiond"))
    with pytest.raises(TrainingError, match="emotiond of EMOTIOND_BIN is no program"):
        _prepare(tmp_path / "own", tmp_path / "out", only_test=True)
