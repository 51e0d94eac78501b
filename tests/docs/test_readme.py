"""README and docs against the project: commands parse, links resolve, paths and settings exist."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from geomag.cli.main import app
from geomag.config.rules import SECTIONS
from geomag_dagster.run import JOBS

ROOT = Path(__file__).parents[2]
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in sorted([*ROOT.glob("*.md"), ROOT / "mlflow/README.md", *ROOT.glob("docs/**/*.md")])
]
FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
IN_CODE = re.compile(r"`([^`\n]+)`")
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
SETTING = re.compile(r"(?P<section>[a-z_]+)\.(?P<key>(?!json$|dvc$|txt$)[a-z_]+)(: .*)?")
REAL_PATH = re.compile(r"(geomag|geomag_dagster|tests|docs|scripts)/[\w/.-]*")


def prose(page):
    """The page without its fenced blocks."""
    return FENCE.sub("", (ROOT / page).read_text())


def whole_commands(page):
    """Command lines of the fenced shell blocks, comments removed."""
    for language, block in FENCE.findall((ROOT / page).read_text()):
        if language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                while words and re.fullmatch(r"[A-Z_0-9]+=\S*", words[0]):
                    words = words[1:]
                if words:
                    yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


def named_commands(page):
    """Commands that the text mentions; what follows the verb may be left out."""
    for code in IN_CODE.findall(prose(page)):
        words = code.removeprefix(".venv/bin/").split()
        if words and words[0] in ("geomag", "make") and len(words) > 1:
            yield words


def cli_command(words):
    """The command that the leading words name, and the words after them."""
    command = get_command(app)
    while words and hasattr(command, "commands") and not words[0].startswith("--"):
        assert words[0] in command.commands, f"no such command: geomag {' '.join(words)}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def options_of(command):
    return {name for parameter in command.params for name in (*parameter.opts, "--help")}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_parses(page):
    for words in whole_commands(page):
        if words[0] == "geomag":
            command, rest = cli_command(words[1:])
            command.make_context(command.name, list(rest))  # raises on what is missing or unknown
        elif words[0] == "make":
            assert {w for w in words[1:] if "=" not in w} <= TARGETS, words
        elif words[:3] == ["python", "-m", "geomag_dagster.run"]:
            assert set(words[3:]) <= set(JOBS), words


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_the_text_exists(page):
    for words in named_commands(page):
        if words[0] == "make":
            assert words[1] in TARGETS, words
            continue
        command, rest = cli_command(words[1:])
        unknown = {w for w in rest if w.startswith("--")} - options_of(command)
        assert not unknown, words


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_resolves(page):
    for link in LINK.findall(prose(page)):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, link


@pytest.mark.parametrize("page", PAGES)
def test_paths_and_settings_that_are_named_exist(page):
    for code in IN_CODE.findall(prose(page)):
        if REAL_PATH.fullmatch(code):
            assert (ROOT / code).exists(), code
        setting = SETTING.fullmatch(code)
        if setting and setting["section"] in SECTIONS:
            assert setting["key"] in SECTIONS[setting["section"]].model_fields, code


def test_the_first_screen_names_the_two_commands_and_a_picture():
    text = (ROOT / "README.md").read_text()
    first = "\n".join(text.splitlines()[:24])
    assert "make sample" in first
    assert "make test" in first
    assert "docs/images/overview.png" in first


def test_the_index_lists_every_page():
    index = (ROOT / "docs/index.md").read_text()
    pages = [page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")]
    assert [page for page in pages if page != "index.md" and f"({page})" not in index] == []


def test_decisions_are_listed_in_their_order_and_begin_with_their_number():
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    listed = re.findall(r"\(decisions/([\w-]+\.md)\)", (ROOT / "docs/index.md").read_text())
    assert listed == [page.name for page in pages]
    for page in pages:
        assert page.read_text().startswith(f"# {page.name[:4]}: "), page.name


def test_a_release_says_once_what_is_added_changed_and_fixed():
    text = (ROOT / "CHANGELOG.md").read_text()
    for release in text.split("\n## ")[1:]:
        assert re.findall(r"^### (.*)", release, re.MULTILINE) == ["Added", "Changed", "Fixed"]
    lines = re.findall(r"^- (.*)", text, re.MULTILINE)
    assert len(lines) == len(set(lines))


def test_a_command_that_does_not_exist_is_noticed():
    with pytest.raises(AssertionError, match="no such command"):
        cli_command(["data", "upload"])
