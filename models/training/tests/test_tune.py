"""Fitting an exported model to own pictures, with LiteRT and NumPy alone."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_training.__main__ import main
from face_training.nets.tflite import TfliteModel
from face_training.recipe import Input
from face_training.tasks.emotion import tune
from face_training.tasks.emotion.faces import only
from face_training.tasks.emotion.head import Head, features

PACKAGE = Path(__file__).parents[1]
SHIPPED = PACKAGE.parent / "emotion.tflite"
NO_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from face_training.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def _faces(root, each, random):
    """Faces whose mouths bend up or down: a net of people does not know what to make of them."""
    y, x = np.mgrid[:48, :48].astype(float)
    for name in ("happy", "sad"):
        (root / name).mkdir(parents=True)
        for number in range(each):
            cx, cy = 24 + random.normal(0, 1.5, 2)
            face = 90 + 80 * (((x - cx) / 18) ** 2 + ((y - cy) / 22) ** 2 < 1)
            for side in (-7, 7):
                face -= 90 * ((x - cx - side) ** 2 + (y - cy + 6) ** 2 < 9)
            bend = 0.045 * (x - cx) ** 2 * (-1 if name == "happy" else 1)
            face -= 90 * ((np.abs(y - cy - 10 - bend) < 2) & (np.abs(x - cx) < 10))
            face = np.clip(face + random.normal(0, 10, face.shape), 0, 255).astype(np.uint8)
            Image.fromarray(face).save(root / name / f"{number}.png")
    return root


def _command(name, pictures, out):
    return [
        name, "--model", str(SHIPPED), "--pictures", str(pictures), "--out", str(out), "--crops",
    ]  # fmt: skip


def test_features_and_head_give_the_logits():
    pictures = np.random.default_rng(1).integers(0, 256, (5, 48, 48, 1), np.uint8)
    content = SHIPPED.read_bytes()
    taken, logits = features(content, pictures, Input())
    head = Head.of(content)
    step = head.logit
    # Other kernels round elsewhere.
    quick = only(TfliteModel(SHIPPED).outputs(pictures))
    np.testing.assert_allclose(logits, quick, atol=3.01 * step)
    np.testing.assert_allclose(taken @ head.kernel.T + head.bias, logits, atol=0.51 * step)
    # Put back as it was, it answers as it did.
    head.put(head.kernel, head.bias)
    again = features(head.content(), pictures, Input())[1]
    np.testing.assert_allclose(again, logits, atol=1.01 * step)


def test_tune_learns_without_tensorflow(tmp_path):
    pictures = _faces(tmp_path / "own", 60, np.random.default_rng(1))
    command = _command("tune", pictures, tmp_path / "tuned")
    done = subprocess.run(
        [sys.executable, "-c", NO_TENSORFLOW, *command], cwd=PACKAGE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    sidecar = json.loads((tmp_path / "tuned.json").read_text(encoding="utf-8"))
    content = (tmp_path / "tuned.tflite").read_bytes()
    assert sidecar["sha256"] == hashlib.sha256(content).hexdigest()
    assert sidecar["tuned"]["accuracy"] > sidecar["tuned"]["accuracy_before"] + 0.2
    assert "figures" not in sidecar, "they were another file's"
    # Faces that it never saw, among all of its labels.
    others = _faces(tmp_path / "others", 20, np.random.default_rng(2))
    right = []
    for name in ("happy", "sad"):
        faces = np.stack([np.asarray(Image.open(path)) for path in (others / name).iterdir()])
        answers = only(TfliteModel(tmp_path / "tuned.tflite").outputs(faces[..., None]))
        right += list(answers.argmax(axis=1) == sidecar["labels"].index(name))
    assert np.mean(right) > 0.9


def test_tune_changes_nothing_where_it_is_worse(tmp_path, capsys, monkeypatch):
    pictures = _faces(tmp_path / "own", 50, np.random.default_rng(1))

    def unlearn(_shown, old, _hold):
        # Every face is taken for afraid.
        return old[0] * 0, np.where(np.arange(8) == 6, 9.0, 0.0)

    monkeypatch.setattr(tune, "_learn", unlearn)
    assert main(_command("tune", pictures, tmp_path / "tuned")) == 0
    assert (
        "not better on faces that it did not learn: nothing is written" in capsys.readouterr().out
    )
    assert not list(tmp_path.glob("tuned*"))


def test_few_faces_are_refused(tmp_path, capsys):
    pictures = _faces(tmp_path / "own", 20, np.random.default_rng(1))
    for name in ("tune", "calibrate"):
        assert main(_command(name, pictures, tmp_path / "out")) == 1
        assert "40 faces with labels of the model, 100 are needed" in capsys.readouterr().err
    assert not (tmp_path / "out.tflite").exists()


def test_calibrate_makes_a_net_as_sure_as_it_is_right(tmp_path, capsys):
    pictures = _faces(tmp_path / "own", 60, np.random.default_rng(1))
    assert main(_command("calibrate", pictures, tmp_path / "out")) == 0
    assert "cross-fitted" in capsys.readouterr().out
    sidecar = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    told = sidecar["calibrated"]
    assert told["faces"] == 120
    assert told["nll_cross_fitted"] < told["nll_before"] - 0.1


@pytest.mark.parametrize("place", [0, 7])
def test_a_shift_moves_one_class(place):
    pictures = np.random.default_rng(2).integers(0, 256, (4, 48, 48, 1), np.uint8)
    head = Head.of(SHIPPED.read_bytes())
    change = np.zeros(8)
    change[place] = 3 * head.logit
    head.shift(change)
    before, after = (
        features(one, pictures, Input())[1] for one in (SHIPPED.read_bytes(), head.content())
    )
    np.testing.assert_allclose(after - before, np.tile(change, (4, 1)), atol=0.1 * head.logit)
