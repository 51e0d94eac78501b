"""The page of worked examples names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "worked-examples.md"


def test_every_test_named_on_the_page_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())
    assert len(named) > 70
    lost = [
        f"{file}::{name}"
        for file, name in named
        if f"\ndef {name}(" not in (ROOT / file).read_text()
    ]
    assert lost == []


def test_every_row_of_a_table_names_a_test():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    without = [row for row in rows if "::" not in row and not row.startswith("| example |")]
    assert without == []
