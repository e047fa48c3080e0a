"""Recipes: what is refused, bases, and that those which come with the toolkit are usable."""

from pathlib import Path

import pytest

from face_training import recipe
from face_training.errors import TrainingError
from face_training.nets import transfer
from face_training.tasks.emotion.labels import FER2013_EMOTIONS
from face_training.training import chain

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(FOLDER.rglob("*.toml"))
LEAST = 'name = "n"\nversion = "1"\ndescription = "d"\n'
NET = '[net]\nname = "lenet5"\n'


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("[train]\nepoch = 3", r"\[train\] unknown key epoch"),
        ("[train]\nepochs = 3.5", r"\[train\] epochs must be int"),
        ("[trian]", "unknown key trian"),
        (
            "[answers]\nclass_shift = { anger = 1 }",
            r"class_shift: anger = 1 is no class of the net",
        ),
        ('[train]\noptimiser = "adam"', r"\[train\] optimiser must be adamw or sgd"),
        ("[targets]\nlabel_share = 1.5", r"\[targets\] label_share must be 0.0 to 1.0"),
        ('[targets]\nlabels = ["glad", "sad"]', r"\[targets\] labels: unknown 'glad'"),
        ("[[stages]]\nepochs = 2", r"\[\[stages\]\] number 1 must have learning_rate"),
        (
            "[train]\nepochs = 3\n[[stages]]\nepochs = 2\nlearning_rate = 0.1",
            r"\[train\] epochs belongs into each of \[\[stages\]\]",
        ),
        ("[distill]\nshare = 0.5", r"\[distill\] must name teachers"),
        ("[distill]\nteachers = [3]", "3 must be a text, or a table of model and sha256"),
        ("[input]\nchannels = 4", r"\[input\] channels must be 1 to 3"),
        ("[net", "unable to read recipe"),
    ],
)
def test_recipe_errors(tmp_path, line, cause):
    path = tmp_path / "r.toml"
    path.write_text(f"{LEAST}{NET}{line}\n", encoding="utf-8")
    with pytest.raises(TrainingError, match=cause):
        recipe.load(path)


def test_unknown_task(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(f'task = "gaze"\n{LEAST}{NET}', encoding="utf-8")
    with pytest.raises(TrainingError, match="unable to use task gaze: known are .*emotion"):
        recipe.load(path)


def test_a_recipe_stands_on_its_base(tmp_path):
    (tmp_path / "a.toml").write_text(
        f'{LEAST}[net]\nname = "residual"\nstem = 4\nweights = "older"\n[train]\nepochs = 9\nbatch = 7\n',
        encoding="utf-8",
    )
    (tmp_path / "b.toml").write_text(
        'base = "a.toml"\nname = "b"\n[net]\nstem = 8\n[train]\nepochs = 2\n', encoding="utf-8"
    )
    plan = recipe.load(tmp_path / "b.toml")
    assert (plan.name, plan.version, plan.train.epochs, plan.train.batch) == ("b", "1", 2, 7)
    # How to start is each recipe's own.
    assert plan.net == {"name": "residual", "stem": 8}
    (tmp_path / "a.toml").write_text(f'base = "b.toml"\n{LEAST}', encoding="utf-8")
    with pytest.raises(TrainingError, match="it is its own base"):
        recipe.load(tmp_path / "b.toml")


def test_paths_of_models_are_the_recipes_own(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(
        f'{LEAST}[net]\nname = "lenet5"\nweights = "below/model.keras"\n'
        '[distill]\nteachers = ["run", {{ model = "../t.onnx", sha256 = "00" }}]\n'.replace(
            "{{", "{"
        ).replace("}}", "}"),
        encoding="utf-8",
    )
    plan = recipe.load(path)
    assert plan.net["weights"] == str(tmp_path / "below/model.keras")
    assert plan.distill.teachers == (
        "run",
        {"model": str(tmp_path.parent / "t.onnx"), "sha256": "00"},
    )


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_is_read_and_its_net_built(path):
    plan = recipe.load(path)
    assert plan.name == path.stem
    if plan.net.get("weights") == "imagenet":
        plan.net["weights"] = "none"  # no download in tests
    model = plan.task.build(plan, None)
    if plan.task.name == "emotion":
        labels = plan.tables["targets"].names
        assert [output.shape for output in model.outputs] == [(None, len(labels))]
    for stage in plan.stages:
        transfer.set_trainable(model, stage.trains, stage.freeze_norm)
        assert model.trainable_weights
    if plan.name.startswith("fer2013"):
        assert model.count_params() <= 1_200_000
        assert labels == FER2013_EMOTIONS


def test_the_recipes_are_there():
    assert {path.stem for path in RECIPES} >= {"ferplus-small", "fer2013", "own-folder"}


def test_the_shipped_model_is_a_chain():
    found = [path.stem for path in chain.order(FOLDER / "ferplus-distilled.toml")]
    assert found == [
        "ferplus-small", "ferplus-taught", "ferplus-wide", "ferplus-three", "ferplus-four",
        "ferplus-five", "ferplus-distilled",
    ]  # fmt: skip
