"""The emotion task: a small net learns, with and without teachers, labels and votes."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import SMALL_NET

from face_training import recipe
from face_training.errors import TrainingError
from face_training.nets.models import KerasModel, OnnxModel
from face_training.tasks.emotion import dataset, samples
from face_training.tasks.emotion.labels import EMOTIONS
from face_training.tasks.emotion.rows import Rows
from face_training.training import precision, references
from face_training.training.teachers import Teachers
from face_training.training.trainer import Trainer, schedule

RECIPE = f"""{SMALL_NET}[input]
width = 24
height = 24
[targets]
kind = "label"
judge = "label"
labels = ["happy", "sad"]
[augment]
rotate_degrees = 5.0
zoom = 0.05
shift = 0.02
blur_share = 0.0
coarse_share = 0.0
erase_share = 0.0
[train]
epochs = 24
batch = 32
learning_rate = 5e-3
warmup_epochs = 0.5
ema_decay = 0.9
precision = "float32"
watch_split = "Test"
"""
DISTILL = """
[distill]
teachers = ["teacher"]
share = 0.5
least_confidence = 0.6
"""


def _face(happy, random):
    """A face whose mouth bends up or down, anywhere near its place, in any light."""
    y, x = np.mgrid[:24, :24].astype(float)
    cx, cy = 12 + random.normal(0, 0.7, 2)
    face = 90 + 80 * (((x - cx) / 9) ** 2 + ((y - cy) / 11) ** 2 < 1)
    for side in (-3.5, 3.5):
        face -= 90 * ((x - cx - side) ** 2 + (y - cy + 3) ** 2 < 2.2)
    bend = 0.09 * (x - cx) ** 2 * (-1 if happy else 1)
    face -= 90 * ((np.abs(y - cy - 5 - bend) < 1.1) & (np.abs(x - cx) < 5))
    return np.clip(face * random.uniform(0.7, 1.3) + random.normal(0, 12, face.shape), 0, 255)


def _rows(count, split, source="own", labelled=True):
    random = np.random.default_rng([count, len(split)])
    happy = np.arange(count) % 2 == 0
    labels = np.zeros((count, len(EMOTIONS)), np.uint8)
    if labelled:
        labels[happy, EMOTIONS.index("happy")] = labels[~happy, EMOTIONS.index("sad")] = 1
    return Rows(
        pictures=[_face(one, random).astype(np.uint8) for one in happy],
        votes=np.zeros((count, 10), np.uint8),
        labels=labels,
        split=np.full(count, split),
        origin=np.array([f"{source} {number}" for number in range(count)]),
        source=np.full(count, source),
        person=np.full(count, ""),
        group=np.arange(count),
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learn") / "data"
    parts = [_rows(256, "Training"), _rows(64, "Test"), _rows(40, "Training", "more", False)]
    sources = [lambda _, rows=rows: dataset.Read(rows, told={"name": "own"}) for rows in parts]
    dataset.prepare(sources, folder, dataset.How(near=2.0))
    return folder


def _plan(folder, more="", **changes):
    path = folder / "recipe.toml"
    path.write_text(RECIPE + more, encoding="utf-8")
    return recipe.replaced(recipe.load(path), **changes)


def test_a_small_net_learns(data, tmp_path):
    plan = _plan(tmp_path)
    found = plan.task.to_learn(data, plan, None)
    assert len(found) == 256, "faces without labels teach nothing without teachers"
    trainer = Trainer(plan, found)
    judged = plan.task.to_judge(data, "Test", plan)
    losses = [trainer.run_epoch(epoch)["loss"] for epoch in range(plan.epochs)]
    reached = plan.task.judge(KerasModel(trainer.average), judged, plan)
    assert reached.primary == "accuracy" and reached.samples == 64
    assert reached.score >= 0.95
    assert losses[-1] < 0.5 * losses[0]


class Heard:
    """A teacher that says "happy" of everything, and keeps what it was shown."""

    def __init__(self):
        self.shown = []

    def see(self, pictures):
        self.shown.append(pictures)
        return [{"logits": np.tile(np.log([[0.9, 0.1]]).astype(np.float32), (len(pictures), 1))}]


def _asked(found):
    """Sure of the first half of what it is asked about, not of the rest."""
    sure = np.arange(len(found)) < len(found) // 2
    chances = np.where(sure[:, None], [[0.9, 0.1]], [[0.55, 0.45]])
    return [{"logits": np.log(chances).astype(np.float32)}]


def test_teachers_see_what_the_student_sees(data, tmp_path):
    plan = _plan(tmp_path, DISTILL)
    found = plan.task.to_learn(data, plan, _asked)
    teacher = Heard()
    trainer = Trainer(plan, found, teacher)
    trainer.run_epoch(0)
    stream = plan.task.batches(found, plan, 0)
    batches = [pictures.numpy() for pictures, _ in stream.take(trainer.epoch_steps)]
    assert len(teacher.shown) == len(batches) == trainer.epoch_steps
    for one, other in zip(teacher.shown, batches, strict=True):
        np.testing.assert_array_equal(one, other)


def test_pictures_without_labels_count_where_teachers_are_sure(data, tmp_path):
    plan = _plan(tmp_path, DISTILL, train={"source_weights": {"more": 0.5}})
    found = plan.task.to_learn(data, plan, _asked)
    assert len(found) == 256 + 20
    more = found.source == "more"
    assert more.sum() == 20
    # Half weight by its source; the teachers' alone.
    assert not found.goals["targets"][more].any()
    assert found.goals["taught"][more][0] == pytest.approx(found.goals["taught"][~more][0])
    with pytest.raises(TrainingError, match="unable to weigh source mroe"):
        plan.task.to_learn(
            data, recipe.replaced(plan, train={"source_weights": {"mroe": 0.5}}), _asked
        )


def test_a_source_has_its_share_of_the_loss_and_its_own_labels(tmp_path):
    parts = [_rows(256, "Training"), _rows(40, "Training", "posed")]
    sources = [lambda _, rows=rows: dataset.Read(rows, told={"name": "own"}) for rows in parts]
    dataset.prepare(sources, tmp_path / "data", dataset.How(near=2.0))
    plan = recipe.replaced(
        _plan(tmp_path, DISTILL),
        train={"source_shares": {"posed": 0.2}},
        distill={"sources": ("own",)},
    )
    goals = plan.task.to_learn(tmp_path / "data", plan, _asked)
    posed = goals.source == "posed"
    targets, taught = goals.goals["targets"], goals.goals["taught"]
    whole = targets.sum() + taught.sum()
    assert targets[posed].sum() / whole == pytest.approx(0.2, abs=1e-4)
    # The teachers' share is a half where they speak, and nothing where they do not.
    assert taught[~posed].sum() / whole == pytest.approx(0.4, abs=1e-4)
    assert not taught[posed].any()
    for wrong, cause in (
        ({"train": {"source_shares": {"psoed": 0.2}}}, "source psoed"),
        ({"train": {"source_shares": {"posed": 0.5, "own": 0.5}}}, "leave a part"),
        ({"distill": {"sources": ("onw",)}}, "source onw"),
    ):
        with pytest.raises(TrainingError, match=cause):
            plan.task.to_learn(tmp_path / "data", recipe.replaced(plan, **wrong), _asked)


@pytest.mark.parametrize(
    ("mean", "wanted"), [("probabilities", [0.55, 0.45]), ("log-probabilities", [0.6, 0.4])]
)
def test_several_teachers_have_a_mean(tmp_path, mean, wanted):
    plan = _plan(tmp_path, DISTILL + f'mean = "{mean}"\ntemperature = 1.0\n')
    said = [{"logits": np.log([row]).astype(np.float32)} for row in ([0.9, 0.1], [0.2, 0.8])]
    if mean == "log-probabilities":
        together = np.sqrt([0.9 * 0.2, 0.1 * 0.8])
        wanted = together / together.sum()
    logits = tf.Variable([[0.3, -0.2]])
    with tf.GradientTape() as tape:
        loss = plan.task.taught({"logits": logits}, said, {"taught": tf.ones(1)}, plan)
    gradient = tape.gradient(loss, logits)[0].numpy()
    # Of a cross entropy, it is what is said less what is wanted.
    np.testing.assert_allclose(tf.nn.softmax(logits)[0] - gradient, wanted, atol=1e-5)


def test_what_teachers_say_of_unchanged_pictures_is_kept(data, tmp_path, monkeypatch):
    plan = _plan(tmp_path)
    (tmp_path / "teacher").mkdir()
    plan.task.build(plan, None).save(tmp_path / "teacher" / "model.keras")
    (tmp_path / "teacher/recipe.json").write_text(json.dumps(plan.written), encoding="utf-8")
    plan = _plan(tmp_path, DISTILL)
    (tmp_path / "run").mkdir()
    judged = plan.task.to_judge(data, "Test", plan)
    teachers = Teachers(plan, tmp_path / "run")
    first = teachers.ask(judged)
    teachers.keep()
    again = Teachers(plan, tmp_path / "run")
    monkeypatch.setattr(again, "see", None)
    np.testing.assert_array_equal(again.ask(judged)[0]["logits"], first[0]["logits"])
    other = plan.task.build(plan, None)
    other.save(tmp_path / "teacher" / "model.keras")
    with pytest.raises(TrainingError, match="begun with other teachers"):
        Teachers(plan, tmp_path / "run")


def test_a_model_with_another_hash_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.keras").write_bytes(b"weights")
    found = references.find("run", tmp_path)
    assert (found.name, len(found.sha256)) == ("run", 64)
    assert references.find({"model": "run", "sha256": found.sha256}, tmp_path) == found
    with pytest.raises(TrainingError, match="its SHA-256 is .*, the recipe says 00"):
        references.find({"model": "run", "sha256": "00"}, tmp_path)


def test_votes_and_classes_that_are_not_there_are_refused(data, tmp_path):
    plan = _plan(tmp_path)
    path = tmp_path / "other.toml"
    path.write_text(RECIPE.replace('judge = "label"', 'judge = "majority"'), encoding="utf-8")
    by_votes = recipe.load(path)
    with pytest.raises(TrainingError, match="nobody voted on its faces"):
        plan.task.to_judge(data, "Test", by_votes)
    path.write_text(RECIPE.replace('"sad"]', '"sad", "fear"]'), encoding="utf-8")
    with pytest.raises(TrainingError, match="no face of Training shows fear"):
        plan.task.to_learn(data, recipe.load(path), None)


def test_the_frame_is_the_datas(data, tmp_path):
    plan = _plan(tmp_path)
    assert samples.frame(data, plan)["scale"] == 1.17
    copy = tmp_path / "data"
    copy.mkdir()
    frame = {"scale": 1.4, "shift_x": 0.0, "shift_y": 0.0, "align": "eyes"}
    counts = json.dumps({**dataset.counts(data), "crop": frame})
    (copy / dataset.COUNTS).write_text(counts, encoding="utf-8")
    assert samples.frame(copy, plan) == frame
    with pytest.raises(TrainingError, match="its photos were cut with"):
        samples.frame(copy, _plan(tmp_path, "[crop]\nscale = 1.2\n"))


def test_a_head_keeps_the_classes_that_it_knew(tmp_path):
    plan = _plan(tmp_path)
    (tmp_path / "run").mkdir()
    first = plan.task.build(plan, None)
    first.save(tmp_path / "run" / "model.keras")
    (tmp_path / "run/recipe.json").write_text(json.dumps(plan.written), encoding="utf-8")
    path = tmp_path / "other.toml"
    path.write_text(
        RECIPE.replace('["happy", "sad"]', '["sad", "fear", "happy"]'), encoding="utf-8"
    )
    other = recipe.load(path)
    second = plan.task.build(other, tmp_path / "run" / "model.keras")
    old, new = (np.asarray(net.get_layer("logits").kernel) for net in (first, second))
    np.testing.assert_array_equal(new[:, [2, 0]], old)


def test_learning_rate(tmp_path):
    plan = _plan(tmp_path, train={"epochs": 10, "learning_rate": 1.0, "warmup_epochs": 1.0})
    rate = schedule(recipe.Stage(epochs=10, learning_rate=1.0, warmup_epochs=1.0), 10)
    assert plan.train.learning_rate == 1.0
    assert float(rate(5)) == pytest.approx(0.5)
    assert float(rate(10)) == pytest.approx(1.0)
    assert float(rate(55)) == pytest.approx(0.5)
    assert float(rate(99)) < 0.001


def test_precision_is_what_the_processor_has(tmp_path, monkeypatch):
    for flags, wanted in (("fpu avx2", "float32"), ("fpu avx512_bf16", "mixed_bfloat16")):
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n", encoding="utf-8")
        monkeypatch.setattr(
            precision,
            "processor_flags",
            lambda path=path, read=precision.processor_flags: read(path),
        )
        assert precision.choose("auto") == wanted
        monkeypatch.undo()
    assert precision.choose("float32") == "float32"
    assert precision.processor_flags(Path("/none")) == set()


def test_onnx_models_answer(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["picture"], ["means"], axes=[2, 3], keepdims=0)],
        "means",
        [helper.make_tensor_value_info("picture", kind, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("means", kind, [1, 3])],
    )
    opset = [helper.make_opsetid("", 13)]
    path = tmp_path / "means.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    model = OnnxModel(path, recipe.Input(mean=0.0, std=1.0))
    pictures = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 3), np.uint8)
    assert model.shape == (8, 8, 3)
    np.testing.assert_allclose(
        model.outputs(pictures)["means"], pictures.mean(axis=(1, 2)), rtol=1e-4
    )
    # A grey picture of another size, as a student sees it.
    grey = np.full((2, 16, 16, 1), 0.5, np.float32)
    np.testing.assert_allclose(model.see(grey)["means"], np.full((2, 3), 127.5), rtol=1e-4)
