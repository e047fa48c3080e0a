"""Write the model card (Markdown), a page (HTML) and slides of a run and its exported model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import recipe
from ..files import write_bytes, write_text, write_whole
from ..nets import builders
from ..nets.models import KerasModel, load_keras
from ..nets.tflite import TfliteModel
from ..recipe import Recipe
from ..tasks.task import Section
from ..training import runs
from . import drawing, slides
from . import page as pages


@dataclass(frozen=True)
class Findings:
    """All that the card, the page and the slides say of a run and its exported model."""

    plan: Recipe
    recipe_text: str
    described: Mapping[str, Any]  # the sidecar
    versions: Mapping[str, str]
    log: Sequence[Mapping[str, float | None]]
    size: int  # bytes of the .tflite
    parameters: int
    multiply_adds: int
    sections: Sequence[Section]

    def effort(self) -> str:
        """How long the run trained, and from what it started."""
        minutes = sum(row["seconds"] or 0.0 for row in self.log) / 60
        text = f"{len(self.log)} epochs, {minutes:.0f} minutes"
        weights = self.plan.net.get("weights", "none")
        named = weights["model"] if isinstance(weights, dict) else weights
        if named == "none":
            return text
        path = Path(named)
        return f"{text}, from the weights of {path.parent.name if path.name == runs.MODEL else path.stem}"

    def size_rows(self) -> list[list[str]]:
        """What the net costs, as rows of text."""
        size = self.plan.input
        return [
            ["licence", str(self.described["licence"])],
            ["net", self.plan.net["name"]],
            ["parameters", f"{self.parameters:,}"],
            ["multiply-adds a picture", f"{self.multiply_adds / 1e6:.1f} M"],
            ["input", f"{size.width}x{size.height}x{size.channels} int8, the value less 128"],
            ["size of the int8 file", f"{self.size:,} bytes"],
            ["ranges set by", str(self.described["calibration"])],
            ["training", self.effort()],
            ["SHA-256", f"`{self.described['sha256']}`"],
        ]


def data_section(plan: Recipe, data: Path, taught_by: Sequence[Mapping[str, Any]]) -> Section:
    """Return what is said of the pictures and of who else taught the net."""
    lines = [f"Pictures: {plan.card.training_data or 'not stated'}."]
    lines.append(f"Terms: {plan.card.terms or 'not stated'}.")
    lines.append("The pictures are not part of this file.")
    rows = [["source", "pictures", "people"]]
    counted = data / "prepared.json"
    if counted.exists():
        told = json.loads(counted.read_text(encoding="utf-8"))
        rows += [
            [one["name"], f"{one['rows']:,}", one["people"]] for one in told.get("sources", [])
        ]
    if taught_by:
        lines.append(f"Taught by {', '.join(one['name'] for one in taught_by)}.")
    return Section("Data", "\n".join(lines), rows if len(rows) > 1 else ())


def limits(plan: Recipe, data: Path, taught_by: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return where the net is not to be relied on: what the recipe says, and what the run shows."""
    found = list(plan.card.limits)
    watched = plan.train.watch_split
    counted = data / "prepared.json"
    told = json.loads(counted.read_text(encoding="utf-8")) if counted.exists() else {}
    if "leaked" in told:
        repeats = told["leaked"] + told["near"]
        if told["keep_leaked"] and repeats:
            found.append(
                f"{repeats:,} training pictures are also in another split, or nearly, and were kept:"
                f" figures on {watched} lean to the good side."
            )
        elif not told["keep_leaked"]:
            found.append(
                f"Training pictures that repeat another split's were left out ({repeats:,})."
            )
    shared = [one for one in told.get("sources", []) if one.get("people_in_two_splits")]
    for one in shared:
        found.append(
            f"{one['people_in_two_splits']} people of {one['name']} are learnt from and judged by."
        )
    unknown = [one["name"] for one in told.get("sources", []) if one.get("people") == "not known"]
    if unknown:
        found.append(
            f"Who is on the pictures of {', '.join(unknown)} is not known: the same person may be"
            " learnt from and judged by."
        )
    mine = runs.fingerprint(data)
    foreign = [one["name"] for one in taught_by if one.get("data") != mine]
    if foreign:
        found.append(
            f"{', '.join(foreign)} learnt from other data than this run, or it is not known from"
            f" which: what they saw of {watched} is in what they taught."
        )
    found.append(
        f"{watched} was watched while training; where it also chose the recipe or fitted the"
        " temperature, its figures lean to the good side."
    )
    return found


