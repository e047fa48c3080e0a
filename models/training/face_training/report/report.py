"""Write the model card (Markdown), a page (HTML) and slides of a run and its exported model."""

import csv
import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import recipe
from ..errors import TrainingError
from ..files import write_text, write_whole
from ..nets import builders as nets
from ..nets.models import load_keras
from ..tasks.emotion import dataset, metrics
from ..tasks.emotion.evaluate import Ensemble, evaluate
from ..training import runs
from . import page as pages
from . import plots, slides

INTENDED_USE = """\
Tell which expression a face shows, for emotiond's display and messages: one grey
48x48 picture of one face, cut as the sidecar's `crop` says. It names what taggers would call
the expression; it does not know what a person feels. Not for decisions about people: not for
hiring, schooling, policing, health or insurance, and not where the law forbids it (in the
EU, emotion recognition at work and in schools, Regulation 2024/1689, article 5).
"""
LIMITS = """\
- The faces are search-engine results of about 2013: many posed, many actors, ages, skin tones
  and regions unevenly present, and no figures by group, because the data names none.
- Ten taggers a face disagree often. Rare classes are learnt from few faces; read their rows
  above before relying on them.
- Frontal, 48x48. Strong turns of the head, masks, hands before the face and faces below about
  40 pixels are out of its range.
- The split that these figures come from also chose the recipe and fitted the temperature, so
  they lean to the good side. Training pictures that repeat one of that split were left out.
"""


