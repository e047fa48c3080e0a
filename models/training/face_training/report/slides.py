"""The report as a short slide deck with the page's figures, without faces."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pptx import Presentation
from pptx.enum.text import PP_ALIGN
from pptx.util import Inches, Pt

if TYPE_CHECKING:
    from .report import Findings

_WIDTH, _HEIGHT = 13.333, 7.5  # inches: 16 to 9
_ROWS = 8
_TITLE_ONLY = 5  # layout of python-pptx's own template


def _slide(deck: Any, title: str) -> Any:
    slide = deck.slides.add_slide(deck.slide_layouts[_TITLE_ONLY])
    shape = slide.shapes.title
    shape.left, shape.top, shape.width, shape.height = map(Inches, (0.6, 0.3, _WIDTH - 1.2, 0.9))
    shape.text_frame.text = title
    shape.text_frame.paragraphs[0].font.size = Pt(34)
    shape.text_frame.paragraphs[0].alignment = PP_ALIGN.LEFT
    return slide


def _text(slide: Any, text: str, top: float, size: int = 18) -> None:
    box = slide.shapes.add_textbox(Inches(0.6), Inches(top), Inches(_WIDTH - 1.2), Inches(0.9))
    box.text_frame.word_wrap = True
    box.text_frame.text = text
    box.text_frame.paragraphs[0].font.size = Pt(size)


def _table(
    slide: Any, rows: Sequence[Sequence[str]], left: float, top: float, width: float
) -> None:
    shape = slide.shapes.add_table(
        len(rows), len(rows[0]), Inches(left), Inches(top), Inches(width), Inches(0.55 * len(rows))
    )
    shape.table.columns[0].width = Inches(width * 0.5)
    for column in list(shape.table.columns)[1:]:
        column.width = Inches(width * 0.5 / (len(rows[0]) - 1))
    for down, row in enumerate(rows):
        for across, cell in enumerate(row):
            frame = shape.table.cell(down, across).text_frame
            frame.text = cell
            frame.paragraphs[0].font.size = Pt(18)


def _picture(slide: Any, png: bytes) -> None:
    """Put a picture below the title, as large as fits, in the middle."""
    picture = slide.shapes.add_picture(io.BytesIO(png), 0, 0)
    room = Inches(_WIDTH - 1.2), Inches(_HEIGHT - 1.7)
    factor = min(room[0] / picture.width, room[1] / picture.height)
    picture.width, picture.height = int(picture.width * factor), int(picture.height * factor)
    picture.left = (Inches(_WIDTH) - picture.width) // 2
    picture.top = Inches(1.4) + (room[1] - picture.height) // 2


def write(findings: "Findings", path: Path) -> None:
    """Write the .pptx of a report.Findings: a slide for each table and for each picture."""
    deck = Presentation()
    deck.slide_width, deck.slide_height = Inches(_WIDTH), Inches(_HEIGHT)
    slide = _slide(deck, f"{findings.plan.name} {findings.plan.version}")
    _text(slide, findings.plan.description, 1.2)
    _table(slide, findings.size_rows()[:-1], 0.6, 2.1, 8.5)
    for section in findings.sections:
        if section.picture:
            _picture(_slide(deck, section.title), section.picture)
        elif section.table:
            slide = _slide(deck, section.title)
            _text(slide, section.text, 1.2)
            _table(slide, section.table[:_ROWS], 0.6, 2.6, 12.1)
    deck.save(path)
