"""Command line: python -m face_training prepare | augment | train | distill | evaluate | …"""

import argparse
import json
import os
import sys

# TensorFlow reads this when it is imported, so it is set before any of our modules is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from .errors import TrainingError  # noqa: E402


def _say(text):
    print(text, flush=True)


def _prepare(options):
    from .tasks.emotion import dataset

    if options.votes and not options.fer2013:
        raise TrainingError("unable to prepare: --votes needs the faces of --fer2013")
    sources = []
    if options.fer2013:
        sources.append(dataset.from_fer2013(options.fer2013, options.votes))
    for path in options.pictures + options.test_pictures:
        sources.append(
            dataset.from_pictures(
                path,
                only_test=path in options.test_pictures,
                test_share=options.test_share,
                seed=options.seed,
                emotiond=options.emotiond,
                model=options.crop_model,
            )
        )
    if not sources:
        raise TrainingError("unable to prepare: name data with --fer2013 or --pictures")
    counts = dataset.prepare(sources, options.out, options.near, options.keep_leaked)
    _say(_counts_table(counts))


def _counts_table(counts):
    """Return what `prepare` counted as text."""
    lines = [
        f"{'kept in' if counts['keep_leaked'] else 'left out of'} training, though in another split:"
        f" {counts['leaked']} faces, and {counts['near']} nearly the same",
        f"repeats within training, joined: {counts['repeats']}",
        f"photos without a face: {counts['left_out']}",
    ]
    for name, split in counts["splits"].items():
        lines.append(f"{name}: {split['rows']} faces")
        for key in ("by_majority", "by_label"):
            found = ", ".join(f"{label} {count}" for label, count in split[key].items())
            lines.append(f"  {key.replace('_', ' ')}: {sum(split[key].values())} ({found})")
    return "\n".join(lines)


def _train(options):
    from .training.trainer import train

    _say(train(options.recipe, options.data, options.run, say=_say))


def _distill(options):
    from .training.distill import distill

    _say(distill(options.recipe, options.data, options.run, options.teacher, say=_say))


def _augment(options):
    from .data.preview import preview

    _say(preview(options.recipe, options.data, options.out, options.faces, options.seed))


def _nets(_options):
    from .data.preview import nets_table

    _say(nets_table())


def _evaluate(options):
    from .tasks.emotion import dataset
    from .tasks.emotion.evaluate import evaluate

    split = dataset.split(options.data, options.split)
    labels = [label.strip() for label in options.labels.split(",")] if options.labels else None
    found = evaluate(options.model, split, options.temperature, options.judge, labels, options.mean)
    if options.json:
        _say(json.dumps(found))
        return
    for key in ("samples", "accuracy", "macro_f1", "top2", "ece", "nll"):
        _say(f"{key}: {found[key]:.5g}")
    _say(f"temperature: {found['temperature']}, right by {found['judge']}")
    for label, row in found["per_class"].items():
        _say(f"{label}: " + ", ".join(f"{key} {value:.4g}" for key, value in row.items()))


def _export(options):
    from .export.export import export

    given = {key: getattr(options, key) for key in ("prior_shift", "remedy")}
    described = export(
        options.out, options.data, options.run, options.model, options.recipe,
        say=lambda text: print(text, file=sys.stderr, flush=True),
        **{key: value for key, value in given.items() if value is not None},
    )  # fmt: skip
    _say(json.dumps(described, indent=2))


def _shift(options):
    from .export.shift import shift

    shift(options.model, options.recipe, options.data, options.out, say=_say)


def _report(options):
    from .report.report import report

    for path in report(options.run, options.data, options.model, options.card):
        _say(path)


def _golden(options):
    from .tasks.emotion.golden import write

    _say(write(options.model, options.out))


def _share(text):
    value = float(text)
    if not 0.01 <= value <= 0.5:
        raise argparse.ArgumentTypeError("must be 0.01 to 0.5")
    return value


