"""The report as one HTML page that needs no other file."""

import base64
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..tasks.task import Section

if TYPE_CHECKING:
    from .report import Findings

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a202c; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #cbd5e0; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { padding: .25rem .8rem; border-bottom: 1px solid #e2e8f0; text-align: left; }
td + td, th + th { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; height: auto; }
pre { background: #f7fafc; padding: 1rem; overflow-x: auto; font-size: 13px; }
.private { background: #fffaf0; border-left: 4px solid #c05621; padding: .5rem 1rem; }
"""


def _table(rows: Sequence[Sequence[str]], heads: bool = True) -> str:
    lines = []
    for number, row in enumerate(rows):
        kind = "th" if heads and number == 0 else "td"
        cells = "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _picture(png: bytes, text: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{html.escape(text)}" src="data:image/png;base64,{data}">'


def _section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    if section.text:
        text = html.escape(section.text)
        tag = "pre" if text.startswith("- ") else "p"
        parts.append(f"<{tag}>{text}</{tag}>")
    if section.picture:
        parts.append(_picture(section.picture, section.title))
    if section.table:
        parts.append(_table(section.table))
    if section.private:
        parts.append(
            '<p class="private">For local eyes only: these are pictures of people from the training'
            " data, whose terms do not allow to pass them on. Do not publish this page with them."
            f"</p>\n{_picture(section.private, section.title)}"
        )
    return "\n".join(parts)


def page(findings: "Findings") -> str:
    """Return the HTML text of a report.Findings."""
    title = html.escape(f"{findings.plan.name} {findings.plan.version}")
    versions = [["package", "version"], *([*pair] for pair in findings.versions.items())]
    shown = [
        one for one in findings.sections if one.text or one.table or one.picture or one.private
    ]
    sections = "\n".join(_section(section) for section in shown)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<p>{html.escape(findings.plan.description)}</p>
{_table(findings.size_rows(), heads=False)}
{sections}
<h2>Recipe</h2>
<pre>{html.escape(findings.recipe_text)}</pre>
<h2>Versions</h2>
{_table(versions)}
</body>
</html>
"""
