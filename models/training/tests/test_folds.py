"""Folds by person: each face is judged by a net that never saw the person."""

import functools
import json

import numpy as np
import pytest
from conftest import RECIPE, face_row, write_faces
from test_folders import _subjects

from face_training.__main__ import main
from face_training.errors import TrainingError
from face_training.tasks.emotion import dataset, fer2013, folders, folds


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """FER2013's form, which says nothing of people, and 12 people of class folders."""
    folder = tmp_path_factory.mktemp("folds")
    random = np.random.default_rng(3)
    faces = [
        face_row(3 + number % 2, random.integers(0, 256, (48, 48)), usage)
        for usage, count in (("Training", 40), ("PublicTest", 8))
        for number in range(count)
    ]
    path = write_faces(folder / "faces.csv", faces)
    people = _subjects(folder / "posed", subjects=12)
    how = folders.How(test_share=0.0)
    sources = [lambda _: fer2013.rows(path), functools.partial(folders.rows, people, how=how)]
    dataset.prepare(
        sources, folder / "data", dataset.How(choosing_share=0.25, choosing_from=("fer2013",))
    )
    return folder / "data"


def test_the_choosing_split_is_of_the_sources_named(prepared):
    splits = dataset.load(prepared)
    assert set(splits["Choosing"].source) == {"fer2013"} and len(splits["Choosing"]) == 10
    assert (splits["Training"].source == "posed").sum() == 72
    how = dataset.How(choosing_share=0.25, choosing_from=("fer2012",))
    rows = dataset.Read(splits["Training"], told={"name": "own"})
    with pytest.raises(TrainingError, match="unable to choose from fer2012"):
        dataset.prepare([lambda _: rows], prepared.parent / "other", how)


def test_every_person_is_judged_once_by_who_never_saw_them(prepared, tmp_path):
    judged = []
    for fold in range(3):
        rows = folds.set_aside(prepared, tmp_path / str(fold), folds.How("posed", 3), fold)
        splits = dataset.load(tmp_path / str(fold))
        assert sorted(splits[folds.FOLD].origin) == sorted(rows.origin)
        assert not set(rows.person) & set(splits["Training"].person)
        assert len(splits["Training"]) == 30 + 72 - len(rows)
        assert len(splits["Choosing"]) == 10 and len(splits["PublicTest"]) == 8
        judged += list(rows.origin)
    assert len(judged) == len(set(judged)) == 72
    for how, cause in (
        (folds.How("posed", 13), "13 folds of 12 people"),
        (folds.How("fer2013", 3), "not known who"),
        (folds.How("psoed", 3), "the data holds fer2013, posed"),
    ):
        with pytest.raises(TrainingError, match=cause):
            folds.set_aside(prepared, tmp_path / "wrong", how, 0)


def test_the_folds_are_trained_and_judged_together(prepared, tmp_path, capsys):
    recipe = tmp_path / "tiny.toml"
    text = RECIPE.replace("epochs = 4", "epochs = 1").replace("watch_every = 2", "")
    text = text.replace("[train]", '[train]\nwatch_split = "Choosing"')
    text = text.replace("[targets]", '[targets]\nkind = "label"\njudge = "label"')
    recipe.write_text(text, encoding="utf-8")
    command = ["folds", "--recipe", str(recipe), "--data", str(prepared), "--runs", str(tmp_path)]
    command += ["--source", "posed", "--folds", "2", "--labels", "happy,sad"]
    assert main(command) == 0
    assert "54 faces of 12 people of posed, each judged by the net of 2" in capsys.readouterr().out
    found = json.loads((tmp_path / "tiny-posed-folds.json").read_text(encoding="utf-8"))
    assert (found["samples"], found["people"]) == (54, 12)
    assert found["per_class"]["happy"]["support"] == 36
    # Started again it trains nothing, and compares a net with one that answers the same.
    net = tmp_path / "tiny-posed-fold1of2"
    assert main([*command, "--against", str(net)]) == 0
    out = capsys.readouterr().out
    assert out.count("nothing to train") == 2 and "p = " in out
