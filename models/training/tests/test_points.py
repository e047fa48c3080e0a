"""The points net's faces, cuts, losses and figures, on made-up faces: ovals with spots."""

import cv2
import numpy as np
import pytest

from face_training import recipe
from face_training.errors import TrainingError
from face_training.nets.models import KerasModel
from face_training.tasks.detector import scenes
from face_training.tasks.points import cuts, faces, judge, losses, named
from face_training.tasks.points.tables import Cuts
from face_training.training.trainer import Trainer

RECIPE = """
name = "tiny"
version = "0.0.1"
description = "made-up"
task = "points"
[net]
name = "close_up"
first = 8
widths = [8, 16, 16]
blocks = [1, 1, 1]
[input]
width = 64
height = 64
[cuts]
epoch = 1024
turn_degrees = 20
[train]
epochs = 6
batch = 16
learning_rate = 5e-3
warmup_epochs = 0.2
ema_decay = 0.9
precision = "float32"
train_split = "train"
watch_split = "check"
"""
# Where the spots are, in shares of the box.
SPOTS = {"right_eye": (0.3, 0.4), "left_eye": (0.7, 0.4), "nose_tip": (0.5, 0.62)}


def made_mesh(left, top, width, height):
    """A mesh (478, 3) that fills a box, its eyes and nose at SPOTS, alike on both sides."""
    random = np.random.default_rng(3)
    mesh = random.uniform(0.05, 0.95, (478, 3))
    for name, places in named.NAMED:
        if name in SPOTS:
            spread = mesh[list(places), :2] - mesh[list(places), :2].mean(axis=0)
            mesh[list(places), :2] = SPOTS[name] + 0.1 * spread
    for right, other in (*named._PAIRS, *zip(named._RIGHT_EYE, named._LEFT_EYE, strict=True)):
        mesh[other] = mesh[right] * (-1, 1, 1) + (1, 0, 0)
    mesh[10, :2], mesh[152, :2] = (0.5, 0.0), (0.5, 1.0)
    mesh[234, :2], mesh[454, :2] = (0.0, 0.5), (1.0, 0.5)
    mesh[:, 2] = 0.4 * ((mesh[:, 0] - 0.5) ** 2 + (mesh[:, 1] - 0.5) ** 2) - 0.1
    return mesh * (width, height, width) + (left, top, 0)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder filled by `scenes` and by `faces`."""
    source, out = tmp_path_factory.mktemp("faces"), tmp_path_factory.mktemp("prepared")
    (source / "images").mkdir()
    random, pictures, rows = np.random.default_rng(1), ["image,source,split"], []
    columns = {"mesh": [], "picture": [], "box": [], "split": []}
    for number in range(48):
        name, split = f"{number}.png", "check" if number % 4 == 0 else "train"
        picture = random.integers(0, 90, (128, 160, 3), np.uint8)
        if number % 6:
            width = int(random.integers(36, 60))
            height = int(width * 1.3)
            left, top = int(random.integers(0, 160 - width)), int(random.integers(0, 128 - height))
            middle = (left + width // 2, top + height // 2)
            cv2.ellipse(picture, middle, (width // 2, height // 2), 0, 0, 360, (200,) * 3, -1)
            for x, y in SPOTS.values():
                spot = (int(left + x * width), int(top + y * height))
                cv2.circle(picture, spot, width // 12, (20,) * 3, -1)
            columns["mesh"].append(made_mesh(left, top, width, height))
            columns["picture"].append(str(source / "images" / name))
            columns["box"].append([left, top, width, height])
            columns["split"].append(split)
            rows.append(f"{name},{left},{top},{width},{height}{',' * 10},face")
        cv2.imwrite(str(source / "images" / name), picture)
        pictures.append(f"{name},made,{split}")
    points = ",".join(f"{name}_{axis}" for name in scenes.POINTS for axis in "xy")
    header = f"image,x,y,width,height,{points},what"
    (source / "pictures.csv").write_text("\n".join(pictures) + "\n", encoding="utf-8")
    (source / "faces.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    np.savez(source / "mesh.npz", **{name: np.array(values) for name, values in columns.items()})
    scenes.prepare(source, out)
    assert faces.prepare(source / "mesh.npz", out) == {"check": 8, "train": 32}
    return out


def turn(axis, degrees):
    """The rotation about an axis; the picture's x is right, y down, z away."""
    return cv2.Rodrigues(np.radians(degrees) * np.eye(3)[axis])[0]


@pytest.mark.parametrize(
    ("axis", "degrees", "said"),
    [(1, -25.0, (25, 0, 0)), (0, -20.0, (0, 20, 0)), (2, 30.0, (0, 0, 30)), (1, 40.0, (-40, 0, 0))],
)
def test_the_pose_of_a_turned_mesh(axis, degrees, said):
    mesh = made_mesh(0, 0, 100, 130)[:468]
    shape = named.mean_shape(mesh[None])
    found = named.pose(shape, np.stack([mesh @ turn(axis, degrees).T]))
    # At rest it faces the camera: no yaw, no roll; its pitch is the forehead's over the chin.
    rest = named.pose(shape, mesh[None])
    assert np.abs(rest[0, [0, 2]]).max() < 0.01
    assert found[0] - rest[0] == pytest.approx(said, abs=0.1)


