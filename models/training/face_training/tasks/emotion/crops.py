"""Cut faces out of photos with `emotiond crop`, so that training sees what the daemon sees."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ...errors import TrainingError
from .rows import SIDE

BINARY = "EMOTIOND_BIN"
# Of a clone that holds this package.
_CLONE = Path(__file__).resolve().parents[5]


def find(emotiond=None):
    """Return the path of emotiond: as given, of EMOTIOND_BIN, of this clone, or of PATH."""
    for given, source in ((emotiond, "--emotiond"), (os.environ.get(BINARY), BINARY)):
        if given:
            if not os.access(given, os.X_OK) or Path(given).is_dir():
                raise TrainingError(f"unable to cut photos: {given} of {source} is no program")
            return str(given)
    for path in (_CLONE / "target/release/emotiond", Path("target/release/emotiond")):
        if os.access(path, os.X_OK):
            return str(path)
    found = shutil.which("emotiond")
    if found is None:
        raise TrainingError(
            "unable to cut photos: no program emotiond"
            f" (make it with `make build`, or name it with --emotiond or {BINARY})"
        )
    return found


def cut(photos, work, emotiond=None, model=None):
    """Cut the face of each photo of {number: path}; returns {number: uint8 (48, 48)}.

    Photos in which no face is found are missing in the answer. Where there are several
    faces, it is the one that the detector is surest of.
    """
    program = find(emotiond)
    work = Path(tempfile.mkdtemp(dir=work))
    staged, cropped = work / "photos", work / "faces"
    staged.mkdir()
    names = {}
    for number, path in photos.items():
        # Numbers as names: two photos may have one name and differ in suffix or folder.
        link = staged / f"{number:08}{path.suffix.lower()}"
        link.symlink_to(path.resolve())
        names[str(link)] = path
    command = [program, "crop", str(staged), "--out", str(cropped)]
    _run(command + (["--model", str(model)] if model else []), names)
    faces = {number: _face(cropped, number) for number in photos}
    shutil.rmtree(work)
    return {number: face for number, face in faces.items() if face is not None}


def _run(command, names):
    """Run the command, which prints a line a photo; refuse with its message where it fails."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        except OSError as error:
            raise TrainingError(f"unable to run {command[0]}: {error}") from error
        with process:
            for _ in tqdm(process.stdout, "photos", len(names), disable=None, leave=False):
                pass
        if process.returncode == 0:
            return
        errors.seek(0)
        said = [line.strip() for line in errors if line.strip()]
    text = "; ".join(said[:5]) or f"exit status {process.returncode}"
    for link, path in names.items():
        if link in text:
            text = text.replace(link, str(path))
    more = f" (and {len(said) - 5} more)" if len(said) > 5 else ""
    raise TrainingError(f"unable to cut photos: {text}{more}")


def _face(folder, number):
    for name in (f"{number:08}.png", f"{number:08}-1.png"):
        path = folder / name
        if path.exists():
            with Image.open(path) as image:
                face = np.asarray(image)
            if face.shape != (SIDE, SIDE):
                raise TrainingError(
                    f"unable to cut photos: the model of emotiond cuts {face.shape}, not"
                    f" {SIDE}x{SIDE} grey (name another with --crop-model)"
                )
            return face
    return None
