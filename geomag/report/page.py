"""One HTML page: our tables, the paper's, what we know to be wrong with them, and pictures.

The markup is in ``templates/``. Whatever a template is given is escaped: captions and labels come
from data and models. A name that a template misspells is an error, not an empty place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from geomag.report.grid import Grid


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the paper: ours first, the paper's and its errata folded below."""

    anchor: str
    label: str
    """What the bar at the top calls it."""
    title: str
    ours: Sequence[Grid]
    printed: Sequence[Grid] = ()
    errata: Sequence[str] = ()


def page(
    title: str,
    notes: Sequence[str],
    sections: Sequence[Section],
    pictures: Mapping[str, Path] | None = None,
) -> str:
    """The whole document, without scripts and without anything from outside.

    Args:
        title: Head line.
        notes: Paragraphs that a reader must see before any number.
        sections: In the order of the page, each with a link in the bar at the top.
        pictures: Contact pictures by benchmark, relative to the page.
    """
    paths = {name: path.as_posix() for name, path in (pictures or {}).items()}
    template = _templates().get_template("report.html.j2")
    return template.render(title=title, notes=notes, sections=sections, pictures=paths)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("geomag.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
