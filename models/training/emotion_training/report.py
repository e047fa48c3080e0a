"""Write the model card (Markdown) and its pictures (PNG) from a run and its exported model."""

import csv
import json
from pathlib import Path

import keras

from . import dataset, metrics, nets, recipe, runs
from .errors import TrainingError
from .evaluate import evaluate
from .labels import EMOTIONS

INTENDED_USE = """\
Tell which of eight expressions a face shows, for emotiond's display and messages: one grey
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


def _class_table(found):
    lines = ["| class | precision | recall | F1 | faces |", "| --- | ---: | ---: | ---: | ---: |"]
    for label, row in found["per_class"].items():
        lines.append(
            f"| {label} | {_percent(row['precision'])} | {_percent(row['recall'])} |"
            f" {_percent(row['f1'])} | {row['support']} |"
        )
    return "\n".join(lines)


def _confusion_table(found):
    labels, rows = found["confusion"]["labels"], found["confusion"]["rows"]
    lines = ["| truth \\ found | " + " | ".join(labels) + " |", "| --- |" + " ---: |" * len(labels)]
    for label, row in zip(labels, rows, strict=True):
        lines.append(f"| {label} | " + " | ".join(map(str, row)) + " |")
    return "\n".join(lines)


def draw_curves(log, path):
    """Plot loss and watched accuracy over epochs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss")
    axes.plot([row["epoch"] for row in log], [row["loss"] for row in log], label="training loss")
    watched = [row for row in log if row["accuracy"] is not None]
    epochs = [row["epoch"] for row in watched]
    axes.plot(epochs, [row["watch_loss"] for row in watched], label="watched loss")
    other = axes.twinx()
    other.set_ylabel("accuracy")
    other.plot(epochs, [row["accuracy"] for row in watched], "k--", label="watched accuracy")
    figure.legend(loc="outside upper center", ncols=3)
    figure.savefig(path, dpi=100, metadata={"Software": None})


def draw_confusion(found, path):
    """Draw the confusion matrix, each row as shares of its true class."""
    from matplotlib.figure import Figure

    labels, rows = found["confusion"]["labels"], found["confusion"]["rows"]
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.add_subplot(xlabel="found", ylabel="truth")
    shares = [[cell / max(1, sum(row)) for cell in row] for row in rows]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    for down, row in enumerate(shares):
        for across, share in enumerate(row):
            colour = "white" if share > 0.5 else "black"
            axes.text(across, down, f"{share:.2f}", ha="center", va="center", color=colour)
    figure.savefig(path, dpi=100, metadata={"Software": None})


def _accuracy_section(split, found, exact, before):
    return f"""\
{found["samples"]} faces of {split} count under FER+'s majority rule (votes of 1 become 0; the top
of the ten columns holds more than half of what is left and is an emotion). No test-time
augmentation.

| figure | int8 file | float net |
| --- | ---: | ---: |
| accuracy | {_percent(found["accuracy"])} | {_percent(exact["accuracy"])} |
| macro F1 (classes with at least {metrics.LEAST_SUPPORT} faces) | {_percent(found["macro_f1"])} | {_percent(exact["macro_f1"])} |
| top 2 | {_percent(found["top2"])} | {_percent(exact["top2"])} |
| expected calibration error, {metrics.ECE_BINS} bins, temperature 1 | {_percent(before["ece"])} | {_percent(exact["ece"])} |
| the same with temperature {found["temperature"]:.3f} | {_percent(found["ece"])} | |

Per class, int8:

{_class_table(found)}

Confusion, int8 (rows: truth; columns: found):

{_confusion_table(found)}
"""


def _card(plan, described, size, net, log, figures, split, card):
    found, exact, before = figures
    minutes = sum(row["seconds"] for row in log) / 60
    work = f"{net.count_params():,} parameters, {nets.multiply_adds(net) / 1e6:.1f} M multiply-adds"
    return f"""\
# {plan.name} {plan.version}

{plan.description[0].upper()}{plan.description[1:]}.
Made by `recipes/{plan.name}.toml`; this card is written by `python -m emotion_training report`.

| | |
| --- | --- |
| licence | {described["licence"]} |
| size | {size:,} bytes, {work} a face |
| input | 48x48x1 int8, the grey value less 128 |
| output | {len(EMOTIONS)} int8 logits: {", ".join(EMOTIONS)} |
| training | {len(log)} epochs, {minutes:.0f} minutes |
| SHA-256 | `{described["sha256"]}` |

## Intended use

{INTENDED_USE}
## Data

{described["training_data"]}.
The pictures are not part of this project.
Targets are the votes without single ones, as shares of the eight emotions.

## Accuracy

{_accuracy_section(split, found, exact, before)}
![confusion]({card.with_suffix(".confusion.png").name})

## Calibration

Probabilities are softmax(logits / {found["temperature"]:.4g}). The temperature has the least negative
log likelihood on {split}'s int8 logits: {before["nll"]:.4f} nats before, {found["nll"]:.4f} after.

## Training

![curves]({card.with_suffix(".curves.png").name})

## Limits

{LIMITS}"""


def report(run, data, model, card):
    """Write `card` and, beside it, .curves.png and .confusion.png; returns the card's path.

    `model` is the exported .tflite of the run; its sidecar must lie beside it.
    """
    run, model, card = Path(run), Path(model), Path(card)
    plan = recipe.load(run / runs.RECIPE)
    sidecar = model.with_suffix(".json")
    try:
        described = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"unable to read the sidecar {sidecar}: {error}") from error
    name = plan.export.temperature_split
    split = dataset.split(data, name)
    found, before = evaluate(model, split), evaluate(model, split, temperature=1.0)
    exact = evaluate(run / runs.MODEL, split, temperature=1.0)
    net = keras.saving.load_model(run / runs.MODEL, compile=False)
    log = read_log(run)
    card.parent.mkdir(parents=True, exist_ok=True)
    draw_curves(log, card.with_suffix(".curves.png"))
    draw_confusion(found, card.with_suffix(".confusion.png"))
    text = _card(
        plan, described, model.stat().st_size, net, log, (found, exact, before), name, card
    )
    runs.write_whole(card, lambda part: part.write_text(text, encoding="utf-8"))
    return card
