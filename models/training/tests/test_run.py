"""A run from training to the card, with a kill in between."""

import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pptx import Presentation

from face_training.__main__ import main
from face_training.nets.models import TfliteModel
from face_training.report import plots
from face_training.training import runs

PACKAGE = Path(__file__).parents[1]


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


def test_another_recipe_is_refused(made_up, unbroken, tmp_path, capsys):
    data, recipe = made_up
    other = tmp_path / "other.toml"
    other.write_text(recipe.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert main(_train((data, other), unbroken)) == 1
    assert "unable to go on with run" in capsys.readouterr().err


def test_export_and_report(made_up, unbroken, tmp_path, capsys):
    data, _ = made_up
    out = tmp_path / "models" / "tiny"
    common = ["--run", str(unbroken), "--data", str(data)]
    assert main(["export", *common, "--out", str(out)]) == 0
    content = out.with_suffix(".tflite").read_bytes()
    sidecar = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert sidecar["sha256"] == hashlib.sha256(content).hexdigest()
    assert np.float32(sidecar["input"]["scale"]) == np.float32(1 / 255)
    assert sidecar["input"]["zero_point"] == -128
    assert len(sidecar["labels"]) == 8
    assert sorted(path.name for path in out.parent.iterdir()) == ["tiny.json", "tiny.tflite"]

    capsys.readouterr()
    model = str(out.with_suffix(".tflite"))
    assert main(["evaluate", "--model", model, "--data", str(data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["samples"] == 32
    assert found["accuracy"] == sidecar["figures"]["publictest_accuracy"]
    assert found["temperature"] == sidecar["temperature"]

    card = out.parent / "tiny.card.md"
    assert main(["report", *common, "--model", model, "--card", str(card)]) == 0
    text = card.read_text(encoding="utf-8")
    assert sidecar["sha256"] in text
    assert re.search(r"^\| training \| 4 epochs, \d+ minutes \|$", text, re.MULTILINE)
    assert (out.parent / "tiny.card.confusion.png").stat().st_size > 1000
    _check_page(unbroken, found)
    _check_slides(unbroken, found)


def test_an_exported_file_is_shifted(made_up, unbroken, tmp_path, capsys):
    data, recipe = made_up
    common = ["--data", str(data), "--out"]
    assert main(["export", "--run", str(unbroken), *common, str(tmp_path / "tiny")]) == 0
    shifted = tmp_path / "shifted.toml"
    text = recipe.read_text(encoding="utf-8").replace("0.0.1", "0.0.2")
    shifted.write_text(text + "class_shift = { fear = 0.3 }\n", encoding="utf-8")
    model = tmp_path / "tiny.tflite"
    command = ["shift", "--model", str(model), "--recipe", str(shifted)]
    assert main([*command, *common, str(tmp_path / "other")]) == 0
    sidecar = json.loads((tmp_path / "other.json").read_text(encoding="utf-8"))
    assert (sidecar["version"], sidecar["quantisation"]["class_shift"]) == ("0.0.2", {"fear": 0.3})
    faces = np.random.default_rng(2).integers(0, 256, (9, 48, 48), np.uint8)
    before, after = (TfliteModel(path).logits(faces) for path in (model, tmp_path / "other.tflite"))
    step = sidecar["output"]["scale"]
    wanted = np.zeros(8)
    wanted[sidecar["labels"].index("fear")] = round(0.3 / step) * step
    np.testing.assert_allclose(after - before, np.tile(wanted, (9, 1)), atol=step / 10)
    capsys.readouterr()


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
    run = runs.open_run(tmp_path / "run", made_up[1])
    arguments = ["export", "--run", str(run), "--data", str(made_up[0])]
    assert main([*arguments, "--out", str(tmp_path / "x")]) == 1
    assert "unable to load model" in capsys.readouterr().err
