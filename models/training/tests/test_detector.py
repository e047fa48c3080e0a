"""The detector's pictures, goals, losses and figures, on made-up faces: bright ovals."""

import json
import subprocess

import cv2
import numpy as np
import pytest
import tensorflow as tf

from face_training import recipe
from face_training.__main__ import main
from face_training.errors import TrainingError
from face_training.nets.models import KerasModel
from face_training.tasks.detector import golden, grid, judge, losses, scenes
from face_training.tasks.detector.crops import Composer
from face_training.tasks.detector.place import Marked, Pose, draw, mark
from face_training.tasks.detector.tables import Crops
from face_training.training.trainer import Trainer

HEADER = "image,x,y,width,height,{},what".format(
    ",".join(f"{name}_{axis}" for name in scenes.POINTS for axis in "xy")
)
RECIPE = """
name = "tiny"
version = "0.0.1"
description = "made-up"
task = "detector"
[net]
name = "pyramid"
first = 8
widths = [8, 16, 16]
blocks = [1, 1, 1, 1]
[input]
width = 64
height = 64
channels = 3
[crops]
epoch = 320
occluded = 0
[train]
epochs = 4
batch = 8
learning_rate = 1e-2
ema_decay = 0.9
precision = "float32"
train_split = "train"
watch_split = "check"
"""


