"""The models that a recipe names: weights to start from, teachers."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import TrainingError
from .runs import MODEL


@dataclass(frozen=True)
class Reference:
    """A model file that a recipe names."""

    name: str  # the run's, or the file's
    path: Path
    sha256: str


def find(reference: str | dict[str, Any], runs: Path) -> Reference:
    """Return the file that a recipe's reference means, and refuse another one than it says.

    A name without folder and ending is a run in the folder `runs`; a folder means its net.
    """
    wanted = reference.get("sha256") if isinstance(reference, dict) else None
    text = reference["model"] if isinstance(reference, dict) else reference
    path = Path(text)
    if path.parent == Path() and not path.suffix:
        path = runs / text
    name = path.name if path.is_dir() or not path.suffix else path.stem
    if path.is_dir() or not path.suffix:
        path = path / MODEL
    if path.name == MODEL:
        name = path.parent.name
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise TrainingError(f"unable to read model {path}: {error.strerror}") from error
    if wanted and found != wanted:
        raise TrainingError(
            f"unable to use model {path}: its SHA-256 is {found}, the recipe says {wanted}"
        )
    return Reference(name, path, found)
