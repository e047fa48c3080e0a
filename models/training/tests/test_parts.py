"""Figures, recipes, augmentation and nets."""

import dataclasses
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from face_training import recipe
from face_training.data import augment
from face_training.errors import TrainingError
from face_training.export import export
from face_training.nets import builders as nets
from face_training.tasks.emotion import metrics
from face_training.training.trainer import learning_rate


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


def test_a_shifted_class_gains_on_the_others():
    model = nets.build("lenet5", 48, 3, {})
    faces = np.zeros((2, 48, 48, 1), np.float32)
    before = model(faces).numpy()
    change = export.prior_change([0.5, 0.25, 0.25], 1.0) + [0.0, 0.0, 0.7]
    export.shift_logits(model, change)
    gained = model(faces).numpy() - before
    np.testing.assert_allclose(gained[:, 1] - gained[:, 0], np.log(2), atol=1e-5)
    np.testing.assert_allclose(gained[:, 2] - gained[:, 1], 0.7, atol=1e-5)
    np.testing.assert_allclose(gained.mean(axis=1), 0, atol=1e-5)


def test_temperature_undoes_a_known_one():
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (4000, 8))
    chances = metrics.softmax(logits).cumsum(axis=1)
    truth = (random.random((4000, 1)) > chances).sum(axis=1).clip(max=7)
    assert metrics.fit_temperature(logits * 2.5, truth) == pytest.approx(2.5, rel=0.07)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("[train]\nepoch = 3", r"\[train\] unknown key epoch"),
        ("[train]\nepochs = 3.5", r"\[train\] epochs must be int"),
        ("[trian]", "unknown key trian"),
        ("[export]\nclass_shift = { anger = 1 }", r"class_shift: anger = 1 is no class of the net"),
        ('[train]\noptimiser = "adam"', r"\[train\] optimiser must be adamw or sgd"),
        ("[targets]\nlabel_share = 1.5", r"\[targets\] label_share must be 0.0 to 1.0"),
        ('[targets]\nlabels = ["glad", "sad"]', r"\[targets\] labels: unknown 'glad'"),
        ("[[stages]]\nepochs = 2", r"\[\[stages\]\] number 1 must have learning_rate"),
        (
            "[train]\nepochs = 3\n[[stages]]\nepochs = 2\nlearning_rate = 0.1",
            r"\[train\] epochs belongs into each of \[\[stages\]\]",
        ),
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


# Nothing is changed; a test switches on what it looks at.
STILL = recipe.Augment(
    flip=False, rotate_degrees=0.0, zoom=0.0, shift=0.0, contrast=0.0, brightness=0.0,
    blur_share=0.0, coarse_share=0.0, noise=0.0, erase_share=0.0,
)  # fmt: skip
EFFECTS = {
    "flip": True, "rotate_degrees": 15.0, "zoom": 0.2, "shift": 0.1, "contrast": 0.3,
    "brightness": 0.2, "gamma": 0.5, "sidelight": 0.5, "grey_cast": 0.3, "blur_share": 1.0,
    "coarse_share": 1.0, "jpeg_share": 1.0, "noise": 0.05, "erase_share": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def pictures():
    """Smooth made-up pictures float32 (16, 48, 48, 1)."""
    random = np.random.default_rng(2)
    return tf.image.resize(tf.constant(random.random((16, 12, 12, 1)), tf.float32), [48, 48])


def test_augmentation_is_off_where_all_is_zero(pictures):
    same = augment.augment(pictures, tf.constant([1, 2]), STILL)
    np.testing.assert_allclose(same, pictures, atol=1e-5)


@pytest.mark.parametrize("key", EFFECTS)
def test_each_effect(pictures, key):
    how = dataclasses.replace(STILL, **{key: EFFECTS[key]})
    first, again, other = (
        np.asarray(augment.augment(pictures, tf.constant([1, seed]), how)) for seed in (2, 2, 3)
    )
    np.testing.assert_array_equal(first, again)
    change = np.abs(first - pictures)
    assert 0.003 < change.mean() < 0.3, "not to be seen, or nothing left to be seen"
    assert 0 <= first.min() and first.max() <= 1
    # What has no random size is the same for every seed.
    assert (np.abs(first - other).max() > 0.01) == (key not in ("blur_share", "coarse_share"))


def test_every_field_of_augment_is_looked_at():
    sizes = {"coarse_most", "jpeg_quality", "erase_side", "mixup"}
    assert {field.name for field in dataclasses.fields(recipe.Augment)} == {*EFFECTS, *sizes}


@pytest.mark.parametrize("quality", [10, 50, 90])
def test_jpeg_is_what_a_codec_makes(pictures, quality):
    # 50 pixels a side: blocks that the edge cuts.
    grey = tf.image.resize(pictures[:1], [50, 50])[..., 0]
    grey = np.rint(np.asarray(grey)[0] * 255).astype(np.uint8)
    coded = io.BytesIO()
    Image.fromarray(grey).save(coded, "JPEG", quality=quality)
    codec = np.asarray(Image.open(coded), np.float32)
    ours = augment.jpeg(
        tf.constant(grey[None, ..., None] / 255, tf.float32), tf.constant([quality * 1.0])
    )
    difference = np.abs(np.asarray(ours)[0, ..., 0] * 255 - codec)[:48, :48]
    assert difference.mean() < 1, "a codec's result differs by more than its rounding"
    assert np.abs(codec - grey).mean() > difference.mean()


def test_mixup_mixes_pictures_and_targets_alike():
    # The picture's value is its target, so that they must stay equal.
    values = tf.linspace(0.0, 1.0, 8)
    pictures = tf.tile(values[:, None, None, None], [1, 4, 4, 1])
    how = dataclasses.replace(STILL, mixup=0.4)
    mixed, (targets,) = augment.mixup(pictures, [values[:, None]], tf.constant([1, 2]), how)
    np.testing.assert_allclose(mixed[:, 0, 0, 0], targets[:, 0], rtol=1e-5)
    moved = np.abs(targets[:, 0] - values) / np.abs(values - values[::-1])
    assert 0 <= moved.min() and 0.05 < moved.max() <= 0.5


def test_contact_sheet_starts_with_the_faces():
    faces = np.random.default_rng(3).integers(0, 256, (3, 48, 48), np.uint8)
    sheet = augment.contact_sheet(faces, recipe.Augment(mixup=0.2), variants=4, gap=2, enlarge=1)
    assert sheet.shape == (3 * 50, 5 * 50)
    np.testing.assert_array_equal(sheet[50:98, :48], faces[1])
    assert np.abs(sheet[50:98, 50:98].astype(int) - faces[1]).mean() > 5


def test_multiply_adds():
    # 5x5 kernels on 44x44x6 and 18x18x16, then 9*9*16 to 120 to 84 to 8.
    by_hand = 44 * 44 * 25 * 6 + 18 * 18 * 25 * 6 * 16 + 1296 * 120 + 120 * 84 + 84 * 8
    assert nets.multiply_adds(nets.build("lenet5", 48, 8, {})) == by_hand


def test_unknown_net():
    with pytest.raises(TrainingError, match="unable to build net x: known are .*lenet5"):
        nets.build("x", 48, 8, {})
    with pytest.raises(TrainingError, match="unexpected keyword argument 'depth'"):
        nets.build("lenet5", 48, 8, {"depth": 3})
