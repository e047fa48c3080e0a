"""Cut faces out of photos with `emotiond crop`, so that training sees what the daemon sees."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from ...errors import TrainingError

BINARY = "EMOTIOND_BIN"
# Of a clone that holds this package.
CLONE = Path(__file__).resolve().parents[5]
NO_FACE, UNREADABLE = "no face found", "unreadable"


@dataclass(frozen=True)
class Tool:
    """What cuts: the program, a model whose sidecar says how, and a frame to use instead."""

    emotiond: str | None = None
    model: Path | None = None
    frame: Mapping[str, Any] | None = None  # a recipe's [crop]


@dataclass
class Cut:
    """What came of photos, by their numbers."""

    faces: dict[int, np.ndarray] = field(default_factory=dict)  # uint8 (h, w)
    lost: dict[int, str] = field(default_factory=dict)  # cause
    crop: Mapping[str, Any] = field(default_factory=dict)  # the sidecar's


def find(emotiond: str | None = None) -> str:
    """Return the path of emotiond: as given, of EMOTIOND_BIN, of this clone, or of PATH."""
    for given, source in ((emotiond, "--emotiond"), (os.environ.get(BINARY), BINARY)):
        if given:
            if not os.access(given, os.X_OK) or Path(given).is_dir():
                raise TrainingError(f"unable to cut photos: {given} of {source} is no program")
            return str(given)
    built = CLONE / "target/release/emotiond"
    if os.access(built, os.X_OK):
        return str(built)
    found = shutil.which("emotiond")
    if found is None:
        raise TrainingError(
            "unable to cut photos: no program emotiond"
            f" (make it with `make build`, or name it with --emotiond or {BINARY})"
        )
    return found


def find_model(program: str, model: Path | None = None) -> Path:
    """Return the model that says how to cut: as given, or where the program looks for its own."""
    if model is not None:
        if not model.is_file():
            raise TrainingError(f"unable to cut photos: no model {model}")
        return model
    beside = Path(program).resolve().parent
    folders = [
        Path(os.environ["EMOTIOND_MODELS"]) if os.environ.get("EMOTIOND_MODELS") else None,
        CLONE / "models",
        beside,
        beside / "models",
        # target/release of the clone that it was built in
        beside.parents[1] / "models" if len(beside.parents) > 1 else None,
        Path("/usr/lib/emotiond/models"),
    ]
    for folder in folders:
        if folder is not None and (folder / "emotion.tflite").is_file():
            return folder / "emotion.tflite"
    raise TrainingError("unable to cut photos: no emotion model (name one with --crop-model)")


def cut(photos: Mapping[int, Path], work: Path, tool: Tool) -> Cut:
    """Cut the face of each photo of {number: path}.

    Where there are several faces, it is the one that the detector is surest of.
    """
    work = Path(tempfile.mkdtemp(dir=work))
    staged, cropped = work / "photos", work / "faces"
    staged.mkdir()
    program = find(tool.emotiond)
    model, crop = _framed_model(find_model(program, tool.model), tool, work)
    links: dict[int, str] = {}
    for number, path in photos.items():
        # Numbers as names: two photos may have one name and differ in suffix or folder.
        link = staged / f"{number:08}{path.suffix.lower()}"
        link.symlink_to(path.resolve())
        links[number] = str(link)
    command = [program, "crop", str(staged), "--out", str(cropped)]
    said = _run([*command, "--model", str(model)], list(links.values()))
    made = Cut(crop=crop)
    for number, name in links.items():
        face = _face(cropped, number)
        if face is not None:
            made.faces[number] = face
        else:
            named = [line for line in said if name in line]
            made.lost[number] = UNREADABLE if named else NO_FACE
    shutil.rmtree(work)
    return made


def _framed_model(model: Path, tool: Tool, work: Path) -> tuple[Path, Mapping[str, Any]]:
    """Return the model to cut with, whose sidecar has the frame that is wanted, and that frame."""
    try:
        sidecar = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
        own = dict(sidecar["crop"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"unable to read the sidecar of {model}: {error!r}") from error
    if tool.frame is None or dict(tool.frame) == own:
        return model, own
    copy = work / "frame.tflite"
    copy.symlink_to(model.resolve())
    sidecar["crop"] = dict(tool.frame)
    copy.with_suffix(".json").write_text(json.dumps(sidecar), encoding="utf-8")
    return copy, dict(tool.frame)


def _run(command: list[str], links: list[str]) -> list[str]:
    """Run the command, which prints a line a photo; returns what it said of those that it skipped."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        except OSError as error:
            raise TrainingError(f"unable to run {command[0]}: {error}") from error
        with process:
            assert process.stdout is not None
            for _ in tqdm(process.stdout, "photos", len(links), disable=None, leave=False):
                pass
        errors.seek(0)
        said = [line.strip() for line in errors if line.strip()]
    # 1: some photos were skipped, and named.
    skipped = process.returncode == 1 and any(link in line for line in said for link in links)
    if process.returncode != 0 and not skipped:
        text = "; ".join(said[:5]) or f"exit status {process.returncode}"
        raise TrainingError(f"unable to cut photos: {text}")
    return said


def _face(folder: Path, number: int) -> np.ndarray | None:
    for name in (f"{number:08}.png", f"{number:08}-1.png"):
        path = folder / name
        if path.exists():
            with Image.open(path) as image:
                return np.asarray(image.convert("L"))
    return None
