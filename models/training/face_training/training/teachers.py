"""Teachers of a run (Hinton et al. 2015, arXiv:1503.02531).

They see the very picture that the student sees, changed in the same way (Beyer et al. 2021,
arXiv:2106.05237). Only what they say of pictures that are not changed is kept in the run folder.
"""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..errors import TrainingError
from ..files import write_text, write_whole
from ..recipe import Recipe
from ..tasks.task import Arrays, Samples
from . import references, runs

SAID = "teachers.npz"
# Pictures that the teachers see at once.
_PART = 256


class Teachers:
    """The models that a recipe names as teachers."""

    def __init__(self, plan: Recipe, folder: Path) -> None:
        assert plan.distill is not None
        self.folder = folder
        self.references = [references.find(one, folder.parent) for one in plan.distill.teachers]
        self.models = [plan.task.teacher(one.path, plan) for one in self.references]
        path = folder / runs.TEACHERS
        self.rows = [
            {"name": one.name, "sha256": one.sha256, "data": _data_of(one)}
            for one in self.references
        ]
        if path.exists() and runs.read_json(path, "list of teachers") != self.rows:
            raise TrainingError(
                f"unable to go on with run {folder}: it was begun with other teachers"
                " (name another run folder)"
            )

    def keep(self) -> None:
        """Tell in the run folder who the teachers are."""
        write_text(self.folder / runs.TEACHERS, json.dumps(self.rows, indent=2) + "\n")

    def see(self, pictures: np.ndarray) -> list[Arrays]:
        """Return what each says of pictures float32 (b, h, w, c) in [0, 1]."""
        return [model(pictures) for model in self.models]

    def ask(self, samples: Samples) -> Sequence[Arrays]:
        """Return what each says of all pictures as they are, from the run folder if it is there."""
        path = self.folder / SAID
        key = self._key(samples)
        if path.exists():
            kept = _kept(path, key, len(self.models))
            if kept is not None:
                return kept
        said: list[list[Arrays]] = []
        for start in tqdm(range(0, len(samples), _PART), "teachers", disable=None, leave=False):
            numbers = range(start, min(start + _PART, len(samples)))
            pictures = np.stack([samples.pictures.read(number) for number in numbers])
            said.append(self.see(pictures.astype(np.float32) / np.float32(255.0)))
        found = [
            {name: np.concatenate([part[n][name] for part in said]) for name in said[0][n]}
            for n in range(len(self.models))
        ]
        arrays = {
            f"{n}/{name}": values for n, one in enumerate(found) for name, values in one.items()
        }

        def write(part: Path) -> None:
            with open(part, "wb") as file:
                np.savez(file, key=np.array(key), **arrays)  # type: ignore[arg-type]

        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, write)
        return found

    def _key(self, samples: Samples) -> str:
        """Return a text that differs where teachers or pictures differ."""
        made = hashlib.sha256()
        for number in range(len(samples)):
            made.update(np.ascontiguousarray(samples.pictures.read(number)).tobytes())
        return " ".join([*(one.sha256 for one in self.references), made.hexdigest()])


def _data_of(reference: references.Reference) -> str | None:
    """Return the fingerprint of the data that a teacher learnt from, None where no run tells."""
    path = reference.path.parent / runs.DATA
    return runs.read_json(path, "data")["sha256"] if path.exists() else None


def _kept(path: Path, key: str, models: int) -> list[Arrays] | None:
    try:
        with np.load(path) as kept:
            if str(kept["key"]) != key:
                return None
            return [
                {name.split("/", 1)[1]: kept[name] for name in kept if name.startswith(f"{n}/")}
                for n in range(models)
            ]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        # Half a file, or another's: asked again.
        return None
