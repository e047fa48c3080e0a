"""A user's own pictures: class folders, lists, photos."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import PORTRAIT, REPOSITORY
from PIL import Image

from face_training.errors import TrainingError
from face_training.tasks.emotion import crops, dataset, folders, prepare


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
    how = folders.How(**options)
    source = functools.partial(folders.rows, path, how=how)
    return dataset.prepare([source], out, dataset.How(test_only=how.only_test))


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


def test_all_may_be_learnt_from(tmp_path):
    counts = _prepare(_subjects(tmp_path / "ckplus"), tmp_path / "out", test_share=0.0)
    assert {name: one["rows"] for name, one in counts["splits"].items()} == {"Training": 120}


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


def _glad(root):
    (root / "happy").rename(root / "glad")


@pytest.mark.parametrize(
    ("harm", "cause"),
    [
        (_empty_class, "fear: the class is empty"),
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


def _photos(root, faces=5):
    for number in range(faces):
        path = root / "happy" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PORTRAIT.read_bytes())
    return root


def test_photos_are_cut_by_emotiond(tmp_path, emotiond):
    root = _photos(tmp_path / "photos")
    _save(root / "neutral/noise.png", np.random.default_rng(1), side=200)
    tool = crops.Tool(emotiond)
    counts = _prepare(root, tmp_path / "out", only_test=True, tool=tool)
    test = dataset.split(tmp_path / "out", "Test")
    assert len(test) == 5 and test.origin[0] == "photos/happy/0.png"
    # A face fills the picture: its middle is skin, brighter than the hair at its upper corners.
    assert test.pictures[0][20:30, 20:28].mean() > test.pictures[0][:6, :6].mean() + 30
    left_out = (tmp_path / "out" / dataset.LEFT_OUT).read_text(encoding="utf-8")
    assert left_out == "photos/neutral/noise.png: no face found\n"
    assert counts["losses"] == [{"class": "neutral", "cause": "no face found", "lost": 1, "of": 1}]
    shipped = json.loads((REPOSITORY / "models/emotion.json").read_text(encoding="utf-8"))
    assert counts["crop"] == shipped["crop"]


def test_a_broken_photo_is_skipped_and_named(tmp_path, emotiond):
    root = _photos(tmp_path / "photos")
    broken = root / "happy/broken.jpg"
    Image.fromarray(np.zeros((100, 100), np.uint8)).save(broken)
    broken.write_bytes(broken.read_bytes()[:-100])
    _prepare(root, tmp_path / "out", only_test=True, tool=crops.Tool(emotiond))
    left_out = (tmp_path / "out" / dataset.LEFT_OUT).read_text(encoding="utf-8")
    assert left_out == "photos/happy/broken.jpg: unreadable\n"


def test_another_frame_cuts_other_faces(tmp_path, emotiond):
    root = _photos(tmp_path / "photos", 1)
    frame = {"scale": 1.6, "shift_x": 0.0, "shift_y": 0.0, "align": "eyes"}
    for name, tool in (("own", crops.Tool(emotiond)), ("wide", crops.Tool(emotiond, frame=frame))):
        _prepare(root, tmp_path / name, only_test=True, tool=tool)
    (own,), (wide,) = (dataset.split(tmp_path / name, "Test").pictures for name in ("own", "wide"))
    assert not np.array_equal(own, wide)
    assert dataset.counts(tmp_path / "wide")["crop"] == frame


def test_pictures_that_are_faces_already_keep_their_size(tmp_path):
    random = np.random.default_rng(1)
    for emotion in ("happy", "sad"):
        for number, side in enumerate((48, 64, 96, 100, 200)):
            _save(tmp_path / "own" / emotion / f"{number}.png", random, side)
    counts = _prepare(tmp_path / "own", tmp_path / "out", are_faces=True)
    assert counts["left_out"] == 0 and counts["crop"] is None
    sizes = {
        face.shape[0] for rows in dataset.load(tmp_path / "out").values() for face in rows.pictures
    }
    assert sizes == {48, 64, 96, 100, folders.MOST_SIDE}


def test_a_source_that_loses_too_much_is_an_error(tmp_path):
    random = np.random.default_rng(1)
    for number in range(10):
        file = _save(tmp_path / "own/happy" / f"{number}.png", random)
        if number < 3:
            file.write_bytes(file.read_bytes()[:900])
    with pytest.raises(TrainingError, match=r"3 of 10 pictures are lost \(unreadable 3\).*--crops"):
        _prepare(tmp_path / "own", tmp_path / "out", only_test=True)


def test_people_are_told_by_folders(tmp_path):
    random = np.random.default_rng(1)
    for person in range(10):
        for emotion in ("happy", "sad"):
            for number in range(2):
                _save(tmp_path / "above" / f"p{person}" / emotion / f"{number}.png", random)
                _save(tmp_path / "within" / emotion / f"p{person}" / f"{number}.png", random)
    for layout in ("above", "within"):
        counts = _prepare(tmp_path / layout, tmp_path / f"{layout}-out")
        assert counts["sources"][0]["people"] == "10 by folders"
        people = {
            name: set(rows.person)
            for name, rows in dataset.load(tmp_path / f"{layout}-out").items()
        }
        assert not people["Training"] & people["Test"] and len(people["Test"]) == 2


def test_people_on_both_sides_are_told(tmp_path):
    random = np.random.default_rng(1)
    for split in ("train", "test"):
        for number in range(3):
            _save(tmp_path / "own" / split / "happy" / f"subject{number}_{split}.png", random)
    counts = _prepare(tmp_path / "own", tmp_path / "out")
    assert counts["sources"][0]["people_in_two_splits"] == 3
    assert "3 people are learnt from and judged by" in prepare.table(counts)
    for path in (tmp_path / "own").rglob("*.png"):
        path.rename(path.with_name(f"{path.stem[-9:]}-{random.integers(1 << 30)}.png"))
    assert "warning: the same person may be" in prepare.table(
        _prepare(tmp_path / "own", tmp_path / "other")
    )


def test_missing_program(tmp_path, monkeypatch):
    _save(tmp_path / "own/happy/1.png", np.random.default_rng(1), side=64)
    monkeypatch.setenv(crops.BINARY, str(tmp_path / "emotiond"))
    with pytest.raises(TrainingError, match="emotiond of EMOTIOND_BIN is no program"):
        _prepare(tmp_path / "own", tmp_path / "out", only_test=True)


def test_the_model_is_looked_for_where_the_program_does(tmp_path, monkeypatch):
    program = tmp_path / "clone/target/release/emotiond"
    for folder in ("clone/models", "own"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "emotion.tflite").touch()
    monkeypatch.setattr(crops, "CLONE", tmp_path / "site-packages")
    assert crops.find_model(str(program)) == tmp_path / "clone/models/emotion.tflite"
    monkeypatch.setenv("EMOTIOND_MODELS", str(tmp_path / "own"))
    assert crops.find_model(str(program)) == tmp_path / "own/emotion.tflite"
    with pytest.raises(TrainingError, match="no model .*missing.tflite"):
        crops.find_model(str(program), tmp_path / "missing.tflite")
