"""Write files whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

from .errors import TrainingError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file under another name, then move it to `path` in one step."""
    part = path.with_name(f".part-{path.name}")
    try:
        write(part)
        os.replace(part, path)
    except OSError as error:
        raise TrainingError(f"unable to write {path}: {error.strerror or error}") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    write_whole(path, lambda part: part.write_bytes(content))


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))
