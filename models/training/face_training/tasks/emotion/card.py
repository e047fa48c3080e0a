"""The emotion task's part of the model card, the page and the slides."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...recipe import Input, Recipe
from ..task import Net, Samples, Section, stack
from . import metrics, plots
from .evaluate import Answerer
from .faces import Faces, only

INTENDED_USE = """\
Tell which expression a face shows, for emotiond's display and messages: one {colour}
{width}x{height} picture of one face, cut as the sidecar's `crop` says. It names what taggers would
call the expression; it does not know what a person feels. Not for decisions about people: not for
hiring, schooling, policing, health or insurance, and not where the law forbids it (in the
EU, emotion recognition at work and in schools, Regulation 2024/1689, article 5)."""
MAJORITY = (
    "FER+'s majority rule (votes of 1 become 0; the top of the ten columns holds more than half"
    " of what is left and is an emotion; faces that nobody voted on by their own label)"
)
# A difference that chance makes more often than this is none.
SIGNIFICANT = 0.05


def percent(share: float) -> str:
    """Return a share as text."""
    return f"{100 * share:.1f} %"


def figures(
    net: Net, exact: Net | None, judged: Samples, plan: Recipe, temperature: float
) -> dict[str, Any]:
    """Return the figures of the sidecar, named by the split; without a float net, of the file alone."""
    labels = plan.tables["targets"].names
    truth = judged.goals["truth"]
    logits = only(net.outputs(_pixels(judged)))
    found = metrics.figures(logits, truth, labels, temperature)
    made = {
        "samples": found["samples"],
        "accuracy": found["accuracy"],
        "macro_f1": found["macro_f1"],
        "top2": found["top2"],
        "ece": found["ece"],
        "ece_uncalibrated": metrics.figures(logits, truth, labels)["ece"],
    }
    if exact is not None:
        float_answers = only(exact.outputs(_pixels(judged))).argmax(axis=1)
        made["float_accuracy"] = float((float_answers == truth).mean())
        made["int8_float_agreement"] = float((logits.argmax(axis=1) == float_answers).mean())
    name = plan.train.watch_split.lower()
    return {
        f"{name}_{key}": value if key == "samples" else round(value, 4)
        for key, value in made.items()
    }


def _pixels(judged: Samples) -> np.ndarray:
    return stack(judged.pictures)


def sections(
    net: Net,
    exact: Net,
    against: Path | None,
    judged: Samples,
    plan: Recipe,
    temperature: float,
) -> list[Section]:
    """Return what the card says of an exported net, judged on the watched split."""
    labels, truth = plan.tables["targets"].names, judged.goals["truth"]
    pixels = _pixels(judged)
    logits, float_logits = (only(one.outputs(pixels)) for one in (net, exact))
    found = metrics.figures(logits, truth, labels, temperature)
    before = metrics.figures(logits, truth, labels)
    whole = metrics.figures(float_logits, truth, labels)
    sure = metrics.softmax(logits, temperature)
    made = [
        Section("Intended use", _use(plan)),
        Section("Accuracy", _judged(plan, found), _accuracy(found, before, whole, temperature)),
    ]
    if against is not None:
        made.append(compared(logits, against, judged, plan))
    made += [
        Section(
            "Classes", _small(found), class_rows(found), plots.classes(found),
        ),
        Section("Confusion", "Rows: truth; columns: found.", _confusion_rows(found), plots.confusion(found)),
        Section(
            "Calibration",
            f"Probabilities are softmax(logits / {temperature:.4g}). Negative log likelihood on"
            f" {plan.train.watch_split}: {before['nll']:.4f} nats before, {found['nll']:.4f} after.",
            picture=plots.reliability(sure, truth, found["ece"]),
        ),
        Section(
            "Worst mistakes",
            private=plots.mistakes(pixels[..., 0], sure, truth, labels),
        ),
    ]  # fmt: skip
    return made


def _use(plan: Recipe) -> str:
    size = plan.input
    colour = "grey" if size.channels == 1 else "colour"
    return INTENDED_USE.format(colour=colour, width=size.width, height=size.height)


def _judged(plan: Recipe, found: Mapping[str, Any]) -> str:
    by_votes = plan.tables["targets"].judge == "majority"
    rule = MAJORITY if by_votes else "the data's own labels"
    return (
        f"{found['samples']:,} faces of {plan.train.watch_split}, judged by {rule}."
        " No test-time augmentation."
    )


def _accuracy(
    found: Mapping[str, Any], before: Mapping[str, Any], whole: Mapping[str, Any], heat: float
) -> list[list[str]]:
    f1 = f"macro F1 (classes with at least {metrics.LEAST_SUPPORT} faces)"
    ece = f"calibration error (ECE), {metrics.ECE_BINS} bins, temperature 1"
    hits = round(found["accuracy"] * found["samples"])
    low, high = metrics.interval(hits, found["samples"])
    return [
        ["figure", "int8 file", "float net"],
        ["accuracy", percent(found["accuracy"]), percent(whole["accuracy"])],
        ["its 95 % interval", f"{100 * low:.1f} to {100 * high:.1f} %", ""],
        [f1, percent(found["macro_f1"]), percent(whole["macro_f1"])],
        ["top 2", percent(found["top2"]), percent(whole["top2"])],
        [ece, percent(before["ece"]), percent(whole["ece"])],
        [f"the same, temperature {heat:.3f}", percent(found["ece"]), ""],
    ]


def class_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """Return the figures of each class, as rows of text; recall with its 95 % interval."""
    rows = [["class", "precision", "recall", "its interval", "F1", "faces"]]
    for label, row in found["per_class"].items():
        low, high = metrics.interval(round(row["recall"] * row["support"]), row["support"])
        rows.append(
            [
                label, percent(row["precision"]), percent(row["recall"]),
                f"{100 * low:.0f} to {100 * high:.0f} %", percent(row["f1"]), str(row["support"]),
            ]
        )  # fmt: skip
    return rows


def _small(found: Mapping[str, Any]) -> str:
    few = [
        f"{label} ({row['support']})"
        for label, row in found["per_class"].items()
        if row["support"] < metrics.LEAST_SUPPORT
    ]
    if not few:
        return ""
    return (
        f"Left out of macro F1, as it has fewer than {metrics.LEAST_SUPPORT} faces:"
        f" {', '.join(few)}. Its figures say little."
    )


def _confusion_rows(found: Mapping[str, Any]) -> list[list[str]]:
    labels, rows = found["confusion"]["labels"], found["confusion"]["rows"]
    body = [[label, *map(str, row)] for label, row in zip(labels, rows, strict=True)]
    return [["truth \\ found", *labels], *body]


def compared(logits: np.ndarray, against: Path, judged: Samples, plan: Recipe) -> Section:
    """Compare a net with another one on the same faces, among the labels that both know."""
    labels = plan.tables["targets"].names
    other = Answerer(against)
    theirs = other.known.labels or other.names(_outputs(other))
    names = [name for name in labels if name in theirs]
    mine = [labels.index(name) for name in names]
    place = np.full(len(labels), -1)
    place[mine] = np.arange(len(mine))
    truth = place[judged.goals["truth"]]
    used = truth >= 0
    height, width, channels = other.model.shape
    assert isinstance(judged.pictures, Faces)
    faces = [face for face, use in zip(judged.pictures.faces, used, strict=True) if use]
    answers = other.outputs(
        stack(Faces(faces, Input(width=width, height=height, channels=channels))), names
    )
    right = logits[used][:, mine].argmax(axis=1) == truth[used]
    others = answers.argmax(axis=1) == truth[used]
    one, two, chance = metrics.paired(right, others)
    better = "this net" if one > two else f"{against.stem}"
    verdict = f"{better} is better" if chance < SIGNIFICANT else "neither is better beyond chance"
    return Section(
        f"Compared with {against.stem}",
        f"The same {int(used.sum()):,} faces, among {', '.join(names)}. Only this net is right"
        f" about {one}, only the other about {two} (McNemar's exact test, p = {chance:.2g}): {verdict}.",
        [
            ["net", "accuracy"],
            [f"{plan.name} {plan.version}", percent(float(right.mean()))],
            [against.stem, percent(float(others.mean()))],
        ],
    )


def _outputs(model: Any) -> int:
    height, width, channels = model.model.shape
    (values,) = model.model.outputs(np.zeros((1, height, width, channels), np.uint8)).values()
    return int(values.shape[1])
