"""Read a user's own pictures, as class folders or as a list, as rows of a data set.

Class folders: `happy/…`, `anger/…`, or the same below `train/` and `test/`. A list: a CSV with
the columns `image` and `emotion`, and `person` and `split` where it has them.
"""

import csv
import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from ...data.tables import cells, columns, open_csv
from ...errors import TrainingError
from . import crops
from .labels import EMOTIONS, VOTE_COLUMNS, named
from .rows import SIDE, TRAINING, Rows

TEST = "Test"
# The files that `emotiond crop` reads.
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
SPLITS = {
    "train": TRAINING, "training": TRAINING,
    "val": "Validation", "valid": "Validation", "validation": "Validation",
    "test": TEST, "testing": TEST,
    "publictest": "PublicTest", "privatetest": "PrivateTest",
}  # fmt: skip
# How known sets name a person in a file's name.
PEOPLE = tuple(
    re.compile(pattern)
    for pattern in (
        r"(S\d{3})_\d{3}_",  # CK+: S010_004_00000017.png
        r"[AB]([FM]\d{2})(?:AF|AN|DI|HA|NE|SA|SU)",  # KDEF: AF01ANS.JPG
        r"([A-Z]{2})\.(?:AN|DI|FE|HA|NE|SA|SU)\d",  # JAFFE: KA.AN1.39.tiff
        r"((?:subject|person|id|p|s)[-_]?\d+)[-_.]",  # subject01_happy.png
        r"([^\W\d_]+(?:[-_.][^\W\d_]+)+)_\d+$",  # LFW: Abba_Eban_0001.jpg
    )
)
_READ_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Picture:
    """One picture of a source, before it is read."""

    path: Path
    emotion: int  # index into EMOTIONS
    origin: str
    person: str = ""
    split: str = ""


def rows(path, work, *, only_test=False, test_share=0.2, seed=1, emotiond=None, model=None):
    """Read class folders, or a list if `path` is a file. Returns (Rows, texts of what was left out).

    Pictures without a split of their own are split into Training and Test, by person where
    the names tell persons, with the same shares of each emotion; `only_test` makes all of
    them Test. Pictures that are not 48x48 are photos: `emotiond crop` cuts the face.
    """
    path = Path(path)
    pictures = read_list(path) if path.is_file() else list_folder(path)
    if only_test:
        pictures = [dataclasses.replace(picture, split=TEST) for picture in pictures]
    pictures = split(pictures, path, test_share, seed)
    faces, left_out = _faces(pictures, work, emotiond, model)
    kept = [picture for picture, face in zip(pictures, faces, strict=True) if face is not None]
    if not kept:
        raise TrainingError(f"unable to use {path}: no face was found in its pictures")
    return Rows(
        pixels=np.stack([face for face in faces if face is not None]),
        votes=np.zeros((len(kept), len(VOTE_COLUMNS)), np.uint8),
        labels=np.eye(len(EMOTIONS), dtype=np.uint8)[[picture.emotion for picture in kept]],
        split=np.array([picture.split for picture in kept], str),
        origin=np.array([picture.origin for picture in kept], str),
    ), left_out


def list_folder(root):
    """List the pictures of class folders, whether at the top or below train and test."""
    root = Path(root)
    below = _folders(root)
    if below and all(folder.name.lower() in SPLITS for folder in below):
        return [
            dataclasses.replace(picture, split=SPLITS[folder.name.lower()])
            for folder in below
            for picture in _classes(_folders(folder), folder, root)
        ]
    return _classes(below, root, root)


