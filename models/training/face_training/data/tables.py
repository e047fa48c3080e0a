"""Read CSV files, packed or not, naming file and row in what is wrong."""

import contextlib
import csv
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TextIO

from ..errors import TrainingError

_UNREADABLE = (
    OSError, EOFError, UnicodeDecodeError, csv.Error, lzma.LZMAError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@contextlib.contextmanager
def open_csv(path: str | Path) -> Iterator[TextIO]:
    """Open a CSV as text, whether plain, .gz, .xz or the only CSV of a .zip."""
    path = Path(path)
    try:
        with contextlib.ExitStack() as stack:
            raw: Any
            if path.suffix == ".gz":
                raw = stack.enter_context(gzip.open(path))
            elif path.suffix == ".xz":
                raw = stack.enter_context(lzma.open(path))
            elif path.suffix == ".zip":
                raw = stack.enter_context(_open_zip_member(stack, path))
            else:
                raw = stack.enter_context(open(path, "rb"))
            yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
    except _UNREADABLE as error:
        raise TrainingError(f"unable to read {path}: {error}") from error


def _open_zip_member(stack: contextlib.ExitStack, path: Path) -> IO[bytes]:
    archive = stack.enter_context(zipfile.ZipFile(path))
    names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
    if len(names) != 1:
        raise TrainingError(f"unable to read {path}: it holds {len(names)} CSV files, not one")
    return archive.open(names[0])


def columns(header: Sequence[str], path: Path, wanted: Sequence[str]) -> list[int]:
    """Return the positions of the wanted columns, by name."""
    header = [name.strip() for name in header]
    missing = [name for name in wanted if name not in header]
    if missing:
        raise TrainingError(f"unable to read {path}: no column {', '.join(missing)} in its header")
    return [header.index(name) for name in wanted]


def cells(row: Sequence[str], wanted: Sequence[int], place: str) -> list[str]:
    """Return the texts of a row's wanted columns."""
    if len(row) <= max(wanted):
        raise TrainingError(f"unable to read {place}: {len(row)} columns, too few")
    return [row[column].strip() for column in wanted]
