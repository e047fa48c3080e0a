"""Figures, recipes, augmentation and nets."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from emotion_training import augment, metrics, nets, recipe
from emotion_training.errors import TrainingError
from emotion_training.quantise import CORAL_OPERATORS, convert, operators
from emotion_training.train import learning_rate

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


def test_figures_by_hand():
    # 30 of class a (20 found), 20 of class b (all found), 2 of class c (none found).
    truth = np.array([0] * 30 + [1] * 20 + [2] * 2)
    found = np.array([0] * 20 + [1] * 10 + [1] * 20 + [0] * 2)
    logits = np.log(np.where(np.eye(3)[found] > 0, 0.8, 0.1))
    figures = metrics.figures(logits, truth, ("a", "b", "c"))
    assert figures["accuracy"] == pytest.approx(40 / 52)
    # Class c has fewer than 20 samples: macro F1 is the mean of a's and b's.
    assert figures["macro_f1"] == pytest.approx((40 / 52 + 40 / 50) / 2)
    assert figures["per_class"]["b"]["precision"] == pytest.approx(20 / 30)
    assert figures["confusion"]["rows"] == [[20, 10, 0], [0, 20, 0], [2, 0, 0]]
    assert figures["ece"] == pytest.approx(0.8 - 40 / 52)


def test_temperature_undoes_a_known_one():
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (4000, 8))
    chances = metrics.softmax(logits).cumsum(axis=1)
    truth = (random.random((4000, 1)) > chances).sum(axis=1).clip(max=7)
    assert metrics.fit_temperature(logits * 2.5, truth) == pytest.approx(2.5, rel=0.07)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes(path):
    plan = recipe.load(path)
    assert plan.name == path.stem
    options = {key: value for key, value in plan.net.items() if key != "name"}
    model = nets.build(plan.net["name"], 48, 8, options)
    assert model.count_params() < 1_000_000


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("[train]\nepoch = 3", r"\[train\] unknown key epoch"),
        ("[train]\nepochs = 3.5", r"\[train\] epochs must be int"),
        ("[trian]", "unknown key trian"),
        ("[net", "unable to read recipe"),
    ],
)
def test_recipe_errors(tmp_path, line, cause):
    path = tmp_path / "r.toml"
    path.write_text(f'name="n"\nversion="1"\ndescription="d"\n[net]\nname="lenet5"\n{line}\n')
    with pytest.raises(TrainingError, match=cause):
        recipe.load(path)


def test_learning_rate():
    assert learning_rate(0, 100, 10, 1.0) == pytest.approx(0.1)
    assert learning_rate(10, 100, 10, 1.0) == pytest.approx(1.0)
    assert learning_rate(55, 100, 10, 1.0) == pytest.approx(0.5)
    assert learning_rate(99, 100, 10, 1.0) < 0.001


def test_augmentation():
    random = np.random.default_rng(2)
    pictures = tf.constant(random.random((4, 48, 48, 1)), tf.float32)
    nothing = recipe.Augment(
        flip=False, rotate_degrees=0.0, zoom=0.0, shift=0.0, contrast=0.0, brightness=0.0,
        blur_share=0.0, coarse_share=0.0, noise=0.0, erase_share=0.0,
    )  # fmt: skip
    same = augment.augment(pictures, tf.constant([1, 2]), nothing)
    np.testing.assert_allclose(same, pictures, atol=1e-5)
    first = augment.augment(pictures, tf.constant([1, 2]), recipe.Augment())
    again = augment.augment(pictures, tf.constant([1, 2]), recipe.Augment())
    other = augment.augment(pictures, tf.constant([1, 3]), recipe.Augment())
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    assert 0 <= np.min(first) and np.max(first) <= 1


@pytest.mark.parametrize("name", sorted(nets.REGISTRY))
def test_nets_convert_to_coral_operators(name):
    model = nets.build(name, 48, 8, {})
    pixels = np.random.default_rng(4).integers(0, 256, (2, 48, 48), np.uint8)
    assert set(operators(convert(model, pixels))) <= CORAL_OPERATORS


def test_multiply_adds():
    # 5x5 kernels on 44x44x6 and 18x18x16, then 9*9*16 to 120 to 84 to 8.
    by_hand = 44 * 44 * 25 * 6 + 18 * 18 * 25 * 6 * 16 + 1296 * 120 + 120 * 84 + 84 * 8
    assert nets.multiply_adds(nets.build("lenet5", 48, 8, {})) == by_hand


def test_unknown_net():
    with pytest.raises(TrainingError, match="unable to build net x: known are lenet5"):
        nets.build("x", 48, 8, {})
    with pytest.raises(TrainingError, match="unexpected keyword argument 'depth'"):
        nets.build("lenet5", 48, 8, {"depth": 3})
