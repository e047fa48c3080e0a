"""Command line: python -m emotion_training prepare | train | evaluate | export | report."""

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
    from .dataset import prepare

    _say(json.dumps(prepare(options.fer2013, options.votes, options.out)))


def _train(options):
    from .train import train

    _say(train(options.recipe, options.data, options.run, say=_say))


def _evaluate(options):
    from . import dataset
    from .evaluate import evaluate

    split = dataset.split(options.data, options.split)
    found = evaluate(options.model, split, options.temperature)
    if options.json:
        _say(json.dumps(found))
        return
    for key in ("samples", "accuracy", "macro_f1", "top2", "ece", "nll", "temperature"):
        _say(f"{key}: {found[key]:.5g}")
    for label, row in found["per_class"].items():
        _say(f"{label}: " + ", ".join(f"{key} {value:.4g}" for key, value in row.items()))


def _export(options):
    from .export import export

    given = {key: getattr(options, key) for key in ("prior_shift", "remedy")}
    described = export(
        options.out, options.data, options.run, options.model, options.recipe,
        say=lambda text: print(text, file=sys.stderr, flush=True),
        **{key: value for key, value in given.items() if value is not None},
    )  # fmt: skip
    _say(json.dumps(described, indent=2))


def _report(options):
    from .report import report

    _say(report(options.run, options.data, options.model, options.card))


def parser():
    """Build the parser of the command line."""
    top = argparse.ArgumentParser(prog="emotion_training", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(act, text, **required):
        made = commands.add_parser(act.__name__[1:], help=text, description=text)
        made.set_defaults(act=act)
        for name, meaning in required.items():
            made.add_argument(f"--{name}", required=True, help=meaning)
        return made

    data, run = "folder made by prepare", "run folder"
    command(
        _prepare, "join FER2013 and FER+ into one file",
        fer2013="fer2013.csv, plain or .gz, .xz, .zip", votes="fer2013new.csv", out="folder to fill",
    )  # fmt: skip
    command(
        _train, "train, or go on with a run that was cut short",
        recipe="TOML recipe", data=data, run=run,
    )  # fmt: skip
    made = command(
        _evaluate, "figures of a model under FER+'s majority rule",
        model=".keras or .tflite", data=data,
    )  # fmt: skip
    made.add_argument("--split", default="PublicTest", help="default: %(default)s")
    made.add_argument("--temperature", type=float, help="default: the sidecar's, else 1")
    made.add_argument("--json", action="store_true", help="print one line of JSON")
    made = command(
        _export, "write the int8 .tflite and its sidecar",
        data=data, out="path without ending, such as models/emotion",
    )  # fmt: skip
    made.add_argument("--run", help="run folder; its net is exported unless --model is given")
    made.add_argument("--model", help="another .keras file")
    made.add_argument("--recipe", help="recipe to use instead of the run's")
    made.add_argument("--prior-shift", type=float, help="instead of the recipe's: 0 to 1")
    made.add_argument("--remedy", help="instead of the recipe's: auto, all or off")
    command(
        _report, "write the model card and its pictures",
        run=run, data=data, model="exported .tflite", card="Markdown file to write",
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
