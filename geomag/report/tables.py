"""Tables 1 to 7: the paper's as printed, and ours apart from them.

A sample score is a toy's: it stands in a table of its own that says so and holds no figure of
the paper. Scores of the paper profile stand beside the paper's own row.
"""

from collections.abc import Sequence

from geomag.report.grid import Grid
from geomag.report.ours import Cell, Scores, half_up
from geomag.report.paper import Block, Column, PaperTable, Row

TOY = "sample profile: a toy model on drawn scenes, not comparable with the paper"


def as_printed(table: PaperTable) -> list[Grid]:
    """The paper's table, a grid per block."""
    grids = []
    for block in table.blocks:
        head = ("Method", *(f"{c.group} {c.name}" for c in block.columns))
        rows = tuple((_method(row), *(_printed(cell) for cell in row.cells)) for row in block.rows)
        strong = frozenset(i for i, row in enumerate(block.rows) if row.paper)
        grids.append(Grid(f"Table {table.number} of the paper: {table.title}", head, rows, strong))
    return grids


def _method(row: Row) -> str:
    cite = f" [{row.cite}]" if row.cite else ""
    return f"{row.method}{cite}" + (f" ({row.section})" if row.section else "")


def _printed(cell: float | None) -> str:
    return "-" if cell is None else f"{cell:.2f}"


def our_cells(table: PaperTable, scores: Scores) -> list[Cell]:
    """All numbers of ours that a table has."""
    arms = ("magcrop", "plain") if table.number == 7 else ("magcrop",)
    found = [
        scores.cell(table.number, column, arm)
        for block in table.blocks
        for column in block.columns
        for arm in arms
    ]
    return [cell for cell in found if cell is not None]


def our_grids(table: PaperTable, scores: Scores) -> list[Grid]:
    """Our table: a row per column of the paper's, a grid per profile the scores come from."""
    profiles = sorted({cell.profile for cell in our_cells(table, scores)})
    build = _ablation if table.number == 7 else _headline
    grids = []
    for profile in profiles:
        what = TOY if profile == "sample" else f"{profile} profile"
        rows, strong = build(table, scores, profile)
        head = rows.pop(0)
        caption = f"Table {table.number}, ours ({what})"
        grids.append(Grid(caption, head, tuple(rows), strong))
    return grids


def _columns(table: PaperTable) -> list[tuple[Block, int, Column]]:
    return [(block, i, c) for block in table.blocks for i, c in enumerate(block.columns)]


def _headline(
    table: PaperTable, scores: Scores, profile: str
) -> tuple[list[tuple[str, ...]], frozenset[int]]:
    beside = profile != "sample"
    head = ("Data set", "Metric", f"ours ({profile}) [95 % interval]", "n", "images")
    rows = [(*head, "trivial baseline", *(("paper", "ours − paper") if beside else ()))]
    for block, i, column in _columns(table):
        cell = scores.cell(table.number, column)
        if cell is None or cell.profile != profile:
            continue
        rows.append(_start(column, cell) + _versus(block.rows, i, column, cell, beside))
    return rows, frozenset()


def _start(column: Column, cell: Cell) -> tuple[str, ...]:
    floor = "-"
    if cell.baseline_value is not None:
        floor = f"{half_up(cell.baseline_value)} ({cell.baseline.replace('_', ' ')})"
    counts = (str(cell.n_records), str(cell.n_images))
    return (column.group, column.name, cell.text, *counts, floor)


def _versus(
    rows: Sequence[Row], index: int, column: Column, cell: Cell, beside: bool
) -> tuple[str, ...]:
    if not beside:
        return ()
    printed = next((r.cells[index] for r in rows if r.paper and r.arm == "magcrop"), None)
    if printed is None:
        return ("-", "-")
    figure = printed * column.printed_factor
    return (half_up(figure), signed(cell.value - figure))


def _ablation(
    table: PaperTable, scores: Scores, profile: str
) -> tuple[list[tuple[str, ...]], frozenset[int]]:
    beside = profile != "sample"
    head = ("Data set", "Metric", f"with MagCrop ({profile})", f"without ({profile})")
    paper = ("paper: gain",) if beside else ()
    rows = [(*head, "gain [95 % paired interval]", "n", *paper)]
    for block, i, column in _columns(table):
        cells = [scores.cell(7, column, arm) for arm in ("magcrop", "plain")]
        if any(cell is None or cell.profile != profile for cell in cells):
            continue
        with_it, without = (cell for cell in cells if cell is not None)
        gain = signed(with_it.value - without.value) + _paired(scores, column)
        printed = {row.arm: row.cells[i] for row in block.rows}
        told = (signed((printed["magcrop"] or 0) - (printed["plain"] or 0)),) if beside else ()
        counts = (str(with_it.n_records),)
        start = (column.group, column.name, with_it.text, without.text, gain)
        rows.append((*start, *counts, *told))
    return rows, frozenset()


def _paired(scores: Scores, column: Column) -> str:
    """The paired interval that the score of the plain arm carries, if it does."""
    plain = scores.part(column.benchmark, "plain", column.split) or {}
    pair = plain.get("gain_of_headline", {}).get(column.metric)
    if not pair:
        return ""
    low, high = (signed(bound * column.factor) for bound in pair["interval"])
    return f" [{low}, {high}]"


def signed(value: float) -> str:
    """Two decimals with a sign; a true minus, which no spreadsheet takes for a formula.

    >>> signed(1.5), signed(-0.25), signed(-0.001)
    ('+1.50', '−0.25', '0.00')
    """
    text = half_up(abs(value))
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text