def _folders(folder):
    try:
        found = [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
    except OSError as error:
        raise TrainingError(f"unable to read folder {folder}: {error.strerror}") from error
    return sorted(found)


def _classes(classes, folder, root):
    if not classes:
        raise TrainingError(f"unable to use {folder}: it holds no class folders (happy, sad, …)")
    pictures = []
    for one in classes:
        emotion = _emotion(one.name, f"folder {one}")
        files = [path for path in one.rglob("*") if path.suffix.lower() in SUFFIXES]
        if not files:
            raise TrainingError(f"unable to use {one}: the class is empty, no picture is in it")
        pictures += [
            Picture(file, emotion, f"{root.name}/{file.relative_to(root)}")
            for file in sorted(files)
        ]
    return pictures


def _emotion(text, place):
    emotion = named(text)
    if emotion is None:
        raise TrainingError(
            f"unable to use {place}: unknown label {text!r}, known are {', '.join(EMOTIONS)}"
        )
    return emotion


def read_list(path):
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
            pictures.append(
                Picture(
                    _find(path.parent, image, place), _emotion(label, place),
                    f"{path.name}, row {number}: {image}", person, SPLITS.get(part.lower(), part),
                )
            )  # fmt: skip
    if not pictures:
        raise TrainingError(f"unable to use {path}: it lists no picture")
    return pictures


def _find(folder, image, place):
    for path in (folder / image, folder / "images" / image):
        if path.is_file():
            return path
    raise TrainingError(f"unable to use {place}: no picture {image} beside the list or in images")


def with_people(pictures):
    """Return the pictures with the person that each file's name tells.

    A way of naming counts if it fits every file and is not another name of the class
    (happy_face_0001.png); where none does, each picture is taken for a person of its own.
    """
    if all(picture.person for picture in pictures):
        return pictures
    for pattern in PEOPLE:
        found = [pattern.match(picture.path.stem) for picture in pictures]
        if all(found) and _tells_people(pictures, found):
            return [
                dataclasses.replace(picture, person=match[1])
                for picture, match in zip(pictures, found, strict=True)
            ]
    return [dataclasses.replace(picture, person=picture.origin) for picture in pictures]


def _tells_people(pictures, found):
    """Whether the matches differ within each class that has several pictures."""
    people = {}
    for picture, match in zip(pictures, found, strict=True):
        people.setdefault(picture.emotion, []).append(match[1])
    return all(len(names) < 5 or len(set(names)) > 1 for names in people.values())


def split(pictures, path, test_share, seed):
    """Give a split to the pictures that have none: no person in two, each emotion shared alike."""
    loose = with_people([picture for picture in pictures if not picture.split])
    if not loose:
        return pictures
    people = len({picture.person for picture in loose})
    folds = round(1 / test_share)
    if people < folds:
        raise TrainingError(
            f"unable to split {path}: {people} persons or pictures are too few"
            f" for a test share of {test_share}"
        )
    truth = np.array([picture.emotion for picture in loose])
    groups = np.array([picture.person for picture in loose])
    tested = np.zeros(len(loose), bool)
    if np.bincount(truth).max() >= folds:
        folded = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        tested[next(folded.split(truth, truth, groups))[1]] = True
    else:
        chosen = np.random.default_rng(seed).permutation(np.unique(groups))[: people // folds]
        tested = np.isin(groups, chosen)
    # A class that would be tested only cannot be learnt: its persons are learnt from.
    for emotion in np.setdiff1d(truth[tested], truth[~tested]):
        tested &= ~np.isin(groups, groups[truth == emotion])
    ready = iter(
        dataclasses.replace(picture, split=TEST if test else TRAINING)
        for picture, test in zip(loose, tested, strict=True)
    )
    return [picture if picture.split else next(ready) for picture in pictures]


def _faces(pictures, work, emotiond, model):
    """Return ([uint8 (48, 48) or None], texts of what was left out)."""
    faces, photos = [], {}
    for number, picture in enumerate(tqdm(pictures, "pictures", disable=None, leave=False)):
        face = _read(picture)
        faces.append(face)
        if face is None:
            photos[number] = picture.path
    left_out = []
    if photos:
        found = crops.cut(photos, work, emotiond, model)
        for number in photos:
            faces[number] = found.get(number)
            if faces[number] is None:
                left_out.append(f"{pictures[number].origin}: no face found")
    return faces, left_out


def _read(picture):
    """Return the pixels of a picture of 48x48, None for a photo; refuse what cannot be read."""
    try:
        with Image.open(picture.path) as image:
            if image.size != (SIDE, SIDE):
                # A photo is read by `emotiond crop`, which names what it cannot read.
                return None
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"pixels of mode {image.mode}, not 8 bits")
            return np.asarray(image.convert("L"))
    except _READ_ERRORS as error:
        raise TrainingError(f"unable to read picture {picture.path}: {error}") from error
