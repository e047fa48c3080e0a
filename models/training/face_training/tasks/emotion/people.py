"""Tell persons apart by the names of files, so that none is learnt from and judged by."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# How known sets name a person in a file's name.
PATTERNS = {
    "CK+": re.compile(r"(S\d{3})_\d{3}_"),  # S010_004_00000017.png
    "KDEF": re.compile(r"[AB]([FM]\d{2})(?:AF|AN|DI|HA|NE|SA|SU)"),  # AF01ANS.JPG
    "JAFFE": re.compile(r"([A-Z]{2})\.(?:AN|DI|FE|HA|NE|SA|SU)\d"),  # KA.AN1.39.tiff
    "subject01_": re.compile(r"((?:subject|person|id|p|s)[-_]?\d+)[-_.]"),  # subject01_happy.png
    "Name_Surname_0001": re.compile(r"([^\W\d_]+(?:[-_.][^\W\d_]+)+)_\d+$"),  # LFW
}


@dataclass(frozen=True)
class People:
    """Who is on each picture: "" where it is not known."""

    names: list[str]
    known_by: str  # a column, folders, a pattern's name; "" where nobody is known

    def told(self) -> str:
        """Return what was found, in words."""
        count = len({name for name in self.names if name})
        if not count:
            return "not known"
        return f"{count} by {self.known_by}"


def from_names(stems: Sequence[str], classes: Sequence[int]) -> People:
    """Tell persons by the stems of the files' names; `classes` are the pictures' emotions.

    A way of naming counts if it fits every file and is not another name of the class
    (happy_face_0001.png).
    """
    for known_by, pattern in PATTERNS.items():
        found = [pattern.match(stem) for stem in stems]
        names = [match[1] for match in found if match]
        if stems and len(names) == len(stems) and _tell_people(names, classes):
            return People(names, f"the file names ({known_by})")
    return People([""] * len(stems), "")


def _tell_people(names: Sequence[str], classes: Sequence[int]) -> bool:
    """Whether the names differ within each class that has several pictures."""
    people: dict[int, list[str]] = {}
    for name, number in zip(names, classes, strict=True):
        people.setdefault(number, []).append(name)
    return all(len(mine) < 5 or len(set(mine)) > 1 for mine in people.values())
