"""Augmentation: what it changes, what it leaves, and where it takes points."""

import dataclasses
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from face_training import recipe
from face_training.data import augment

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


@pytest.fixture(scope="module", params=[(48, 48, 1), (36, 64, 3)], ids=["grey", "wide colour"])
def pictures(request):
    """Smooth made-up pictures float32 (16, height, width, channels)."""
    height, width, channels = request.param
    random = np.random.default_rng(2)
    small = tf.constant(random.random((16, 12, 12, channels)), tf.float32)
    return tf.image.resize(small, [height, width])


def test_augmentation_is_off_where_all_is_zero(pictures):
    same, _ = augment.augment(pictures, tf.constant([1, 2]), STILL)
    np.testing.assert_allclose(same, pictures, atol=1e-5)


@pytest.mark.parametrize("key", EFFECTS)
def test_each_effect(pictures, key):
    how = dataclasses.replace(STILL, **{key: EFFECTS[key]})
    first, again, other = (
        np.asarray(augment.augment(pictures, tf.constant([1, seed]), how)[0]) for seed in (2, 2, 3)
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


def test_points_go_where_the_picture_goes():
    # One bright spot a picture: it has to be where its point is told to be.
    spots = np.random.default_rng(1).integers(20, 44, (32, 2))
    pictures = np.zeros((32, 64, 64, 1), np.float32)
    for picture, (x, y) in zip(pictures, spots, strict=True):
        picture[y - 1 : y + 2, x - 1 : x + 2] = 1.0
    how = dataclasses.replace(STILL, flip=True, rotate_degrees=40.0, zoom=0.2, shift=0.1)
    warped, matrices = augment.warp(tf.constant(pictures), tf.constant([1, 2]), how)
    told = augment.follow(tf.constant(spots[:, None, :], tf.float32), matrices)[:, 0].numpy()
    grid = np.stack(np.meshgrid(np.arange(64), np.arange(64)), axis=-1)
    weights = warped.numpy()
    found = (weights * grid).sum(axis=(1, 2)) / weights.sum(axis=(1, 2))
    assert np.abs(found - told).max() < 0.2
    assert np.abs(found - spots).max() > 5


@pytest.mark.parametrize("quality", [10, 50, 90])
def test_jpeg_is_what_a_codec_makes(pictures, quality):
    # 50 pixels a side: blocks that the edge cuts.
    grey = tf.image.resize(pictures[:1, :, :, :1], [50, 50])[..., 0]
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


def test_mixup_mixes_pictures_and_goals_alike():
    # The picture's value is its goal, so that they must stay equal.
    values = tf.linspace(0.0, 1.0, 8)
    pictures = tf.tile(values[:, None, None, None], [1, 4, 4, 1])
    how = dataclasses.replace(STILL, mixup=0.4)
    goals = {"wide": values[:, None], "flat": values}
    mixed, found = augment.mixup(pictures, goals, tf.constant([1, 2]), how)
    for goal in (found["wide"][:, 0], found["flat"]):
        np.testing.assert_allclose(mixed[:, 0, 0, 0], goal, rtol=1e-5)
    moved = np.abs(found["flat"] - values) / np.abs(values - values[::-1])
    assert 0 <= moved.min() and 0.05 < moved.max() <= 0.5


def test_contact_sheet_starts_with_the_pictures():
    faces = np.random.default_rng(3).integers(0, 256, (3, 48, 48, 1), np.uint8)
    sheet = augment.contact_sheet(faces, recipe.Augment(mixup=0.2), variants=4, enlarge=1)
    assert sheet.shape == (3 * 50, 5 * 50, 1)
    np.testing.assert_array_equal(sheet[50:98, :48], faces[1])
    assert np.abs(sheet[50:98, 50:98].astype(int) - faces[1]).mean() > 5
