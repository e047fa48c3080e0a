"""The recipes that come with the toolkit are usable."""

from pathlib import Path

import pytest

from face_training import recipe
from face_training.nets import builders as nets
from face_training.tasks.emotion.labels import FER2013_EMOTIONS

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_is_read_and_its_net_built(path):
    plan = recipe.load(path)
    assert plan.name == path.stem
    options = dict(plan.net)
    if "weights" in options:
        options["weights"] = "none"  # no download in tests, and no run's file
    model = nets.build(options.pop("name"), 48, len(plan.labels), options)
    assert model.output_shape == (None, len(plan.labels))
    for stage in plan.stages:
        nets.transfer.set_trainable(model, stage.trains, stage.freeze_norm)
        assert model.trainable_weights
    if plan.name.startswith("fer2013"):
        assert model.count_params() <= 1_200_000
        assert plan.labels == FER2013_EMOTIONS


def test_the_recipes_are_there():
    assert {path.stem for path in RECIPES} >= {"ferplus-small", "fer2013", "own-folder"}
