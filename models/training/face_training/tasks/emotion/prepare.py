"""The command `prepare` for faces with emotions."""

import argparse
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ... import recipe
from ...errors import TrainingError
from . import crops, dataset, fer2013, folders


def _share(text: str) -> float:
    value = float(text)
    if value and not 0.01 <= value <= 0.5:
        raise argparse.ArgumentTypeError("must be 0, or 0.01 to 0.5")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--fer2013", type=Path, help="fer2013.csv, plain or .gz, .xz, .zip")
    parser.add_argument("--votes", type=Path, help="fer2013new.csv: FER+'s votes for the same rows")
    for name, text in (
        ("pictures", "folder of class folders (happy, sad, …; CK+), or CSV with image and emotion"),
        ("test-pictures", "the same, all of it for the split Test"),
        ("unlabelled", "folder of pictures without labels, for teachers to tell of"),
    ):
        parser.add_argument(
            f"--{name}", action="append", default=[], type=Path, metavar="PATH",
            help=f"{text}; may be repeated",
        )  # fmt: skip
    parser.add_argument(
        "--crops", action="store_true", help="pictures are faces already, of any size, not photos"
    )
    parser.add_argument(
        "--test-share", type=_share, default=0.2,
        help="of --pictures; 0: all are learnt from; default: %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--choosing-share", type=_share, default=0.0,
        help=f"of Training for a split {dataset.CHOOSING}, by groups of near repeats and persons",
    )  # fmt: skip
    parser.add_argument(
        "--choosing-from", action="append", default=[], metavar="SOURCE",
        help="take it from this source (fer2013, or a folder's name) only; may be repeated",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="of the splits; default: %(default)s")
    parser.add_argument(
        "--near", type=float, default=dataset.NEAR,
        help="likeness from which a training face repeats another split's;"
        " above 1: only what is the same byte for byte; default: %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--keep-leaked", action="store_true",
        help="keep training faces that are also in another split, as papers on FER2013 do;"
        " figures on that split lean to the good side",
    )  # fmt: skip
    parser.add_argument("--test-only", action="store_true", help="nothing to learn from is needed")
    parser.add_argument("--emotiond", help="program that cuts photos; default: EMOTIOND_BIN, …")
    parser.add_argument(
        "--crop-model", type=Path, help=".tflite whose sidecar says how to cut photos"
    )
    parser.add_argument("--recipe", type=Path, help="recipe whose [crop] says how to cut photos")


def prepare(options: argparse.Namespace) -> str:
    """Prepare data as the options say; returns what was counted, as text."""
    if options.votes and not options.fer2013:
        raise TrainingError("unable to prepare: --votes needs the faces of --fer2013")
    frame = None
    if options.recipe is not None:
        frame = dict(vars(recipe.load(options.recipe).tables["crop"]))
    tool = crops.Tool(options.emotiond, options.crop_model, frame)
    sources: list[dataset.Source] = []
    if options.fer2013:
        sources.append(lambda _: fer2013.rows(options.fer2013, options.votes))
    for kind in ("pictures", "test_pictures", "unlabelled"):
        how = folders.How(
            are_faces=options.crops,
            only_test=kind == "test_pictures",
            labelled=kind != "unlabelled",
            test_share=options.test_share,
            seed=options.seed,
            tool=tool,
        )
        sources += [functools.partial(_rows, path, how) for path in getattr(options, kind)]
    if not sources:
        raise TrainingError("unable to prepare: name data with --fer2013 or --pictures")
    learns = options.fer2013 or options.pictures or options.unlabelled
    counts = dataset.prepare(
        sources,
        Path(options.out),
        dataset.How(
            options.near, options.keep_leaked, options.choosing_share, options.seed,
            options.test_only or not learns, tuple(options.choosing_from),
        ),
    )  # fmt: skip
    return table(counts)


def _rows(path: Path, how: folders.How, work: Path) -> dataset.Read:
    return folders.rows(path, work, how)


def table(counts: Mapping[str, Any]) -> str:
    """Return what `prepare` counted as text."""
    lines = []
    for one in counts["sources"]:
        lines.append(f"{one['name']}: {one['rows']:,} faces, people {one['people']}")
        if one["people"] == "not known":
            lines.append(
                "  warning: the same person may be learnt from and judged by (a folder a person, or a"
                " column person in a CSV, tells)"
            )
        if one.get("people_in_two_splits"):
            lines.append(
                f"  warning: {one['people_in_two_splits']} people are learnt from and judged by"
            )
    kept = "kept in" if counts["keep_leaked"] else "left out of"
    lines += [
        f"{kept} training, though in another split: {counts['leaked']:,} faces, and"
        f" {counts['near']:,} nearly the same",
        f"repeats within training, joined: {counts['repeats']:,}",
        f"near repeats within a split, in one group: {counts['near_within']:,}",
        f"left out: {counts['left_out']:,} (see {dataset.LEFT_OUT})",
    ]
    lines += [
        f"  {row['class']}: {row['lost']} of {row['of']} {row['cause']}" for row in counts["losses"]
    ]
    for name, split in counts["splits"].items():
        lines.append(f"{name}: {split['rows']:,} faces, {split['people']:,} people known")
        for key in ("by_majority", "by_label"):
            found = ", ".join(f"{label} {count}" for label, count in split[key].items())
            lines.append(f"  {key.replace('_', ' ')}: {sum(split[key].values())} ({found})")
    return "\n".join(lines)
