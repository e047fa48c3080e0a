"""The golden table that the daemon's tests read too."""

import json
from pathlib import Path

import numpy as np
import pytest

from face_training.__main__ import main
from face_training.tasks.emotion import golden

ROOT = Path(__file__).parents[3]
MODEL, TABLE = ROOT / "models/emotion.tflite", ROOT / "tests/golden/emotion-net.json"


def test_the_shipped_model_gives_the_golden_table():
    kept, made = json.loads(TABLE.read_text(encoding="utf-8")), golden.table(MODEL)
    assert made["model_sha256"] == kept["model_sha256"], (
        "another model: python -m face_training golden"
        " --model models/emotion.tflite --out tests/golden/emotion-net.json"
    )
    for key in ("formula", "labels", "temperature", "encoded_pixels_0_to_255"):
        assert made[key] == kept[key], key
    assert len(made["faces"]) == len(kept["faces"]) > 4
    same = 0
    for found, expected in zip(made["faces"], kept["faces"], strict=True):
        for key in ("pixels_sha256", "input_sha256"):
            assert found[key] == expected[key], found["name"]
        off = np.abs(np.subtract(found["logits_int8"], expected["logits_int8"])).max()
        # Another processor's kernels may round a value the other way.
        assert off <= 1, found["name"]
        if off == 0:
            same += 1
            assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)
    assert same >= len(kept["faces"]) // 2
    assert len({tuple(row["logits_int8"]) for row in kept["faces"]}) == len(kept["faces"])


def test_the_command_writes_it(tmp_path, capsys):
    out = tmp_path / "table.json"
    assert main(["golden", "--model", str(MODEL), "--out", str(out)]) == 0
    assert json.loads(out.read_text(encoding="utf-8")) == golden.table(MODEL)
    (tmp_path / "bare.tflite").write_bytes(MODEL.read_bytes())
    assert main(["golden", "--model", str(tmp_path / "bare.tflite"), "--out", str(out)]) == 1
    assert "unable to read the sidecar" in capsys.readouterr().err