def read_log(run):
    """Return the run's log: a list of {column: float, or None where empty}."""
    path = Path(run) / runs.LOG
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [
                {key: float(value) if value else None for key, value in row.items()}
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to read the log {path}: {error}") from error


def _percent(value):
    return f"{100 * value:.1f} %"


@dataclass(frozen=True)
class Findings:
    """All that the card, the page and the slides say of a run and its exported model."""

    plan: recipe.Recipe
    recipe_text: str
    described: dict  # the sidecar
    versions: dict
    log: list
    size: int  # bytes of the .tflite
    parameters: int
    multiply_adds: int
    split: str
    found: dict  # metrics.figures of the int8 file, and the two below
    before: dict  # with temperature 1
    exact: dict  # of the float net
    plots: dict = field(repr=False)  # PNG by name
    mistakes: bytes | None = field(repr=False)  # PNG with faces: not to be passed on

    @property
    def judged(self):
        """Which faces were judged, and how."""
        rule = "the data's own labels"
        if self.plan.targets.judge == "majority":
            rule = (
                "FER+'s majority rule (votes of 1 become 0; the top of the ten columns holds more"
                " than half of what is left and is an emotion)"
            )
        faces = self.found["samples"]
        return f"{faces:,} faces of {self.split}, judged by {rule}. No test-time augmentation."

    def accuracy_rows(self):
        """Int8 beside float, as rows of text."""
        found, exact, before = self.found, self.exact, self.before
        f1 = f"macro F1 (classes with at least {metrics.LEAST_SUPPORT} faces)"
        ece = f"calibration error (ECE), {metrics.ECE_BINS} bins, temperature 1"
        return [
            ["figure", "int8 file", "float net"],
            ["accuracy", _percent(found["accuracy"]), _percent(exact["accuracy"])],
            [f1, _percent(found["macro_f1"]), _percent(exact["macro_f1"])],
            ["top 2", _percent(found["top2"]), _percent(exact["top2"])],
            [ece, _percent(before["ece"]), _percent(exact["ece"])],
            [f"the same, temperature {found['temperature']:.3f}", _percent(found["ece"]), ""],
        ]

    def effort(self):
        """How long the run trained, and from what it started."""
        minutes = sum(row["seconds"] for row in self.log) / 60
        text = f"{len(self.log)} epochs, {minutes:.0f} minutes"
        weights = self.plan.net.get("weights", "none")
        if weights.endswith(".keras"):
            # A run's net is named by its folder.
            return f"{text}, from the weights of {Path(weights).parent.name}"
        return text

    def size_rows(self):
        """What the net costs, as rows of text."""
        return [
            ["net", self.plan.net["name"]],
            ["parameters", f"{self.parameters:,}"],
            ["multiply-adds a face", f"{self.multiply_adds / 1e6:.1f} M"],
            ["size of the int8 file", f"{self.size:,} bytes"],
            ["training", self.effort()],
        ]

    def class_rows(self):
        """Figures of each class, as rows of text."""
        rows = [["class", "precision", "recall", "F1", "faces"]]
        for label, row in self.found["per_class"].items():
            shares = [_percent(row[key]) for key in ("precision", "recall", "f1")]
            rows.append([label, *shares, str(row["support"])])
        return rows


def _markdown(rows):
    head, *body = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([head, "| --- |" + " ---: |" * (len(rows[0]) - 1), *body])


def _confusion_rows(found):
    labels, rows = found["confusion"]["labels"], found["confusion"]["rows"]
    body = [[label, *map(str, row)] for label, row in zip(labels, rows, strict=True)]
    return [["truth \\ found", *labels], *body]


def _card(findings, card):
    plan, described, found = findings.plan, findings.described, findings.found
    work = f"{findings.parameters:,} parameters, {findings.multiply_adds / 1e6:.1f} M multiply-adds"
    labels = described["labels"]
    return f"""\
# {plan.name} {plan.version}

{plan.description[:1].upper()}{plan.description[1:]}.
Made by `recipes/{plan.name}.toml`; this card is written by `python -m face_training report`.

| | |
| --- | --- |
| licence | {described["licence"]} |
| size | {findings.size:,} bytes, {work} a face |
| input | 48x48x1 int8, the grey value less 128 |
| output | {len(labels)} int8 logits: {", ".join(labels)} |
| training | {findings.effort()} |
| SHA-256 | `{described["sha256"]}` |

## Intended use

{INTENDED_USE}
## Data

{described["training_data"]}.
The pictures are not part of this project.

## Accuracy

{findings.judged}

{_markdown(findings.accuracy_rows())}

Per class, int8:

{_markdown(findings.class_rows())}

Confusion, int8 (rows: truth; columns: found):

{_markdown(_confusion_rows(found))}

![confusion]({card.with_suffix(".confusion.png").name})

## Calibration

Probabilities are softmax(logits / {found["temperature"]:.4g}). The temperature is fitted on the int8
logits of {plan.export.temperature_split}. Negative log likelihood on {findings.split}: {findings.before["nll"]:.4f} nats before, {found["nll"]:.4f} after.

## Training

![curves]({card.with_suffix(".curves.png").name})

## Limits

{LIMITS}"""


def _read_json(path, what):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to read the {what} {path}: {error}") from error


def gather(run, data, model):
    """Judge the exported .tflite of a run, and its float net, on the watched split."""
    run, model = Path(run), Path(model)
    plan = recipe.load(run / runs.RECIPE)
    described = _read_json(model.with_suffix(".json"), "sidecar")
    log = read_log(run)
    split = dataset.split(data, plan.train.watch_split)
    judge = plan.targets.judge
    found = evaluate(model, split, judge=judge)
    net = load_keras(run / runs.MODEL)
    ensemble = Ensemble([model])
    pixels, truth = split.judged(dataclasses.replace(plan.targets, labels=ensemble.labels))
    sure = np.exp(ensemble.logits(pixels))
    return Findings(
        plan=plan,
        recipe_text=(run / runs.RECIPE).read_text(encoding="utf-8"),
        described=described,
        versions=_read_json(run / runs.VERSIONS, "versions"),
        log=log,
        size=model.stat().st_size,
        parameters=net.count_params(),
        multiply_adds=nets.multiply_adds(net),
        split=plan.train.watch_split,
        found=found,
        before=evaluate(model, split, temperature=1.0, judge=judge),
        exact=evaluate(run / runs.MODEL, split, temperature=1.0, judge=judge),
        plots={
            "curves": plots.curves(log),
            "confusion": plots.confusion(found),
            "classes": plots.classes(found),
            "reliability": plots.reliability(sure, truth, found["ece"]),
        },
        mistakes=plots.mistakes(pixels, sure, truth, ensemble.labels),
    )


def report(run, data, model, card):
    """Write the card and, beside it, .curves.png and .confusion.png; page and slides into the run.

    `model` is the exported .tflite of the run; its sidecar must lie beside it. Returns the
    paths of the card, the page and the slides.
    """
    findings, card = gather(run, data, model), Path(card)
    card.parent.mkdir(parents=True, exist_ok=True)
    for name in ("curves", "confusion"):
        card.with_suffix(f".{name}.png").write_bytes(findings.plots[name])
    write_text(card, _card(findings, card))
    page, deck = Path(run) / runs.PAGE, Path(run) / runs.SLIDES
    write_text(page, pages.page(findings))
    write_whole(deck, lambda part: slides.write(findings, part))
    return card, page, deck
