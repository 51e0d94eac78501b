"""The pages that name tests name tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference"
named_pages = pytest.mark.parametrize(
    ("name", "n_least"), [("worked-examples.md", 70), ("promises-of-the-line.md", 40)]
)


@named_pages
def test_every_test_named_on_the_page_exists(name, n_least):
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (PAGES / name).read_text())
    assert len(named) > n_least
    lost = [
        f"{file}::{name}"
        for file, name in named
        if f"\ndef {name}(" not in (ROOT / file).read_text()
    ]
    assert lost == []


@named_pages
def test_every_row_of_a_table_names_a_test(name, n_least):
    lines = (PAGES / name).read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    heads = ("| example |", "| promise |")
    assert [row for row in rows if "::" not in row and not row.startswith(heads)] == []