def face_row(name, left, top, width, height, what="face"):
    """A face whose eyes, nose and mouth stand where a face has them."""
    places = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
    points = ",".join(f"{left + width * x:.1f},{top + height * y:.1f}" for x, y in places)
    return f"{name},{left},{top},{width},{height},{points},{what}"


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """A source folder: ovals on noise, and noise alone."""
    folder, random = tmp_path_factory.mktemp("scenes"), np.random.default_rng(1)
    (folder / "images").mkdir()
    pictures, faces = ["image,source,width,height,split"], [HEADER]
    for number in range(40):
        name, split = f"{number}.png", "check" if number % 4 == 0 else "train"
        picture = random.integers(0, 90, (96, 128, 3), np.uint8)
        if number % 3:
            width, height = random.integers(24, 40), random.integers(30, 50)
            left, top = random.integers(0, 128 - width), random.integers(0, 96 - height)
            middle = (int(left + width // 2), int(top + height // 2))
            cv2.ellipse(
                picture, middle, (int(width // 2), int(height // 2)), 0, 0, 360, (200, 220, 240), -1
            )
            faces.append(face_row(name, left, top, width, height))
            # The same face seen otherwise, which is not another one.
            faces.append(face_row(name, left + 4, top + 4, width, height, "unsure"))
        cv2.imwrite(str(folder / "images" / name), picture)
        pictures.append(f"{name},made,128,96,{split}")
    (folder / "pictures.csv").write_text("\n".join(pictures) + "\n", encoding="utf-8")
    (folder / "faces.csv").write_text("\n".join(faces) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def data(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    assert scenes.prepare(source, folder) == {
        "check pictures": 10, "check faces": 6, "train pictures": 30, "train faces": 20,
    }  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return recipe.load(path)


def test_a_face_marked_twice_is_one(data):
    train = scenes.Scenes(data, "train")
    found = train.scene(int(train.with_faces[0]))
    assert found.sure.tolist() == [True]
    assert found.levels[1].shape == (48, 64, 3)
    assert len(train.empty) == 10


@pytest.mark.parametrize(
    ("row", "said"),
    [("0.png,1,2,3,4,,,,,,,,,,,dog", "what is 'dog'"), ("0.png,1,x,3,4,,,,,,,,,,,face", "row 2")],
)
def test_a_wrong_row_is_named(tmp_path, source, row, said):
    (tmp_path / "images").symlink_to(source / "images")
    (tmp_path / "pictures.csv").write_text(
        "image,source,split\n0.png,made,train\n", encoding="utf-8"
    )
    (tmp_path / "faces.csv").write_text(f"{HEADER}\n{row}\n", encoding="utf-8")
    with pytest.raises(TrainingError, match=said):
        scenes.prepare(tmp_path, tmp_path / "out")


def test_boxes_follow_what_is_done_to_the_picture(data):
    train, random = scenes.Scenes(data, "train"), np.random.default_rng(2)
    for _ in range(20):
        scene = train.any_with_faces(random)
        middle = scene.boxes[0, :2] + scene.boxes[0, 2:] / 2
        pose = Pose(
            float(random.uniform(0.5, 1.2)), float(random.uniform(-0.9, 0.9)), float(random.uniform(0.8, 1.25)),
            bool(random.random() < 0.5), tuple(middle), tuple(random.uniform(40, 60, 2)),
        )  # fmt: skip
        part, marked = np.zeros((100, 100, 3), np.uint8), Marked()
        draw(scene, pose.matrix(), part, sharp=False)
        mark(scene, pose.matrix(), (7, 9), (100, 100), 1.0, marked)
        rows, columns = np.nonzero(cv2.medianBlur(part[..., 1], 5) > 150)
        seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) + (
            7,
            9,
            7,
            9,
        )
        assert np.abs(marked.boxes[0] - seen).max() < 3.5
        # The person's right eye stays the person's: on the left of an unturned picture.
        right_eye, left_eye = marked.points[0][:2]
        across = np.array([np.cos(pose.angle), np.sin(pose.angle)])
        assert (left_eye - right_eye) @ across > 0


def test_an_eye_is_no_face():
    scene = scenes.Scene(
        (np.zeros((80, 80, 3), np.uint8),) * 3, np.array([[20.0, 20, 40, 40]]),
        np.array([[[32.0, 36], [48, 36], [40, 44], [34, 52], [46, 52]]]), np.array([True]),
    )  # fmt: skip

    def kinds(middle, side):
        pose = Pose(64 / side, 0.0, 1.0, False, middle, (32.0, 32.0))
        marked = Marked()
        mark(scene, pose.matrix(), (0, 0), (64, 64), 7.0, marked)
        return marked.kinds

    assert kinds((40.0, 40.0), 60) == [losses.FACE]
    assert kinds((40.0, 44.0), 26) == [losses.FACE], "cut by all four edges"
    assert kinds((32.0, 36.0), 12) == [], "an eye"
    assert kinds((20.0, 36.0), 40) == [losses.UNSURE], "half of it"
    assert kinds((40.0, 40.0), 640) == [losses.UNSURE], "too small to tell"


def test_the_same_seed_gives_the_same_crops(data):
    composer = Composer(scenes.Scenes(data, "train"), Crops(), (96, 64))
    for seed in range(30):
        one, other = (composer.crop(np.random.default_rng(seed)) for _ in range(2))
        assert (one[0] == other[0]).all()
        assert one[0].shape == (64, 96, 3)
        kinds, boxes = one[1]["kinds"], one[1]["boxes"]
        assert (boxes[kinds > 0, 2:] > boxes[kinds > 0, :2]).all()
        assert ((kinds == 0) == (boxes == 0).all(axis=1)).all()


def test_every_face_has_a_cell_and_unsure_boxes_none():
    # Between the centres of all cells; of middle size; unsure.
    marked = np.array(
        [[[14.0, 14, 18, 18], [30, 30, 70, 78], [70, 8, 94, 40], [0, 0, 0, 0]]], np.float32
    )
    kinds = np.array([[losses.FACE, losses.FACE, losses.UNSURE, losses.NOTHING]], np.float32)
    centres, strides = grid.cells(96, 96)
    near = np.tile(np.array([1.5, 1.5, 1.5, 1.5], np.float32) * strides[:, None], (1, 1, 1))
    boxes = np.concatenate([centres - near[..., :2], centres + near[..., 2:]], axis=-1)
    face, left_out = losses.assign(
        tf.zeros(near.shape[:2]), tf.constant(boxes), marked, kinds, 96, 96
    )
    face, left_out = face.numpy()[0], left_out.numpy()[0]
    assert set(face) == {-1, 0, 1}
    assert (face == 0).sum() == 1
    assert all(strides[face == 1] < 32), "a face of 44 pixels is none of the coarsest map's"
    away = np.abs(centres[face == 1] - (50, 54))
    assert (away < 1.5 * strides[face == 1][:, None]).all()
    inside = (np.abs(centres - (82, 24)) < (14, 18)).all(axis=1)
    assert (left_out == inside).all() and inside.any()


def test_a_right_answer_costs_nothing():
    kinds = np.array([[losses.FACE]], np.float32)
    box = np.array([[[20.0, 20, 44, 52]]], np.float32)
    points = np.array([[[[26.0, 34], [38, 34], [np.nan, np.nan], [28, 46], [36, 46]]]], np.float32)
    centres, strides = grid.cells(64, 64)
    edges = (
        np.concatenate([centres - box[0, :, :2], box[0, :, 2:] - centres], axis=-1)
        / strides[:, None]
    )
    moves = (points[0, 0] - centres[:, None]) / (grid.POINT_UNIT * strides[:, None, None])
    outputs = {
        "boxes": tf.constant(edges[None]),
        "points": tf.constant(np.nan_to_num(moves).reshape(1, -1, 10)),
        "scores": tf.zeros((1, len(strides), 1)),
    }
    goals = {"boxes": box, "kinds": kinds, "points": points}
    face, _ = losses.assign(
        outputs["scores"][..., 0], losses.decode(outputs["boxes"], 64, 64), box, kinds, 64, 64
    )
    logits = np.where(face.numpy() >= 0, 20.0, -20.0)[..., None]
    parts = losses.measure({**outputs, "scores": tf.constant(logits, tf.float32)}, goals, 64, 64)
    assert all(float(part[0]) < 1e-4 for part in parts.values()), parts
    worse = losses.measure({**outputs, "scores": tf.constant(-logits, tf.float32)}, goals, 64, 64)
    assert float(worse["score"][0]) > 1


def test_a_face_is_found_once():
    marked = np.array([[0.0, 0, 20, 20], [50, 50, 70, 70]])
    boxes = np.array([[1.0, 0, 20, 20], [0, 1, 20, 20], [50, 50, 69, 70], [80, 80, 90, 90]])
    found = judge.match(boxes, np.array([0.9, 0.8, 0.7, 0.6]), marked, np.array([True, False]))
    assert found.hits.tolist() == [0, -1, -1, -1]
    assert found.beside.tolist() == [False, False, False, True]
    # One right of two that count: of the double, the unsure and the stranger only the last does.
    assert judge.average_precision([found], 14) == pytest.approx(1.0)
    late = judge.match(boxes[[3, 0]], np.array([0.9, 0.8]), marked, np.array([True, False]))
    assert judge.average_precision([late], 14) == pytest.approx(0.5)
    none = judge.Found(
        np.array([0.95]), np.array([-1]), np.array([True]), np.zeros(0), np.zeros(0, bool)
    )
    assert judge.threshold([found, none], 0, 0.05) > 0.95
    assert judge.threshold([found, none], 1, 0.05) == 0.05


def test_it_learns_to_find_ovals(data, plan):
    samples = plan.task.to_learn(data, plan, None)
    trainer = Trainer(plan, samples)
    for epoch in range(plan.epochs):
        trainer.run_epoch(epoch)
    watched = plan.task.to_judge(data, "check", plan)
    figures = plan.task.judge(KerasModel(trainer.average, given=plan.input), watched, plan)
    assert figures.score > 0.8, figures


def test_an_input_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(RECIPE.replace("width = 64", "width = 72"), encoding="utf-8")
    with pytest.raises(TrainingError, match="steps of 16"):
        recipe.load(path)


def test_the_golden_table_holds_faces():
    table = golden.table()
    assert len(table["faces"]) >= 2
    scores = [face["score"] for face in table["faces"]]
    assert scores == sorted(scores, reverse=True)


def test_the_daemon_finds_what_an_exported_detector_learnt(source, data, tmp_path, emotiond):
    path, run, out = tmp_path / "tiny.toml", tmp_path / "run", tmp_path / "tiny"
    path.write_text(RECIPE, encoding="utf-8")
    common = ["--data", str(data), "--run", str(run)]
    assert main(["train", "--recipe", str(path), *common]) == 0
    assert main(["export", *common, "--out", str(out)]) == 0
    rows = [line.split(",") for line in (source / "faces.csv").read_text().splitlines()[1:]]
    boxes = [",".join(row[:5]) for row in rows if row[-1] == "face"]
    marked = tmp_path / "boxes.csv"
    marked.write_text("\n".join(["image,x,y,width,height", *boxes]) + "\n", encoding="utf-8")
    config = tmp_path / "emotiond.toml"
    model = out.with_suffix(".tflite")
    config.write_text(f'[detector]\nmodel = "{model}"\nmin_score = 0.3\n', encoding="utf-8")
    found = subprocess.run(
        [emotiond, "eval", source / "images", "--boxes", marked, "--json", "--config", config],
        capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    assert told["detector"].startswith("tiny 0.0.1")
    frame = next(mode for mode in told["modes"] if mode["mode"] == "frame")
    hits = sum(group["found"] for group in frame["found"])
    assert hits >= 0.7 * len(boxes), frame
