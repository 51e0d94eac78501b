"""Tables 1 to 7 of the paper as data: every row, with the errata we know of."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from geomag.data.benchmarks import Split

SOURCE = Path(__file__).with_name("paper_tables.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column, and which number of ours answers it."""

    group: str
    """Data set as the table's head names it."""
    name: str
    """Metric as the table's head names it."""
    benchmark: str
    metric: str
    split: Split = Split.TEST
    factor: float = 100.0
    """Factor from a raw score of ours to the unit printed."""
    printed_factor: float = 1.0
    """Factor from the paper's figure to the unit that the field prints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method; None is a dash."""

    method: str
    cells: tuple[float | None, ...]
    section: str = ""
    cite: int | None = None
    """Number in the paper's references."""
    paper: bool = False
    """GeoMag's own row: what ours is compared with."""
    arm: str = "magcrop"


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that share columns; Table 5 has two."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class PaperTable:
    """One table as printed."""

    number: int
    title: str
    blocks: tuple[Block, ...]
    errata: tuple[str, ...]


@cache
def paper_tables() -> tuple[PaperTable, ...]:
    """The seven tables, each row checked to have a cell per column."""
    tree = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return tuple(
        PaperTable(
            entry["number"],
            entry["title"],
            tuple(_block(block) for block in entry["blocks"]),
            tuple(entry["errata"]),
        )
        for entry in tree["tables"]
    )


def _block(entry: dict[str, Any]) -> Block:
    columns = tuple(
        Column(**{**column, "split": Split(column.get("split", "test"))})
        for column in entry["columns"]
    )
    rows = tuple(Row(**{**row, "cells": tuple(row["cells"])}) for row in entry["rows"])
    for row in rows:
        assert len(row.cells) == len(columns), f"{row.method}: {len(row.cells)} cells"
    return Block(columns, rows)
