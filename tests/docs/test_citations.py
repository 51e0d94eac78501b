"""Citations in code, tests and settings: the page is there, and has the heading."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FILES = sorted(
    path
    for pattern in ("geomag/**/*.py", "geomag_dagster/**/*.py", "tests/**/*.py", "*.toml", "*.yaml",
                    "geomag/**/*.yaml", "Makefile")
    for path in ROOT.glob(pattern)
)  # fmt: skip
PROTOCOL = re.compile(r"(?<!docs/)\bprotocols/(?P<page>[a-z]+)(?:#(?P<heading>[a-z0-9-]+))?\b")
PAGE = re.compile(r"\bdocs/(?P<page>[\w/-]+)\.md(?:#(?P<heading>[\w-]+))?")
DECISION = re.compile(r"\bdecisions?[/ ](?P<number>\d{4})\b")
UNPUBLISHED = re.compile(
    r"\bDESIGN(?:\.md)? ?\d|\b[Pp]rotocols?,? \d|\bfault \d|\b(?:real-size|house|style)\.md\b"
)
"""Notes of the people who wrote this, by section; nobody else has them."""


def anchors(page: Path) -> set[str]:
    """Headings of a page as GitHub and the site link to them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


def unresolved(text: str) -> list[str]:
    """Citations of a text that lead nowhere."""
    wrong = []
    for pattern, folder in ((PROTOCOL, DOCS / "protocols"), (PAGE, DOCS)):
        for found in pattern.finditer(text):
            page, heading = folder / f"{found['page']}.md", found["heading"]
            if not page.is_file() or (heading and heading not in anchors(page)):
                wrong.append(found[0])
    for found in DECISION.finditer(text):
        if not list((DOCS / "decisions").glob(f"{found['number']}-*.md")):
            wrong.append(found[0])
    return wrong + [found[0] for found in UNPUBLISHED.finditer(text)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_cites_what_is_there(path):
    if path != Path(__file__):
        assert unresolved(path.read_text(encoding="utf-8")) == []


def test_a_citation_that_leads_nowhere_is_found():
    page, heading = "protocols/rsv" + "qb", "protocols/rsvqa#fil" + "ez"
    assert unresolved(f"{page} and {heading}, decisions/99{99}, DESIGN {4}, protocol {3}.3") == [
        page,
        heading,
        "decisions/9999",
        "DESIGN 4",
        "protocol 3",
    ]
    assert unresolved("protocols/rsvqa#files, protocols/model, decisions/0001") == []


def test_every_protocol_page_lists_its_sources():
    pages = [page for page in (DOCS / "protocols").glob("*.md") if page.name != "index.md"]
    assert len(pages) == 7
    assert all("sources" in anchors(page) for page in pages)
