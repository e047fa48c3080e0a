"""The prepared data set: a folder with the faces, their index, and what was counted."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from ...errors import TrainingError
from . import targets
from .labels import EMOTIONS
from .rows import ARRAYS, TRAINING, Rows, join, without_repeats
from .targets import Targets

PICTURES = "faces.bin"  # the faces' grey values, one behind the other
INDEX = "index.npz"
COUNTS = "prepared.json"
LEFT_OUT = "left-out.txt"
NEAR = 0.94
CHOOSING = "Choosing"
# A source may lose this share of its pictures; more is a mistake.
MOST_LOST = 0.2


@dataclass
class Read:
    """What was read from one source."""

    rows: Rows
    left_out: list[tuple[str, str, str]] = field(default_factory=list)  # (class, cause, picture)
    told: dict[str, Any] = field(default_factory=dict)  # what the card says of it: name, people …
    crop: Mapping[str, Any] | None = None  # how photos were cut; None where none were


Source = Callable[[Path], Read]


@dataclass(frozen=True)
class How:
    """How sources become one data set; see rows.without_repeats."""

    near: float = NEAR
    keep_leaked: bool = False
    choosing_share: float = 0.0  # of Training, by groups of near repeats and persons
    seed: int = 1
    test_only: bool = False  # nothing to learn from is needed
    choosing_from: tuple[str, ...] = ()  # the sources that the choosing share is of; empty: all


def prepare(sources: Sequence[Source], out: Path, how: How = How()) -> dict[str, Any]:  # noqa: B008
    """Join `sources` into the folder `out`; returns a dict of counts, also kept in it.

    Nothing of `out` changes before all is read. A source that lost over a fifth of its pictures, a
    training split of which nothing is left, and photos that were cut in two ways are errors.
    """
    with _beside(out) as work:
        read = [source(work) for source in sources]
        for one in read:
            _check_losses(one)
        crop = one_crop([one.crop for one in read])
        rows, repeats = without_repeats(join([one.rows for one in read]), how.near, how.keep_leaked)
        if how.choosing_share:
            _set_aside(rows, how)
        if not how.test_only and not (rows.split == TRAINING).any():
            raise TrainingError(
                "unable to prepare: no row of Training is left"
                " (to judge only, say so with --test-only)"
            )
        counts: dict[str, Any] = {
            **repeats,
            "left_out": sum(len(one.left_out) for one in read),
            "sources": [one.told for one in read],
            "losses": losses(read),
            "crop": crop,
        }
        lines = [f"{picture}: {cause}\n" for one in read for _, cause, picture in one.left_out]
        (work / LEFT_OUT).write_text("".join(lines), encoding="utf-8")
        counts = _fill(rows, work, counts)
        out.mkdir(exist_ok=True)
        for name in (LEFT_OUT, COUNTS, INDEX, PICTURES):
            os.replace(work / name, out / name)
    return counts


def write(rows: Rows, out: Path, counts: Mapping[str, Any]) -> None:
    """Write rows as prepared data; splits and fingerprint in `counts` are made anew."""
    with _beside(out) as work:
        _fill(rows, work, counts)
        out.mkdir(exist_ok=True)
        for name in (COUNTS, INDEX, PICTURES):
            os.replace(work / name, out / name)


def _fill(rows: Rows, work: Path, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Write the files of prepared data; returns `counts` with splits and fingerprint."""
    _save(rows, work)
    counts = {**counts, "splits": _split_counts(rows), "sha256": _digest(work)}
    (work / COUNTS).write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
    return counts


