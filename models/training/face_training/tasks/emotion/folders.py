"""Read a user's own pictures, as class folders or as a list, as rows of a data set.

Class folders: `happy/…`, `anger/…`, or the same below `train/` and `test/`. A folder a person may
stand above them (`anna/happy/…`) or in them (`happy/anna/…`). A list: a CSV with the columns
`image` and `emotion`, and `person` and `split` where it has them.
"""

import csv
import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from ...data.tables import cells, columns, open_csv
from ...errors import TrainingError
from . import crops, people
from .dataset import Read
from .labels import EMOTIONS, VOTE_COLUMNS, named
from .rows import TRAINING, Rows

TEST = "Test"
# The files that `emotiond crop` reads.
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
SPLITS = {
    "train": TRAINING, "training": TRAINING,
    "val": "Validation", "valid": "Validation", "validation": "Validation",
    "test": TEST, "testing": TEST,
    "publictest": "PublicTest", "privatetest": "PrivateTest",
}  # fmt: skip
# FER2013's: a picture of this size is a face in any case.
SIDE = 48
# Larger faces are made as small as this: no net here takes more.
MOST_SIDE = 160
UNLABELLED = "unlabelled"
_READ_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Picture:
    """One picture of a source, before it is read."""

    path: Path
    emotion: int  # index into EMOTIONS; -1: no label
    origin: str
    person: str = ""
    split: str = ""


@dataclass(frozen=True)
class How:
    """How pictures are read."""

    are_faces: bool = False  # they are faces already, of any size
    only_test: bool = False
    labelled: bool = True
    test_share: float = 0.2
    seed: int = 1
    tool: crops.Tool = field(default_factory=crops.Tool)


def rows(path: Path, work: Path, how: How = How()) -> Read:  # noqa: B008 (frozen)
    """Read class folders, or a list if `path` is a file; photos are cut in `work`.

    Pictures without a split of their own are split into Training and Test, by person where
    these are known, with the same shares of each emotion. Pictures that are not 48x48 are photos
    unless `how.are_faces` says otherwise: `emotiond crop` cuts the face.
    """
    if not how.labelled:
        pictures = _every_picture(path)
    else:
        pictures = read_list(path) if path.is_file() else list_folder(path)
    if how.only_test:
        pictures = [dataclasses.replace(picture, split=TEST) for picture in pictures]
    pictures, known = with_people(pictures)
    if how.labelled:
        pictures = split(pictures, path, how.test_share, how.seed)
    else:
        pictures = [dataclasses.replace(picture, split=TRAINING) for picture in pictures]
    faces, causes, crop = _faces(pictures, work, how)
    kept = [number for number in range(len(pictures)) if number in faces]
    if not kept:
        told = ", ".join(sorted(set(causes.values())))
        raise TrainingError(f"unable to use {path}: no face was found in its pictures ({told})")
    mine = [pictures[number] for number in kept]
    name = path.parent.name if path.is_file() else path.name
    labels = np.zeros((len(mine), len(EMOTIONS)), np.uint8)
    for row, picture in zip(labels, mine, strict=True):
        row[picture.emotion] = picture.emotion >= 0
    found = Rows(
        pictures=[faces[number] for number in kept],
        votes=np.zeros((len(mine), len(VOTE_COLUMNS)), np.uint8),
        labels=labels,
        split=np.array([picture.split for picture in mine], str),
        origin=np.array([picture.origin for picture in mine], str),
        source=np.full(len(mine), name if how.labelled else UNLABELLED),
        person=np.array([picture.person for picture in mine], str),
        group=np.arange(len(mine)),
    )
    left_out = [
        (_class(pictures[number]), cause, pictures[number].origin)
        for number, cause in sorted(causes.items())
    ]
    facts: dict[str, Any] = {
        "name": name,
        "rows": len(mine),
        "votes": False,
        "people": known.told() if how.labelled else "not asked for",
    }
    shared = shared_people(mine)
    if shared:
        facts["people_in_two_splits"] = len(shared)
    return Read(found, left_out, facts, crop)


