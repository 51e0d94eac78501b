"""Write the report: Tables 1 to 7 in four formats, and one row per cell of ours."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from geomag.io import write_json, write_text
from geomag.report import grid
from geomag.report.alternatives import alternative_protocols, weak_spots
from geomag.report.grid import Grid
from geomag.report.ours import Cell, Scores
from geomag.report.page import Section, page
from geomag.report.paper import PaperTable, paper_tables
from geomag.report.tables import as_printed, our_cells, our_grids

TITLE = "GeoMag: Tables 1 to 7"
SAMPLE_NOTE = (
    "Cells marked sample are the scores of a toy model on drawn scenes. They show that the line "
    "works and what MagCrop does to a small model; they say nothing about the paper's figures."
)
READING = (
    "Each cell of ours: value [95 % bootstrap interval over images]. n counts records, "
    "missing predictions included. † marks more missing predictions than the protocol allows."
)


@dataclass(frozen=True, slots=True)
class Report:
    """Files that a report consists of."""

    files: tuple[Path, ...]
    cells: tuple[Cell, ...]
    profiles: tuple[str, ...]


def build_report(
    scores_dir: Path,
    out: Path,
    pictures: Mapping[str, Path] | None = None,
    *,
    chosen: Collection[str] | None = None,
) -> Report:
    """Write ``index.html``, ``tables.{md,csv,tex}``, ``scorers.md`` and ``cells.json``.

    Args:
        scores_dir: Holds ``<benchmark>.json`` files; a benchmark without one has no cells.
        out: Folder to write to.
        pictures: Contact pictures by benchmark, inside ``out``.
        chosen: Benchmarks that the line is about; scores of others are left out. None: all.

    Raises:
        AnnotationError: On a score file whose cells could not be traced.
    """
    scores = Scores(scores_dir, chosen)
    tables = paper_tables()
    cells = tuple(cell for table in tables for cell in our_cells(table, scores))
    ours = {table.number: our_grids(table, scores) for table in tables}
    notes = ([SAMPLE_NOTE] if "sample" in scores.profiles else []) + [READING]
    alternatives = [alternative_protocols(scores)] if scores.trees else []
    alternatives += weak_spots(scores)
    every = [g for table in tables for g in (*ours[table.number], *as_printed(table))]
    beside = {name: path.relative_to(out) for name, path in (pictures or {}).items()}
    written = {
        "tables.md": _markdown(tables, ours, notes, chosen),
        "scorers.md": "\n".join(grid.markdown(g) for g in alternatives),
        "index.html": _html(tables, ours, alternatives, notes, beside),
        "tables.csv": "\n".join(grid.csv_text(_captioned(g)) for g in every),
        "tables.tex": "\n".join(grid.latex(g) for g in every),
    }
    for name, text in written.items():
        write_text(out / name, text)
    write_json(out / "cells.json", [cell.to_json() for cell in cells])
    files = tuple(out / name for name in (*written, "cells.json"))
    return Report(files, cells, tuple(scores.profiles))


def _captioned(found: Grid) -> Grid:
    """The grid with its caption as a first line of text, for formats without captions."""
    blank = ("",) * (len(found.head) - 1)
    return Grid(found.caption, (found.caption, *blank), (found.head, *found.rows))


def _markdown(
    tables: tuple[PaperTable, ...],
    ours: Mapping[int, list[Grid]],
    notes: list[str],
    chosen: Collection[str] | None,
) -> str:
    parts = [f"# {TITLE}", *notes]
    for table in tables:
        parts.append(f"## Table {table.number}: {table.title}")
        parts += [grid.markdown(g) for g in ours[table.number]] or [_why_empty(table, chosen)]
        parts += [grid.markdown(g) for g in as_printed(table)]
        parts.append("\n".join(f"- {line}" for line in table.errata))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _why_empty(table: PaperTable, chosen: Collection[str] | None) -> str:
    """Why a table has no row of ours."""
    about = {column.benchmark for block in table.blocks for column in block.columns}
    return "Not measured yet." if chosen is None or about & set(chosen) else "Not chosen."


def _html(
    tables: tuple[PaperTable, ...],
    ours: Mapping[int, list[Grid]],
    alternatives: list[Grid],
    notes: list[str],
    pictures: Mapping[str, Path],
) -> str:
    sections = [
        Section(
            f"table{table.number}",
            f"Table {table.number}",
            f"Table {table.number}: {table.title}",
            ours[table.number],
            as_printed(table),
            table.errata,
        )
        for table in tables
    ]
    if alternatives:
        scorers = Section("scorers", "Scorers", "Other rules, and weak spots", alternatives)
        sections.append(scorers)
    return page(TITLE, notes, sections, pictures)
