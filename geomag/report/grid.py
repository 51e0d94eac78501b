"""One table as Markdown, CSV and LaTeX, each with its own escapes; templates/ has the HTML.

Labels come from data and models: HTML in them is shown as text, and a cell that a spreadsheet
would run as a formula is quoted.
"""

import csv
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "†": r"\dag{}",
    "−": "$-$",
}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Grid:
    """A caption, a head and rows of text; rows marked ``strong`` are set bold."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    strong: frozenset[int] = frozenset()
    """Indices of bold rows."""


def markdown(grid: Grid) -> str:
    """A GitHub table under its caption."""
    lines = [f"**{_md(grid.caption)}**", "", _md_row(grid.head), "|" + "---|" * len(grid.head)]
    for i, row in enumerate(grid.rows):
        lines.append(_md_row([f"**{c}**" if i in grid.strong and c else c for c in row]))
    return "\n".join(lines) + "\n"


def _md(text: str) -> str:
    escaped = html.escape(" ".join(text.split()), quote=False)
    return escaped.replace("|", "\\|").replace("`", "\\`").replace("[", "\\[")


def _md_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_md(cell) for cell in cells) + " |"


def csv_text(grid: Grid) -> str:
    """Comma-separated rows; a cell that looks like a formula is quoted as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in (grid.head, *grid.rows):
        writer.writerow([safe_csv(cell) for cell in row])
    return out.getvalue()


def safe_csv(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would run; numbers stay numbers.

    >>> safe_csv("=cmd|' /C calc'!A0"), safe_csv("-0.5")
    ("'=cmd|' /C calc'!A0", '-0.5')
    """
    risky = text.lstrip()[:1] in ("=", "+", "-", "@") or text[:1] in ("\t", "\r", "\n")
    return f"'{text}" if risky and not _NUMBER.fullmatch(text) else text


def latex(grid: Grid) -> str:
    """A ``table`` environment for booktabs."""
    align = "l" + "r" * (len(grid.head) - 1)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(grid.caption)}}}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        " & ".join(_tex(cell) for cell in grid.head) + r" \\",
        r"\midrule",
    ]
    for i, row in enumerate(grid.rows):
        cells = [rf"\textbf{{{_tex(c)}}}" if i in grid.strong else _tex(c) for c in row]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]) + "\n"


def _tex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in " ".join(text.split()))