def _add_prepare(command):
    made = command(
        _prepare, "read, check and join the data of all sources into one folder",
        out="folder to fill",
    )  # fmt: skip
    made.add_argument("--fer2013", help="fer2013.csv, plain or .gz, .xz, .zip")
    made.add_argument("--votes", help="fer2013new.csv: FER+'s votes for the same rows")
    made.add_argument(
        "--pictures", action="append", default=[], metavar="PATH",
        help="folder of class folders (happy, sad, …; CK+), or CSV with image and emotion;"
        " may be repeated",
    )  # fmt: skip
    made.add_argument(
        "--test-pictures", action="append", default=[], metavar="PATH",
        help="the same, all of it for the split Test",
    )  # fmt: skip
    made.add_argument(
        "--test-share", type=_share, default=0.2, help="of --pictures; default: %(default)s"
    )
    made.add_argument("--seed", type=int, default=1, help="of the split; default: %(default)s")
    made.add_argument(
        "--near", type=float, default=0.97,
        help="likeness from which a training face repeats another split's;"
        " above 1: only what is the same byte for byte; default: %(default)s",
    )  # fmt: skip
    made.add_argument(
        "--keep-leaked", action="store_true",
        help="keep training faces that are also in another split, as papers on FER2013 do;"
        " figures on that split lean to the good side",
    )  # fmt: skip
    made.add_argument("--emotiond", help="program that cuts photos; default: EMOTIOND_BIN, …")
    made.add_argument("--crop-model", help=".tflite whose sidecar says how to cut photos")


def _add_evaluate(command, data):
    made = command(_evaluate, "figures of a model, or of several as one", data=data)
    made.add_argument(
        "--model", action="append", required=True,
        help="run folder, .keras or .tflite; may be repeated",
    )  # fmt: skip
    made.add_argument("--split", default="PublicTest", help="default: %(default)s")
    made.add_argument(
        "--judge", choices=("majority", "label"),
        help="what is right: FER+'s majority rule, or the data's own label;"
        " default: as the run's recipe says, else majority",
    )  # fmt: skip
    made.add_argument("--labels", help="happy,sad,…: only these faces and answers")
    made.add_argument(
        "--mean", choices=("log-probabilities", "probabilities"), default="log-probabilities",
        help="how several models' answers become one; default: %(default)s",
    )  # fmt: skip
    made.add_argument("--temperature", type=float, help="default: the sidecar's, else 1")
    made.add_argument("--json", action="store_true", help="print one line of JSON")


def parser():
    """Build the parser of the command line."""
    top = argparse.ArgumentParser(prog="face_training", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(act, text, **required):
        made = commands.add_parser(act.__name__[1:], help=text, description=text)
        made.set_defaults(act=act)
        for name, meaning in required.items():
            made.add_argument(f"--{name}", required=True, help=meaning)
        return made

    data, run = "folder made by prepare", "run folder"
    _add_prepare(command)
    made = command(
        _augment, "draw what a recipe's augmentation makes of faces",
        recipe="TOML recipe", data=data, out="PNG to write",
    )  # fmt: skip
    made.add_argument("--faces", type=int, default=8, help="default: %(default)s")
    made.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    command(_nets, "list the nets by name with their sizes")
    command(
        _train, "train, or go on with a run that was cut short",
        recipe="TOML recipe", data=data, run=run,
    )  # fmt: skip
    made = command(
        _distill, "train a small net from others, or go on",
        recipe="TOML recipe with [distill]", data=data, run=run,
    )  # fmt: skip
    made.add_argument(
        "--teacher", action="append", required=True,
        help="run folder, .keras or .tflite; may be repeated",
    )  # fmt: skip
    _add_evaluate(command, data)
    made = command(
        _export, "write the int8 .tflite and its sidecar",
        data=data, out="path without ending, such as models/emotion",
    )  # fmt: skip
    made.add_argument("--run", help="run folder; its net is exported unless --model is given")
    made.add_argument("--model", help="another .keras file")
    made.add_argument("--recipe", help="recipe to use instead of the run's")
    made.add_argument("--prior-shift", type=float, help="instead of the recipe's: 0 to 1")
    made.add_argument("--remedy", metavar="WHEN", help="instead of the recipe's: auto, all or off")
    command(
        _shift, "add the recipe's class_shift to the logits of an exported .tflite",
        model="exported .tflite, its sidecar beside it", recipe="TOML recipe", data=data,
        out="path without ending",
    )  # fmt: skip
    command(
        _report, "write the model card, and a page and slides into the run folder",
        run=run, data=data, model="exported .tflite", card="Markdown file to write",
    )  # fmt: skip
    command(
        _golden, "write the numbers that Python and the daemon must both get from a model",
        model="exported .tflite", out="JSON to write",
    )  # fmt: skip
    return top


def main(arguments=None):
    """Run one command; returns the exit status: 0 done, 1 failed (argparse exits with 2)."""
    options = parser().parse_args(arguments)
    try:
        options.act(options)
    except (TrainingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