@contextlib.contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """Make a temporary folder on the file system of `out`."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise TrainingError(f"unable to write into {out.parent}: {error.strerror}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def losses(read: Sequence[Read]) -> list[dict[str, Any]]:
    """Return a row for each class and cause: {class, cause, lost, of}."""
    kept: Counter[str] = Counter()
    lost: Counter[tuple[str, str]] = Counter()
    for one in read:
        for label in one.rows.labels.argmax(axis=1)[one.rows.labels.any(axis=1)]:
            kept[EMOTIONS[label]] += 1
        lost.update((label, cause) for label, cause, _ in one.left_out)
    total = kept + Counter(label for label, _ in lost.elements())
    return [
        {"class": label, "cause": cause, "lost": count, "of": total[label]}
        for (label, cause), count in sorted(lost.items())
    ]


def _check_losses(one: Read) -> None:
    count = len(one.left_out)
    whole = count + len(one.rows)
    if count > MOST_LOST * whole:
        causes = Counter(cause for _, cause, _ in one.left_out)
        told = ", ".join(f"{cause} {number}" for cause, number in causes.most_common(3))
        raise TrainingError(
            f"unable to prepare {one.told.get('name')}: {count} of {whole} pictures are lost ({told});"
            " pictures that are faces already, of any size, are read with --crops"
        )


def one_crop(crops: Sequence[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """Return how photos were cut; refuse two ways in one data set."""
    used = [crop for crop in crops if crop is not None]
    if any(crop != used[0] for crop in used):
        raise TrainingError(f"unable to join: photos were cut in different ways: {used}")
    return used[0] if used else None


def _set_aside(rows: Rows, how: How) -> None:
    """Give a share of Training, of what is known, to the split that choices are made on."""
    known = rows.votes.any(axis=1) | rows.labels.any(axis=1)
    if how.choosing_from:
        foreign = sorted(set(how.choosing_from) - set(rows.source))
        if foreign:
            raise TrainingError(
                f"unable to choose from {foreign[0]}: the sources are"
                f" {', '.join(sorted(set(rows.source)))}"
            )
        known &= np.isin(rows.source, how.choosing_from)
    mine = np.flatnonzero((rows.split == TRAINING) & known)
    groups = np.where(rows.person[mine] != "", rows.person[mine], rows.group[mine].astype(str))
    maker = GroupShuffleSplit(1, test_size=how.choosing_share, random_state=how.seed)
    _, chosen = next(maker.split(mine, groups=groups))
    split = rows.split.astype(object)
    split[mine[chosen]] = CHOOSING
    rows.split = split.astype(str)


def _split_counts(rows: Rows) -> dict[str, Any]:
    """Return {split: {rows, people, by_majority, by_label}}, the latter two per emotion."""
    counts: dict[str, Any] = {}
    for name in np.unique(rows.split):
        part = rows.take(rows.split == name)
        people = np.unique(part.person[part.person != ""])
        counts[str(name)] = {"rows": len(part), "people": len(people)}
        for judge in ("majority", "label"):
            how = Targets(judge=judge, labels=EMOTIONS)
            right = targets.truth(part.votes, part.labels, how)
            found = np.bincount(right[right >= 0], minlength=len(EMOTIONS)).tolist()
            counts[str(name)][f"by_{judge}"] = dict(zip(EMOTIONS, found, strict=True))
    return counts


def _save(rows: Rows, folder: Path) -> None:
    sizes = np.array([face.shape for face in rows.pictures], np.int64).reshape(-1, 2)
    with open(folder / PICTURES, "wb") as file:
        for face in rows.pictures:
            file.write(np.ascontiguousarray(face).tobytes())
    arrays = {name: getattr(rows, name) for name in ARRAYS}
    np.savez_compressed(folder / INDEX, sizes=sizes, **arrays)


def _digest(folder: Path) -> str:
    made = hashlib.sha256()
    for name in (PICTURES, INDEX):
        made.update((folder / name).read_bytes())
    return made.hexdigest()


def load(folder: Path) -> dict[str, Rows]:
    """Read a prepared folder. Returns {split name: Rows}."""
    try:
        with np.load(folder / INDEX) as data:
            arrays = {name: data[name] for name in ARRAYS}
            sizes = data["sizes"]
        values = np.fromfile(folder / PICTURES, np.uint8)
        ends = np.cumsum(sizes.prod(axis=1))
        if len(sizes) != len(arrays["split"]) or (ends[-1] if len(ends) else 0) != len(values):
            raise ValueError(f"{PICTURES} and {INDEX} do not belong together")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(
            f"unable to read prepared data {folder}: {error} (made by `prepare`?)"
        ) from error
    starts = ends - sizes.prod(axis=1)
    faces = [
        values[start:end].reshape(size)
        for start, end, size in zip(starts, ends, sizes, strict=True)
    ]
    rows = Rows(pictures=faces, **arrays)
    return {str(name): rows.take(rows.split == name) for name in np.unique(rows.split)}


def split(folder: Path, name: str) -> Rows:
    """Return one split of prepared data."""
    splits = load(folder)
    if name not in splits:
        raise TrainingError(
            f"unable to use split {name}: {folder} holds only {', '.join(sorted(splits))}"
        )
    return splits[name]


def counts(folder: Path) -> dict[str, Any]:
    """Return what `prepare` counted."""
    path = folder / COUNTS
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to read {path}: {error} (made by `prepare`?)") from error
