"""The report as one HTML page that needs no other file."""

import base64
import html

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


def _table(rows):
    head, *body = rows
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = [f"<tr>{cells}</tr>"]
    for row in body:
        lines.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _picture(png, text):
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{html.escape(text)}" src="data:image/png;base64,{data}">'


def page(findings):
    """Return the HTML text of a report.Findings."""
    plots = {name: _picture(png, name) for name, png in findings.plots.items()}
    title = html.escape(f"{findings.plan.name} {findings.plan.version}")
    if findings.mistakes:
        mistakes = (
            '<p class="private">For local eyes only: these are pictures of people from the training'
            " data, whose terms do not allow to pass them on. Do not publish this page with them."
            f"</p>\n{_picture(findings.mistakes, 'worst mistakes')}"
        )
    else:
        mistakes = "<p>None: every answer is right.</p>"
    versions = [["package", "version"], *(list(pair) for pair in findings.versions.items())]
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
<h2>Figures</h2>
<p>{html.escape(findings.judged)}</p>
{_table(findings.accuracy_rows())}
{_table(findings.size_rows())}
<h2>Classes</h2>
{plots["classes"]}
{_table(findings.class_rows())}
<h2>Confusion</h2>
{plots["confusion"]}
<h2>Calibration</h2>
<p>How often an answer is right, by how sure the net is, with the sidecar's temperature.</p>
{plots["reliability"]}
<h2>Training</h2>
{plots["curves"]}
<h2>Worst mistakes</h2>
{mistakes}
<h2>Recipe</h2>
<pre>{html.escape(findings.recipe_text)}</pre>
<h2>Versions</h2>
{_table(versions)}
</body>
</html>
"""
