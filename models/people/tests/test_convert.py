"""The converted descriptor against the code that it comes from, and bad input."""

import json
import os
import subprocess
from pathlib import Path

import convert
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

PACKAGE = Path(os.environ["PEOPLE_PACKAGE"])
# With a node_modules that `npm ci` made of the package-lock.json beside this file.
MODULES = os.environ["PEOPLE_MODULES"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return a folder with the converted models."""
    folder = tmp_path_factory.mktemp("models")
    convert.main(PACKAGE, folder)
    return folder


@pytest.fixture(scope="module")
def chips():
    """Return faces, and noise, which no calibration has seen."""
    noise = np.random.default_rng(1).integers(0, 256, (4, convert.SIDE, convert.SIDE, 3), np.uint8)
    return np.concatenate([np.array(list(convert.Package(PACKAGE).faces())), noise])


@pytest.fixture(scope="module")
def expected(chips, tmp_path_factory):
    """Return what the package's JavaScript says of them."""
    folder = tmp_path_factory.mktemp("chips")
    (folder / "chips").write_bytes(chips.tobytes())
    script = Path(__file__).parent / "descriptors.cjs"
    subprocess.run(["node", script, MODULES, folder / "chips", folder / "out"], check=True)
    return np.fromfile(folder / "out", "<f4").reshape(len(chips), 128)


def _descriptors(model, chips):
    interpreter = Interpreter(str(model))
    interpreter.allocate_tensors()
    put, got = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    assert list(put["shape"]) == [1, convert.SIDE, convert.SIDE, 3]
    found = []
    for chip in chips:
        real = chip.astype(np.float32) / 255
        if put["dtype"] == np.int8:
            scale, zero_point = put["quantization"]
            real = np.round(real / scale + zero_point)
        interpreter.set_tensor(put["index"], real[None].astype(put["dtype"]))
        interpreter.invoke()
        found.append(interpreter.get_tensor(got["index"])[0].copy())
    return np.array(found)


def _cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize(("name", "least"), [("face-descriptor", 0.9999), ("face-descriptor-int8", 0.998)])
def test_descriptors_are_those_of_the_package(models, chips, expected, name, least):
    cosines = _cosines(_descriptors(models / f"{name}.tflite", chips), expected)
    print(f"{name}: cosine at least {cosines.min():.6f}, {cosines.mean():.6f} on average")
    assert cosines.min() >= least
    sidecar = json.loads((models / f"{name}.json").read_text())
    assert sidecar["input"]["dtype"] == ("int8" if name.endswith("int8") else "float32")


def test_another_package_is_refused(tmp_path):
    damaged = tmp_path / "package.tgz"
    damaged.write_bytes(PACKAGE.read_bytes()[:-1])
    with pytest.raises(convert.ConversionError, match="SHA-256 is .* instead of"):
        convert.main(damaged, tmp_path)
    assert list(tmp_path.iterdir()) == [damaged]