def test_eyes_that_close_and_a_mouth_that_opens():
    mesh = np.zeros((1, 478, 3))
    mesh[0, [33, 133], 0] = (0, 30)
    mesh[0, [362, 263], 0] = (70, 100)
    for upper, lower in named._LIDS[0]:
        mesh[0, [upper, lower], 1] = (-4.5, 4.5)
    for upper, lower in named._LIPS:
        mesh[0, lower, 1] = mesh[0, upper, 1] + 20
    right, left, mouth = named.openness(mesh)[0]
    assert (right, left) == pytest.approx((0.3, 0.0))
    assert mouth > 0.2


def test_names_mirror_each_other():
    assert (named.MIRRORED[named.MIRRORED] == np.arange(named.COUNT)).all()
    assert named.MIRRORED[named.NAMES.index("right_eye_inner")] == named.NAMES.index(
        "left_eye_inner"
    )
    assert named.MIRRORED[named.NAMES.index("chin")] == named.NAMES.index("chin")


def test_goals_follow_what_is_done_to_the_picture(data):
    train = faces.Faces(data, "train")
    how = Cuts(none=0, beside=0, part=0, wrong=0)
    cutter = cuts.Cutter(train, scenes.Scenes(data, "train"), how, 64)
    cutter._finish = lambda picture, random: picture[..., None]
    nose = named.NAMES.index("nose_tip")
    for seed in range(25):
        picture, goals = cutter.cut(np.random.default_rng(seed))
        place = goals["points"][[0, 1, nose]] * 64
        inside = place[((place > 3) & (place < 61)).all(axis=1)]
        assert all(picture[int(y), int(x), 0] < 110 for x, y in inside), "spots are dark"
        away = np.linalg.norm(place[2] - goals["box"][:2] * 64)
        assert away == pytest.approx(0.12 * goals["box"][3] * 64, abs=0.5)
        # The person's right eye stays the person's, also in a mirror.
        (rx, ry), (lx, ly), (nx, ny) = place
        assert (lx - rx) * (ny - ry) - (ly - ry) * (nx - rx) > 0


def test_parts_and_strangers_are_no_faces(data):
    train, pictures = faces.Faces(data, "train"), scenes.Scenes(data, "train")
    for how in (
        Cuts(none=1, beside=0),
        Cuts(none=0, beside=0, part=1),
        Cuts(none=0, beside=0, part=0, wrong=1),
    ):
        cutter = cuts.Cutter(train, pictures, how, 64)
        kinds = {float(cutter.cut(np.random.default_rng(seed))[1]["face"]) for seed in range(20)}
        assert cuts.FACE not in kinds and cuts.NO_FACE in kinds


def test_unsure_cuts_and_strangers_cost_only_what_they_should():
    outputs = {
        "box": np.ones((3, 4)), "face": np.full((3, 1), 9.0), "open": np.ones((3, 3)),
        "points": np.ones((3, 2 * named.COUNT)), "pose": np.ones((3, 2)),
    }  # fmt: skip
    goals = {
        "box": np.full((3, 4), 0.5), "face": np.array([cuts.FACE, cuts.NO_FACE, cuts.UNSURE]),
        "open": np.zeros((3, 3)), "points": np.zeros((3, named.COUNT, 2)), "pose": np.zeros((3, 2)),
        "weight": np.ones(3),
    }  # fmt: skip
    outputs, goals = (
        {name: values.astype(np.float32) for name, values in one.items()}
        for one in (outputs, goals)
    )
    parts = {name: part.numpy() for name, part in losses.measure(outputs, goals).items()}
    assert parts["face"][0] < 0.01 and parts["face"][1] > 8 and parts["face"][2] == 0
    # Half a picture's side off, in sizes of a face that is half as wide.
    assert parts["points"] == pytest.approx([2 - 0.005, 0, 0])


def test_it_learns_where_spots_are(data, tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    plan = recipe.load(path)
    trainer = Trainer(plan, plan.task.to_learn(data, plan, None))
    watched = plan.task.to_judge(data, "check", plan)
    net = KerasModel(trainer.average, given=plan.input)
    before = plan.task.judge(net, watched, plan).values
    for epoch in range(plan.epochs):
        trainer.run_epoch(epoch)
    after = plan.task.judge(net, watched, plan).values
    assert after["error"] < 0.4 < 0.8 < before["error"], (before, after)
    assert after["faces"] - after["others"] > 0.5, after
    assert isinstance(watched.pictures, judge.Shown)


def test_faces_that_nobody_marked_are_refused(tmp_path):
    mesh = made_mesh(0, 0, 50, 60)[None]
    np.savez(
        tmp_path / "mesh.npz",
        mesh=mesh,
        box=np.full((1, 4), np.nan),
        picture=["x.png"],
        split=["train"],
    )
    with pytest.raises(TrainingError, match="no upright face has a marked box"):
        faces.prepare(tmp_path / "mesh.npz", tmp_path / "out")
