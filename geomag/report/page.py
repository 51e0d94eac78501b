"""One HTML page: our tables, the paper's, what we know to be wrong with them, and pictures."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from geomag.report.grid import Grid, html_table

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem 2rem; }
nav a { margin-right: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
tr.strong { font-weight: 700; background: var(--soft); }
details { margin: .5rem 0 2rem; }
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; }
.note { background: var(--soft); border-left: 4px solid #d80; padding: .6rem 1rem; }
"""


def section(
    anchor: str, title: str, ours: Sequence[Grid], printed: Sequence[Grid], errata: Sequence[str]
) -> str:
    """One table of the paper: ours first, the paper's and its errata folded below."""
    parts = [f'<section id="{html.escape(anchor)}"><h2>{html.escape(title)}</h2>']
    parts += [html_table(grid) for grid in ours] or ["<p>Not measured yet.</p>"]
    if printed:
        parts.append("<details><summary>As printed in the paper</summary>")
        parts += [html_table(grid) for grid in printed]
        parts.append("</details>")
    if errata:
        parts.append("<details><summary>Errata and how to read it</summary><ul>")
        parts += [f"<li>{html.escape(line)}</li>" for line in errata]
        parts.append("</ul></details>")
    return "\n".join([*parts, "</section>"])


def gallery_section(pictures: Mapping[str, Path], folder: Path) -> str:
    """Contact pictures by benchmark; paths relative to the page's ``folder``."""
    parts = ['<section id="gallery"><h2>Pictures</h2>']
    parts.append("<p>Truth green, answer magenta, target box blue, crop windows yellow.</p>")
    for name, path in pictures.items():
        source = html.escape(path.relative_to(folder).as_posix())
        label = html.escape(name)
        parts.append(f'<figure><img src="{source}" alt="{label}"><figcaption>{label}</figcaption>')
        parts.append("</figure>")
    return "\n".join([*parts, "</section>"])


def page(
    title: str, notes: Sequence[str], links: Mapping[str, str], sections: Sequence[str]
) -> str:
    """The whole document, without scripts and without anything from outside.

    Args:
        title: Head line.
        notes: Paragraphs that a reader must see before any number.
        links: Anchor by label, for the bar at the top.
        sections: HTML that `section` and `gallery_section` built.
    """
    bar = "".join(
        f'<a href="#{html.escape(anchor)}">{html.escape(label)}</a>'
        for label, anchor in links.items()
    )
    told = "\n".join(f'<p class="note">{html.escape(note)}</p>' for note in notes)
    body = "\n".join(sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1><nav>{bar}</nav>\n{told}\n{body}\n</body></html>\n"
    )
