"""Write files whole or not at all."""

import os
from pathlib import Path


def write_whole(path, write):
    """Let `write` make a file under another name, then move it to `path` in one step."""
    path = Path(path)
    part = path.with_name(f".part-{path.name}")
    write(part)
    os.replace(part, path)


def write_text(path, text):
    """Write a text file whole or not at all."""
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))