def gather(run: Path, data: Path, model: Path, against: Path | None) -> Findings:
    """Judge the exported .tflite of a run, and its float net, on the watched split."""
    plan = recipe.load(run / runs.RECIPE)
    described = runs.read_json(model.with_suffix(".json"), "sidecar")
    log = runs.read_log(run)
    net = load_keras(run / runs.MODEL)
    parameters, work = net.count_params(), builders.multiply_adds(net)
    plan.task.finish(net, data, plan)
    exact = KerasModel(net, run / runs.MODEL, plan.input)
    taught_by = described.get("taught_by", [])
    parts = [
        *plan.task.sections(TfliteModel(model, plan.input), exact, against, data, plan),
        data_section(plan, data, taught_by),
        Section("Training", picture=drawing.curves(log, plan.task.columns)),
        Section("Limits", "\n".join(f"- {one}" for one in limits(plan, data, taught_by))),
    ]
    return Findings(
        plan=plan,
        recipe_text=(run / runs.TEXT).read_text(encoding="utf-8"),
        described=described,
        versions=runs.read_json(run / runs.VERSIONS, "versions"),
        log=log,
        size=model.stat().st_size,
        parameters=parameters,
        multiply_adds=work,
        sections=parts,
    )


def markdown(rows: Sequence[Sequence[str]], heads: bool = True) -> str:
    """Return rows of text as a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    rule = "| --- |" + " ---: |" * (len(rows[0]) - 1)
    if not heads:
        return "\n".join(
            ["|" + " |" * len(rows[0]), "| --- |" + " --- |" * (len(rows[0]) - 1), *lines]
        )
    return "\n".join([lines[0], rule, *lines[1:]])


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def _card(findings: Findings, card: Path) -> str:
    plan = findings.plan
    parts = [
        f"# {plan.name} {plan.version}",
        f"{plan.description[:1].upper()}{plan.description[1:]}.\n"
        f"Made by the recipe `{plan.name}`; this card is written by `python -m face_training report`.",
        markdown(findings.size_rows(), heads=False),
    ]
    for section in findings.sections:
        if not (section.text or section.table or section.picture):
            continue
        parts.append(f"## {section.title}")
        if section.text:
            parts.append(section.text)
        if section.table:
            parts.append(markdown(section.table))
        if section.picture:
            parts.append(f"![{_slug(section.title)}]({_picture_path(card, section).name})")
    return "\n\n".join(parts) + "\n"


def _picture_path(card: Path, section: Section) -> Path:
    return card.with_suffix(f".{_slug(section.title)}.png")


def report(
    run: Path, data: Path, model: Path, card: Path, against: Path | None = None
) -> tuple[Path, ...]:
    """Write the card with its pictures beside it; page and slides into the run.

    `model` is the exported .tflite of the run; its sidecar must lie beside it. `against` is a model
    to compare with on the same pictures. Returns the paths of the card, the page and the slides.
    """
    findings = gather(run, data, model, against)
    card.parent.mkdir(parents=True, exist_ok=True)
    for section in findings.sections:
        if section.picture:
            path, content = _picture_path(card, section), section.picture
            write_bytes(path, content)
    write_text(card, _card(findings, card))
    page, deck = run / runs.PAGE, run / runs.SLIDES
    write_text(page, pages.page(findings))
    write_whole(deck, lambda part: slides.write(findings, part))
    return card, page, deck
