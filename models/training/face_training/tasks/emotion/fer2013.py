"""Read a user's own copy of FER2013 and of the FER+ votes for it, as rows of a data set.

FER2013: Goodfellow et al. 2013; one row a face, `emotion,pixels,Usage`, 48x48 grey pixels.
FER+: Barsoum et al. 2016, arXiv:1608.01041; `fer2013new.csv`, the same rows in the same order.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...data.tables import cells, columns, open_csv
from ...errors import TrainingError
from .dataset import Read
from .labels import EMOTIONS, FER2013_EMOTIONS, VOTE_COLUMNS
from .rows import Rows

SIDE = 48
PIXELS = SIDE * SIDE
USAGES = ("Training", "PublicTest", "PrivateTest")
TAGGERS = 10


@dataclass
class Faces:
    """Faces of one file, in its order."""

    pixels: np.ndarray  # uint8 (n, 48, 48)
    emotion: np.ndarray  # int8 (n,), index into FER2013_EMOTIONS
    usage: np.ndarray  # str (n,): Training, PublicTest or PrivateTest


def _face(label: str, text: str, place: str) -> tuple[int, bytes]:
    """Return (class number, pixel bytes) of one row."""
    if not (label.isdecimal() and int(label) < len(FER2013_EMOTIONS)):
        raise TrainingError(
            f"unable to read {place}: unknown label {label!r}, not 0 to {len(FER2013_EMOTIONS) - 1}"
        )
    try:
        pixels = bytes(map(int, text.split()))
    except ValueError as error:
        raise TrainingError(f"unable to read {place}: bad pixel value ({error})") from error
    if len(pixels) != PIXELS:
        raise TrainingError(f"unable to read {place}: {len(pixels)} pixels, not {PIXELS}")
    return int(label), pixels


def read_faces(path: Path) -> Faces:
    """Read fer2013.csv (plain, .gz, .xz or .zip). Rows are counted from 1, the header is row 1."""
    emotions, pixels, usages = [], [], []
    with open_csv(path) as text:
        reader = csv.reader(text)
        wanted = columns(next(reader, []), path, ("emotion", "pixels", "Usage"))
        for number, row in enumerate(reader, start=2):
            place = f"{path}, row {number}"
            label, values, usage = cells(row, wanted, place)
            if usage not in USAGES:
                raise TrainingError(
                    f"unable to read {place}: unknown Usage {usage!r}, not {', '.join(USAGES)}"
                )
            emotion, face = _face(label, values, place)
            emotions.append(emotion)
            pixels.append(face)
            usages.append(usage)
    if not emotions:
        raise TrainingError(f"unable to use {path}: it holds a header and no row")
    return Faces(
        pixels=np.frombuffer(b"".join(pixels), np.uint8).reshape(-1, SIDE, SIDE),
        emotion=np.array(emotions, np.int8),
        usage=np.array(usages, dtype=str),
    )


def read_votes(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read fer2013new.csv. Returns (votes uint8 (n, 10), usage str (n,))."""
    votes, usages = [], []
    with open_csv(path) as text:
        reader = csv.reader(text)
        wanted = columns(next(reader, []), path, ("Usage", *VOTE_COLUMNS))
        for number, row in enumerate(reader, start=2):
            place = f"{path}, row {number}"
            usage, *counts = cells(row, wanted, place)
            try:
                given = [int(count) for count in counts]
            except ValueError as error:
                raise TrainingError(f"unable to read {place}: bad vote ({error})") from error
            if min(given) < 0 or sum(given) > TAGGERS:
                raise TrainingError(
                    f"unable to read {place}: votes {given}, not 0 to {TAGGERS} together"
                )
            votes.append(bytes(given))
            usages.append(usage)
    table = np.frombuffer(b"".join(votes), np.uint8).reshape(-1, len(VOTE_COLUMNS))
    return table, np.array(usages, dtype=str)


def check_same_rows(faces: Faces, usage: np.ndarray, path: Path) -> None:
    """Refuse votes that do not belong to these faces row by row."""
    if len(usage) != len(faces.usage):
        raise TrainingError(
            f"unable to use the votes of {path}: {len(usage)} rows for {len(faces.usage)} faces"
        )
    differs = np.flatnonzero(usage != faces.usage)
    if differs.size:
        row = int(differs[0])
        raise TrainingError(
            f"unable to use the votes of {path}: row {row + 2} is {usage[row]},"
            f" the face of that row {faces.usage[row]}"
        )


def rows(faces_path: Path, votes_path: Path | None = None) -> Read:
    """Read FER2013, and the votes for it where there are any."""
    faces = read_faces(faces_path)
    votes = np.zeros((len(faces.pixels), len(VOTE_COLUMNS)), np.uint8)
    if votes_path is not None:
        votes, usage = read_votes(votes_path)
        check_same_rows(faces, usage, votes_path)
    places = np.array([EMOTIONS.index(name) for name in FER2013_EMOTIONS])
    count = len(votes)
    found = Rows(
        pictures=list(faces.pixels),
        votes=votes,
        labels=np.eye(len(EMOTIONS), dtype=np.uint8)[places[faces.emotion]],
        split=faces.usage,
        origin=np.array([f"{faces_path.name}, row {number + 2}" for number in range(count)], str),
        source=np.full(count, "fer2013"),
        person=np.full(count, ""),
        group=np.arange(count),
    )
    told = {
        "name": "fer2013",
        "rows": count,
        "votes": votes_path is not None,
        "people": "not known",
    }
    return Read(found, told=told)
