"""A run from training to the card, with a kill in between."""

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import PORTRAIT
from pptx import Presentation

from face_training import recipe
from face_training.__main__ import main
from face_training.nets.models import load_model
from face_training.nets.tflite import TfliteModel
from face_training.tasks.emotion import dataset, plots
from face_training.tasks.emotion.faces import only
from face_training.training import runs

PACKAGE = Path(__file__).parents[1]
SHIPPED = str(PACKAGE.parent / "emotion.tflite")


def _train(made_up, run):
    data, recipe = made_up
    return ["train", "--recipe", str(recipe), "--data", str(data), "--run", str(run)]


@pytest.fixture(scope="module")
def unbroken(made_up, tmp_path_factory):
    run = tmp_path_factory.mktemp("run") / "unbroken"
    assert main(_train(made_up, run)) == 0
    return run


def _wait_for(path, process, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None and time.monotonic() < end, f"no {path}"
        time.sleep(0.01)


def test_a_killed_run_ends_like_an_unbroken_one(made_up, unbroken, tmp_path):
    run = tmp_path / "killed"
    command = [sys.executable, "-m", "face_training", *_train(made_up, run)]
    process = subprocess.Popen(
        command, cwd=PACKAGE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _wait_for(run / runs.STATE, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert main(_train(made_up, run)) == 0
    with np.load(run / runs.STATE) as resumed, np.load(unbroken / runs.STATE) as whole:
        assert sorted(resumed) == sorted(whole)
        for name in whole:
            np.testing.assert_allclose(resumed[name], whole[name], atol=1e-4, err_msg=name)
    log = (run / runs.LOG).read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in log] == ["epoch", "1", "2", "3", "4"]


def test_another_recipe_or_other_data_are_refused(made_up, unbroken, tmp_path, capsys):
    data, recipe = made_up
    text = recipe.read_text(encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text(text.replace("epochs = 4", "epochs = 5"), encoding="utf-8")
    assert main(_train((data, other), unbroken)) == 1
    assert "begun with in train.epochs" in capsys.readouterr().err
    foreign = shutil.copytree(data, tmp_path / "data")
    counts = json.loads((foreign / "prepared.json").read_text(encoding="utf-8"))
    (foreign / "prepared.json").write_text(json.dumps({**counts, "sha256": ""}), encoding="utf-8")
    assert main(_train((foreign, recipe), unbroken)) == 1
    assert "begun with other data" in capsys.readouterr().err
    # A comment decides nothing; and a finished run says so.
    other.write_text(f"# changed\n{text}", encoding="utf-8")
    assert main(_train((data, other), unbroken)) == 0
    assert "has all 4 epochs of tiny: nothing to train" in capsys.readouterr().out


def test_what_cannot_be_trained_leaves_no_run_behind(made_up, tmp_path, capsys):
    data, recipe = made_up
    other = tmp_path / "other.toml"
    text = recipe.read_text(encoding="utf-8")
    other.write_text(text.replace('"sad"]', '"sad", "fear"]'), encoding="utf-8")
    assert main(_train((data, other), tmp_path / "run")) == 1
    assert "no face of Training shows fear" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_damaged_files_are_named_with_the_remedy(made_up, unbroken, tmp_path, capsys):
    run = shutil.copytree(unbroken, tmp_path / "run")
    for name, cause in ((runs.STATE, "delete it, and the run begins again"),):
        (run / name).write_bytes((run / name).read_bytes()[:1000])
        assert main(_train(made_up, run)) == 1
        assert cause in capsys.readouterr().err
    (run / runs.MODEL).write_bytes((run / runs.MODEL).read_bytes()[:1000])
    evaluate = ["evaluate", "--model", str(run), "--data", str(made_up[0])]
    assert main(evaluate) == 1
    assert "it is damaged or was cut off" in capsys.readouterr().err
    assert main(_train(made_up, Path("/proc/run"))) == 1
    assert "unable to write into run /proc/run" in capsys.readouterr().err


def test_export_and_report(made_up, unbroken, tmp_path, capsys):
    data, _ = made_up
    out = tmp_path / "models" / "tiny"
    common = ["--run", str(unbroken), "--data", str(data)]
    kept = tmp_path / "tiny.keras"
    assert main(["export", *common, "--out", str(out), "--float", str(kept)]) == 0
    faces = dataset.split(data, "PublicTest").pictures[:4]
    found, run = (
        load_model(path).outputs(np.stack(faces)[..., None])["logits"]
        for path in (kept, unbroken / runs.MODEL)
    )
    np.testing.assert_allclose(found, run, atol=1e-5)
    content = out.with_suffix(".tflite").read_bytes()
    sidecar = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert sidecar["sha256"] == hashlib.sha256(content).hexdigest()
    assert np.float32(sidecar["input"]["scale"]) == np.float32(1 / 255)
    assert sidecar["input"]["zero_point"] == -128
    assert (sidecar["labels"], sidecar["judged_by"]) == (["happy", "sad"], "majority")
    assert sorted(path.name for path in out.parent.iterdir()) == ["tiny.json", "tiny.tflite"]

    capsys.readouterr()
    model = str(out.with_suffix(".tflite"))
    assert main(["evaluate", "--model", model, "--data", str(data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["samples"] == 32
    assert found["accuracy"] == sidecar["figures"]["publictest_accuracy"]
    assert found["temperature"] == sidecar["temperature"]

    card = out.parent / "tiny.card.md"
    assert (
        main(["report", *common, "--model", model, "--card", str(card), "--against", SHIPPED]) == 0
    )
    text = card.read_text(encoding="utf-8")
    assert sidecar["sha256"] in text
    assert "## Compared with emotion" in text and "McNemar's exact test" in text
    assert re.search(r"^\| training \| 4 epochs, \d+ minutes \|$", text, re.MULTILINE)
    assert "| fer2013 | 96 | not known |" in text and "Pictures: made-up." in text
    assert "Who is on the pictures of fer2013 is not known" in text and "search-engine" not in text
    assert (out.parent / "tiny.card.confusion.png").stat().st_size > 1000
    _check_page(unbroken, found)
    _check_slides(unbroken, found)


def test_the_daemon_takes_what_was_exported(made_up, unbroken, tmp_path, emotiond):
    common = ["--run", str(unbroken), "--data", str(made_up[0])]
    assert main(["export", *common, "--out", str(tmp_path / "tiny")]) == 0
    command = [
        emotiond,
        "classify",
        "--json",
        "--model",
        str(tmp_path / "tiny.tflite"),
        str(PORTRAIT),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (face,) = json.loads(done.stdout)["faces"]
    assert set(face["scores"]) == {"happy", "sad"}


def test_an_exported_file_is_shifted(made_up, unbroken, tmp_path, capsys):
    data, recipe = made_up
    common = ["--data", str(data), "--out"]
    assert main(["export", "--run", str(unbroken), *common, str(tmp_path / "tiny")]) == 0
    shifted = tmp_path / "shifted.toml"
    text = recipe.read_text(encoding="utf-8").replace("0.0.1", "0.0.2")
    shifted.write_text(text + "[answers]\nclass_shift = { sad = 0.3 }\n", encoding="utf-8")
    model = tmp_path / "tiny.tflite"
    command = ["shift", "--model", str(model), "--recipe", str(shifted)]
    assert main([*command, *common, str(tmp_path / "other")]) == 0
    sidecar = json.loads((tmp_path / "other.json").read_text(encoding="utf-8"))
    assert (sidecar["version"], sidecar["class_shift"]) == ("0.0.2", {"sad": 0.3})
    faces = np.random.default_rng(2).integers(0, 256, (9, 48, 48, 1), np.uint8)
    before, after = (
        only(TfliteModel(path).outputs(faces)) for path in (model, tmp_path / "other.tflite")
    )
    step = sidecar["output"]["scale"]
    wanted = np.zeros(2)
    wanted[sidecar["labels"].index("sad")] = round(0.3 / step) * step
    np.testing.assert_allclose(after - before, np.tile(wanted, (9, 1)), atol=step / 10)
    shifted.write_text(
        shifted.read_text(encoding="utf-8").replace('"happy", "sad"', '"sad", "happy"'),
        encoding="utf-8",
    )
    capsys.readouterr()
    assert main([*command, *common, str(tmp_path / "third")]) == 1
    assert (
        "its labels are ['happy', 'sad'], the recipe's ['sad', 'happy']" in capsys.readouterr().err
    )


def _check_page(run, found):
    page = (run / runs.PAGE).read_text(encoding="utf-8")
    pictures = re.findall(r'src="([^"]{1,40})', page)
    assert len(pictures) >= 4
    assert all(one.startswith("data:image/png;base64,iVBOR") for one in pictures), "self-contained"
    assert f"<td>{100 * found['accuracy']:.1f} %</td>" in page
    assert "tensorflow" in page and "name = &quot;tiny&quot;" in page
    wrong = round((1 - found["accuracy"]) * found["samples"])
    assert ("For local eyes only" in page) == (wrong > 0)


def _check_slides(run, found):
    deck = Presentation(run / runs.SLIDES)
    titles, cells = [], []
    for slide in deck.slides:
        titles.append(slide.shapes.title.text_frame.text)
        for shape in slide.shapes:
            assert 0 <= shape.left and shape.left + shape.width <= deck.slide_width, titles[-1]
            assert 0 <= shape.top and shape.top + shape.height <= deck.slide_height, titles[-1]
            if shape.has_table:
                cells += [cell.text for row in shape.table.rows for cell in row.cells]
    assert titles[0] == "tiny 0.0.1" and {"Confusion", "Calibration", "Training"} <= set(titles)
    assert f"{100 * found['accuracy']:.1f} %" in cells


def test_mistakes_are_drawn_where_there_are_any():
    pixels = np.zeros((3, 48, 48), np.uint8)
    sure = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    assert plots.mistakes(pixels, sure, np.array([0, 1, 1]), ("happy", "sad")) is None
    found = plots.mistakes(pixels, sure, np.array([1, 0, 1]), ("happy", "sad"))
    assert found.startswith(b"\x89PNG")


def test_export_without_a_model(made_up, tmp_path, capsys):
    run = tmp_path / "run"
    runs.open_run(run, recipe.load(made_up[1]), made_up[1], made_up[0])
    arguments = ["export", "--run", str(run), "--data", str(made_up[0])]
    assert main([*arguments, "--out", str(tmp_path / "x")]) == 1
    assert "unable to load model" in capsys.readouterr().err


def test_a_chain_trains_what_a_recipe_stands_on(made_up, tmp_path, capsys):
    data, recipe_path = made_up
    text = recipe_path.read_text(encoding="utf-8").replace("epochs = 4", "epochs = 1")
    (tmp_path / "teachers").mkdir()
    (tmp_path / "teachers/tiny.toml").write_text(text, encoding="utf-8")
    (tmp_path / "pupil.toml").write_text(
        'base = "teachers/tiny.toml"\nname = "pupil"\n[net]\nweights = "tiny"\n'
        '[distill]\nteachers = ["tiny"]\n',
        encoding="utf-8",
    )
    folder = tmp_path / "runs"
    arguments = ["chain", "--recipe", str(tmp_path / "pupil.toml"), "--data", str(data)]
    assert main([*arguments, "--runs", str(folder)]) == 0
    assert all((folder / name / runs.MODEL).exists() for name in ("tiny", "pupil"))
    (teacher,) = json.loads((folder / "pupil" / runs.TEACHERS).read_text(encoding="utf-8"))
    content = (folder / "tiny" / runs.MODEL).read_bytes()
    assert teacher["sha256"] == hashlib.sha256(content).hexdigest()
    assert teacher["data"] == runs.fingerprint(data)
    capsys.readouterr()
    assert main([*arguments, "--runs", str(folder)]) == 0
    assert capsys.readouterr().out.count("nothing to train") == 2
