"""Command line: python -m face_training prepare | scenes | faces | augment | train | evaluate | …"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# TensorFlow reads this when it is imported, so it is set before any of our modules is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from .errors import TrainingError  # noqa: E402
from .quiet import import_tensorflow  # noqa: E402

Options = argparse.Namespace


def _say(text: object) -> None:
    print(text, flush=True)


def _progress(text: object) -> None:
    print(text, file=sys.stderr, flush=True)


def _prepare(options: Options) -> None:
    from .tasks.emotion.prepare import prepare

    _say(prepare(options))


def _scenes(options: Options) -> None:
    from .tasks.detector.scenes import prepare

    for name, count in prepare(options.source, options.out).items():
        _say(f"{name}: {count}")


def _faces(options: Options) -> None:
    from .tasks.points.faces import prepare

    for name, count in prepare(options.meshes, options.out).items():
        _say(f"{name}: {count} faces")


def _train(options: Options) -> None:
    from .training.trainer import train

    _say(train(options.recipe, options.data, options.run, say=_say))


def _chain(options: Options) -> None:
    from .training.chain import chain

    chain(options.recipe, options.data, options.runs, say=_say)


def _folds(options: Options) -> None:
    from .tasks.emotion import folds

    labels = tuple(label.strip() for label in options.labels.split(",")) if options.labels else ()
    how = folds.How(options.source, options.folds, options.seed, labels, options.against)
    _say(folds.table(folds.folds(options.recipe, options.data, options.runs, how, say=_say)))


def _augment(options: Options) -> None:
    from .report.preview import preview

    _say(preview(options.recipe, options.data, options.out, options.pictures, options.seed))


def _nets(_options: Options) -> None:
    from .report.preview import nets_table

    _say(nets_table())


def _evaluate(options: Options) -> None:
    from .tasks.emotion import dataset
    from .tasks.emotion.evaluate import evaluate

    rows = dataset.split(options.data, options.split)
    labels = [label.strip() for label in options.labels.split(",")] if options.labels else None
    found = evaluate(
        options.model, rows, options.temperature, options.judge, labels, options.mean,
        options.against,
    )  # fmt: skip
    if options.json:
        _say(json.dumps(found))
        return
    for key in ("samples", "accuracy", "macro_f1", "top2", "ece", "nll"):
        _say(f"{key}: {found[key]:.5g}")
    _say(f"temperature: {found['temperature']}, right by {found['judge']}")
    for label, row in found["per_class"].items():
        _say(f"{label}: " + ", ".join(f"{key} {value:.4g}" for key, value in row.items()))
    if options.against:
        other = found["against"]
        _say(
            f"against {options.against}: accuracy {other['accuracy']:.5g}, only this right"
            f" {other['only_this_right']}, only the other {other['only_other_right']},"
            f" McNemar's exact test p = {other['p']:.2g}"
        )


def _judge(options: Options) -> None:
    from . import recipe
    from .nets.models import load_model

    plan = recipe.load(options.recipe)
    net = load_model(options.model, plan.input)
    found = plan.task.judge(net, plan.task.to_judge(options.data, options.split, plan), plan)
    _say(json.dumps({"samples": found.samples, "primary": found.primary, **found.values}))


def _export(options: Options) -> None:
    from .export.export import export

    given = {} if options.remedy is None else {"remedy": options.remedy}
    described = export(
        options.out, options.data, options.run, options.model, options.recipe, options.float,
        _progress, **given,
    )  # fmt: skip
    _say(json.dumps(described, indent=2))


def _shift(options: Options) -> None:
    from .tasks.emotion.shift import shift

    shift(options.model, options.recipe, options.data, options.out, say=_say)


def _report(options: Options) -> None:
    from .report.report import report

    for path in report(options.run, options.data, options.model, options.card, options.against):
        _say(path)


def _golden(options: Options) -> None:
    from .export.golden import write

    _say(write(options.model, options.out))


def _restore(options: Options) -> None:
    from .export.restore import restore

    _say(restore(options.model, options.recipe, options.data, options.out))


def _calibrate(options: Options) -> None:
    from .tasks.emotion.tune import calibrate

    calibrate(options.model, options.pictures, options.out, _how(options), say=_say)


def _tune(options: Options) -> None:
    from .tasks.emotion.tune import tune

    tune(options.model, options.pictures, options.out, _how(options), say=_say)


def _how(options: Options) -> Any:
    from .tasks.emotion import crops, folders

    return folders.How(are_faces=options.crops, tool=crops.Tool(options.emotiond))


# Commands that do without TensorFlow.
_LIGHT = (_prepare, _calibrate, _tune)


def _add_evaluate(command: Callable[..., Any], data: str) -> None:
    made = command(_evaluate, "figures of an emotion model, or of several as one", data=data)
    made.add_argument(
        "--model", action="append", required=True, type=Path,
        help="run folder, .keras, .tflite or .onnx; may be repeated",
    )  # fmt: skip
    made.add_argument("--split", default="PublicTest", help="default: %(default)s")
    made.add_argument(
        "--judge", choices=("majority", "label"),
        help="what is right: FER+'s majority rule, or the data's own label;"
        " default: as the model's sidecar or recipe says, else majority where there are votes",
    )  # fmt: skip
    made.add_argument("--labels", help="happy,sad,…: only these faces and answers")
    made.add_argument(
        "--mean", choices=("log-probabilities", "probabilities"), default="log-probabilities",
        help="how several models' answers become one; default: %(default)s",
    )  # fmt: skip
    made.add_argument("--temperature", type=float, help="default: the sidecar's, else 1")
    made.add_argument("--against", type=Path, help="model to compare with on the same faces")
    made.add_argument("--json", action="store_true", help="print one line of JSON")


def _add_making(command: Callable[..., Any], data: str, run: str) -> None:
    made = command(
        _export, "write the int8 .tflite and its sidecar",
        data=data, run=run, out="path without ending, such as models/emotion",
    )  # fmt: skip
    made.add_argument("--model", type=Path, help="another .keras file than the run's")
    made.add_argument("--recipe", type=Path, help="recipe to use instead of the run's")
    made.add_argument("--float", type=Path, help=".keras file to keep the float net in, too")
    made.add_argument("--remedy", metavar="WHEN", help="instead of the recipe's: auto, all or off")
    command(
        _shift, "add the recipe's class_shift to the logits of an exported .tflite",
        model="exported .tflite, its sidecar beside it", recipe="TOML recipe", data=data,
        out="path without ending",
    )  # fmt: skip
    made = command(
        _report, "write the model card, and a page and slides into the run folder",
        run=run, data=data, model="exported .tflite", card="Markdown file to write",
    )  # fmt: skip
    made.add_argument("--against", type=Path, help="model to compare with on the same pictures")
    command(
        _golden, "write the numbers that Python and the daemon must both get from a model",
        model="exported .tflite", out="JSON to write",
    )  # fmt: skip

    command(
        _restore, "make the float net of an exported .tflite again, to train on from",
        model="exported .tflite", recipe="its recipe", data=data, out=".keras file to write",
    )  # fmt: skip


def _add_fitting(command: Callable[..., Any]) -> None:
    for act, text in (
        (_calibrate, "fit how sure an exported model is, and its classes' biases, to own pictures"),
        (_tune, "teach the last layer of an exported model own pictures, without TensorFlow"),
    ):
        made = command(
            act, text, model="exported .tflite, its sidecar beside it",
            pictures="folder of class folders, or CSV with image and emotion",
            out="path without ending",
        )  # fmt: skip
        made.add_argument("--crops", action="store_true", help="pictures are faces already")
        made.add_argument("--emotiond", help="program that cuts photos; default: EMOTIOND_BIN, …")


def parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    from .tasks.emotion.prepare import add_arguments

    top = argparse.ArgumentParser(prog="face_training", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(act: Callable[[Options], None], text: str, **required: str) -> Any:
        made = commands.add_parser(act.__name__[1:], help=text, description=text)
        made.set_defaults(act=act)
        for name, meaning in required.items():
            made.add_argument(f"--{name}", required=True, type=Path, help=meaning)
        return made

    data, run = "folder made by prepare", "run folder"
    add_arguments(
        command(
            _prepare,
            "read, check and join the faces of all sources into one folder",
            out="folder to fill",
        )  # fmt: skip
    )
    command(
        _scenes, "decode pictures with marked faces, from which detectors learn",
        source="folder with images/, pictures.csv and faces.csv", out="folder to fill",
    )  # fmt: skip
    command(
        _faces, "cut faces that have a mesh, from which points nets learn",
        meshes="file made by tasks/points/mesh.py", out="folder filled by scenes",
    )  # fmt: skip
    made = command(
        _augment, "draw what a recipe's augmentation makes of pictures",
        recipe="TOML recipe", data=data, out="PNG to write",
    )  # fmt: skip
    made.add_argument("--pictures", type=int, default=8, help="default: %(default)s")
    made.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    command(_nets, "list the nets by name with their sizes")
    command(
        _train, "train, or go on with a run that was cut short",
        recipe="TOML recipe", data=data, run=run,
    )  # fmt: skip
    command(
        _chain, "train all that a recipe starts from and learns from, then the recipe itself",
        recipe="TOML recipe", data=data, runs="folder of the runs",
    )  # fmt: skip
    made = command(
        _folds, "judge a recipe on people of a source that it learns from, in folds",
        recipe="TOML recipe", data=data, runs="folder of the runs",
    )  # fmt: skip
    made.add_argument("--source", required=True, help="data set: the name of its folder")
    made.add_argument("--folds", type=int, default=5, help="default: %(default)s")
    made.add_argument("--seed", type=int, default=1, help="of the folds; default: %(default)s")
    made.add_argument("--labels", help="happy,sad,…: only these faces and answers")
    made.add_argument("--against", type=Path, help="model to compare with on the same faces")
    _add_evaluate(command, data)
    made = command(
        _judge, "figures of a model of any task, on one line of JSON",
        model=".keras or .tflite", recipe="TOML recipe, or a run's recipe.json", data=data,
    )  # fmt: skip
    made.add_argument("--split", default="PublicTest", help="default: %(default)s")
    _add_making(command, data, run)
    _add_fitting(command)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed (argparse exits with 2)."""
    options = parser().parse_args(arguments)
    # Of Keras and NumPy about each other, and of Keras about containers without weights.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.filterwarnings("ignore", "Skipping nested container", UserWarning)
    try:
        if options.act not in _LIGHT:
            import_tensorflow()
        options.act(options)
    except (TrainingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