def _class(picture: Picture) -> str:
    return EMOTIONS[picture.emotion] if picture.emotion >= 0 else UNLABELLED


def list_folder(root: Path) -> list[Picture]:
    """List the pictures of class folders, whether at the top or below splits or persons."""
    below = _folders(root)
    if below and all(folder.name.lower() in SPLITS for folder in below):
        return [
            dataclasses.replace(picture, split=SPLITS[folder.name.lower()])
            for folder in below
            for picture in _persons(_folders(folder), folder, root)
        ]
    return _persons(below, root, root)


def _folders(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
    except OSError as error:
        raise TrainingError(f"unable to read folder {folder}: {error.strerror}") from error
    return sorted(found)


def _persons(folders: list[Path], folder: Path, root: Path) -> list[Picture]:
    """List class folders, or folders of persons that hold class folders."""
    inside = {one: _folders(one) for one in folders if named(one.name) is None}
    if len(inside) == len(folders) > 0 and all(
        classes and all(named(one.name) is not None for one in classes)
        for classes in inside.values()
    ):
        return [
            dataclasses.replace(picture, person=one.name)
            for one, classes in inside.items()
            for picture in _classes(classes, one, root)
        ]
    return _classes(folders, folder, root)


def _classes(classes: list[Path], folder: Path, root: Path) -> list[Picture]:
    if not classes:
        raise TrainingError(f"unable to use {folder}: it holds no class folders (happy, sad, …)")
    pictures = []
    for one in classes:
        emotion = _emotion(one.name, f"folder {one}")
        files = _files(one)
        if not files:
            raise TrainingError(f"unable to use {one}: the class is empty, no picture is in it")
        pictures += [
            Picture(
                file, emotion, f"{root.name}/{file.relative_to(root)}",
                file.relative_to(one).parts[0] if file.parent != one else "",
            )
            for file in files
        ]  # fmt: skip
    return pictures


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _every_picture(root: Path) -> list[Picture]:
    files = _files(root) if root.is_dir() else []
    if not files:
        raise TrainingError(f"unable to use {root}: it is no folder with pictures")
    return [Picture(file, -1, f"{root.name}/{file.relative_to(root)}") for file in files]


def _emotion(text: str, place: str) -> int:
    emotion = named(text)
    if emotion is None:
        raise TrainingError(
            f"unable to use {place}: unknown label {text!r}, known are {', '.join(EMOTIONS)}"
        )
    return emotion


def read_list(path: Path) -> list[Picture]:
    """Read a picture list. Pictures lie beside it or in `images` beside it."""
    pictures = []
    with open_csv(path) as text:
        reader = csv.reader(text)
        header = next(reader, [])
        wanted = columns(header, path, ("image", "emotion"))
        optional = [
            next(
                (place for place, name in enumerate(header) if name.strip().lower() in names), None
            )
            for names in (("person", "subject"), ("split", "usage"))
        ]
        for number, row in enumerate(reader, start=2):
            place = f"{path}, row {number}"
            image, label = cells(row, wanted, place)
            person, part = (
                row[column].strip() if column is not None and column < len(row) else ""
                for column in optional
            )
            if part and part.lower() not in SPLITS:
                raise TrainingError(
                    f"unable to use {place}: unknown split {part!r}, known are {', '.join(SPLITS)}"
                )
            pictures.append(
                Picture(
                    _find(path.parent, image, place), _emotion(label, place),
                    f"{path.name}, row {number}: {image}", person, SPLITS.get(part.lower(), ""),
                )
            )  # fmt: skip
    if not pictures:
        raise TrainingError(f"unable to use {path}: it lists no picture")
    return pictures


def _find(folder: Path, image: str, place: str) -> Path:
    for path in (folder / image, folder / "images" / image):
        if path.is_file():
            return path
    raise TrainingError(f"unable to use {place}: no picture {image} beside the list or in images")


def with_people(pictures: list[Picture]) -> tuple[list[Picture], people.People]:
    """Return the pictures with the persons that a column, folders or file names tell."""
    given = [picture.person for picture in pictures]
    if all(given):
        folders = all(
            name in picture.path.parts for name, picture in zip(given, pictures, strict=True)
        )
        return pictures, people.People(given, "folders" if folders else "a column")
    stems = [picture.path.stem for picture in pictures]
    known = people.from_names(stems, [picture.emotion for picture in pictures])
    return [
        dataclasses.replace(picture, person=name)
        for picture, name in zip(pictures, known.names, strict=True)
    ], known


def shared_people(pictures: Sequence[Picture]) -> set[str]:
    """Return the persons who are learnt from and judged by."""
    learnt = {picture.person for picture in pictures if picture.split == TRAINING}
    judged = {picture.person for picture in pictures if picture.split != TRAINING}
    return learnt & judged - {""}


def split(pictures: list[Picture], path: Path, test_share: float, seed: int) -> list[Picture]:
    """Give a split to the pictures that have none: no person in two, each emotion shared alike."""
    loose = [picture for picture in pictures if not picture.split]
    if not loose:
        return pictures
    if not test_share:
        return [
            picture if picture.split else dataclasses.replace(picture, split=TRAINING)
            for picture in pictures
        ]
    # A picture of nobody who is known is taken for a person of its own.
    groups = np.array([picture.person or picture.origin for picture in loose])
    persons = len(np.unique(groups))
    folds = round(1 / test_share)
    if persons < folds:
        raise TrainingError(
            f"unable to split {path}: {persons} persons or pictures are too few"
            f" for a test share of {test_share}"
        )
    truth = np.array([picture.emotion for picture in loose])
    tested = np.zeros(len(loose), bool)
    if np.bincount(truth).max() >= folds:
        folded = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            # A class of fewer pictures than folds is shared as far as it goes.
            warnings.simplefilter("ignore", UserWarning)
            tested[next(folded.split(truth, truth, groups))[1]] = True
    else:
        chosen = np.random.default_rng(seed).permutation(np.unique(groups))[: persons // folds]
        tested = np.isin(groups, chosen)
    # A class that would be tested only cannot be learnt: its persons are learnt from.
    for emotion in np.setdiff1d(truth[tested], truth[~tested]):
        tested &= ~np.isin(groups, groups[truth == emotion])
    ready = iter(
        dataclasses.replace(picture, split=TEST if test else TRAINING)
        for picture, test in zip(loose, tested, strict=True)
    )
    return [picture if picture.split else next(ready) for picture in pictures]


def _faces(
    pictures: Sequence[Picture], work: Path, how: How
) -> tuple[dict[int, np.ndarray], dict[int, str], Mapping[str, Any] | None]:
    """Return ({number: uint8 (h, w)}, {number: why it was left out}, how photos were cut)."""
    faces: dict[int, np.ndarray] = {}
    causes: dict[int, str] = {}
    photos = {}
    for number, picture in enumerate(tqdm(pictures, "pictures", disable=None, leave=False)):
        try:
            face = _read(picture.path, how.are_faces)
        except _READ_ERRORS:
            causes[number] = crops.UNREADABLE
            continue
        if face is None:
            photos[number] = picture.path
        else:
            faces[number] = face
    if not photos:
        return faces, causes, None
    cut = crops.cut(photos, work, how.tool)
    return faces | cut.faces, causes | cut.lost, cut.crop


def _read(path: Path, is_face: bool) -> np.ndarray | None:
    """Return the grey values of a picture that is a face, None of a photo."""
    with Image.open(path) as image:
        if not is_face and image.size != (SIDE, SIDE):
            # Read whole, so that what is cut short is told from what shows no face.
            image.load()
            return None
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"pixels of mode {image.mode}, not 8 bits")
        grey = image.convert("L")
        grey.thumbnail((MOST_SIDE, MOST_SIDE), Image.Resampling.BOX)
        return np.asarray(grey)
