"""The float net beside the shipped file, and how it is made."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL_NET

from face_training import recipe
from face_training.errors import TrainingError
from face_training.export import restore
from face_training.export.quantise import convert
from face_training.nets.models import KerasModel, load_keras
from face_training.nets.tflite import TfliteModel
from face_training.tasks.emotion import golden, metrics
from face_training.tasks.emotion.faces import only

ROOT = Path(__file__).parents[3]


def test_the_shipped_float_net_answers_as_the_shipped_file():
    faces = np.stack([golden.face(how) for how in golden.FACES])[..., None]
    heat = json.loads((ROOT / "models/emotion.json").read_text(encoding="utf-8"))["temperature"]
    exact, small = (
        metrics.softmax(only(net.outputs(faces)), heat)
        for net in (
            KerasModel(load_keras(ROOT / "models/emotion.keras")),
            TfliteModel(ROOT / "models/emotion.tflite"),
        )
    )
    assert np.abs(exact - small).max() < 0.1
    np.testing.assert_array_equal(exact.argmax(axis=1), small.argmax(axis=1))


def test_a_file_becomes_its_net_again(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(SMALL_NET, encoding="utf-8")
    plan = recipe.load(path)
    random = np.random.default_rng(1)
    pictures = random.integers(0, 256, (32, 48, 48, 1), np.uint8)
    net, other = plan.task.build(plan, None), plan.task.build(plan, None)
    # Statistics and factors as after training, not those of a net that is new.
    for layer in net.layers:
        if layer.name.startswith("batch_normalization"):
            shapes = [weight.shape for weight in layer.get_weights()]
            layer.set_weights([random.uniform(0.5, 1.5, shape) for shape in shapes])
    restore.fill(other, restore.weights(convert(net, pictures, plan.input)), pictures, plan.input)
    wanted, found = (
        KerasModel(one, given=plan.input).outputs(pictures)["logits"] for one in (net, other)
    )
    assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
    # Trained on with its normalisation at work, it begins where it was.
    values = (pictures / 255).astype(np.float32)
    learning = np.asarray(other(values, training=True)["logits"])
    assert np.abs(learning - found).mean() < 0.1 * np.abs(wanted).max()

    path.write_text(SMALL_NET.replace("[8, 16]", "[8, 24]"), encoding="utf-8")
    wider = plan.task.build(recipe.load(path), None)
    with pytest.raises(TrainingError, match="the file's layers are not those of residual"):
        restore.fill(
            wider, restore.weights(convert(net, pictures, plan.input)), pictures, plan.input
        )
