"""Bars that the code is held to, measured on its syntax: sizes, docstrings, shapes, rooms.

Circles, and arrows that run back up, are import-linter's (`make lint`): its contracts must name
every room, which `exhaustive` asks of it.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("geomag", "geomag_dagster")
MOST_LINES_OF_MODULE, MOST_LINES_OF_FUNCTION, MOST_SHARE_OF_ROOM = 300, 50, 0.20
ASIDE = frozenset(
    {
        "after",
        "also",
        "around",
        "at",
        "before",
        "beside",
        "by",
        "corrected",
        "false",
        "for",
        "from",
        "given",
        "held",
        "in",
        "into",
        "it",
        "its",
        "kept",
        "likewise",
        "none",
        "of",
        "on",
        "over",
        "see",
        "stripped",
        "that",
        "their",
        "they",
        "through",
        "to",
        "true",
        "under",
        "unframed",
        "until",
        "who",
        "with",
        "without",
    }
)
"""Words that go on with a sentence whose beginning stands elsewhere, in the name of what is
described; a reader of the documentation, or of a tooltip, has no such beginning."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
WITH_FIELDS = ast.Module | ast.ClassDef | Function


@dataclass(frozen=True)
class Definition:
    """A class or function and where it stands."""

    path: Path
    node: Function | ast.ClassDef
    is_public: bool
    """Neither it nor what it stands in begins with an underscore, or is a function."""

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.node.lineno} {self.node.name}"


@cache
def modules() -> dict[Path, ast.Module]:
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@cache
def definitions() -> tuple[Definition, ...]:
    def below(node: ast.AST, path: Path, *, is_public: bool) -> Iterator[Definition]:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, Function | ast.ClassDef):
                yield from below(child, path, is_public=is_public)
                continue
            shown = is_public and not child.name.startswith("_")
            yield Definition(path, child, shown)
            within = shown and isinstance(child, ast.ClassDef)
            yield from below(child, path, is_public=within)

    return tuple(d for path, tree in modules().items() for d in below(tree, path, is_public=True))


def docstrings() -> Iterator[tuple[str, str]]:
    """Place and text of the docstring of every module, class, function and field."""
    for path, tree in modules().items():
        name = str(path.relative_to(ROOT))
        yield name, ast.get_docstring(tree) or ""
        bodies = [node.body for node in ast.walk(tree) if isinstance(node, WITH_FIELDS)]
        for before, after in (pair for body in bodies for pair in pairwise(body)):
            is_field = isinstance(before, ast.Assign | ast.AnnAssign)
            if is_field and isinstance(after, ast.Expr) and (text := _text(after)):
                yield f"{name}:{after.lineno}", text
    for one in definitions():
        if text := ast.get_docstring(one.node):
            yield one.place, text


def helps() -> Iterator[tuple[str, str]]:
    """Place and text of what is said of an argument, an option or a setting."""
    for path, tree in modules().items():
        if path.relative_to(ROOT).parts[1] not in ("cli", "config"):
            continue
        said = [node for node in ast.walk(tree) if isinstance(node, ast.keyword)]
        for node in said:
            if node.arg in ("help", "description") and (text := _text(node)):
                yield f"{path.relative_to(ROOT)}:{node.value.lineno}", text


def _text(node: ast.AST) -> str:
    """The string that a statement or a keyword argument is made of; empty if it is no string."""
    value = getattr(getattr(node, "value", None), "value", None)
    return value if isinstance(value, str) else ""


def lines_of(definition: Definition) -> int:
    """Lines of a function; of a command of ``geomag/cli``, whose parameters are the documentation
    of its options, those of its docstring and body."""
    node = definition.node
    is_of_cli = definition.path.parent == ROOT / "geomag" / "cli"
    first = node.body[0].lineno if is_of_cli else node.lineno
    assert node.end_lineno is not None
    return node.end_lineno - first + 1


def test_no_module_is_longer_than_three_hundred_lines():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {str(p): n for p, n in lengths.items() if n > MOST_LINES_OF_MODULE} == {}


def test_no_function_is_longer_than_fifty_lines():
    functions = [one for one in definitions() if isinstance(one.node, Function)]
    lengths = {one.place: lines_of(one) for one in functions}
    assert {place: n for place, n in lengths.items() if n > MOST_LINES_OF_FUNCTION} == {}


def test_no_room_holds_more_than_a_fifth_of_the_lines():
    rooms: Counter[str] = Counter()
    for path in modules():
        n_lines = len(path.read_text(encoding="utf-8").splitlines())
        rooms["/".join(path.relative_to(ROOT).parts[:2])] += n_lines
    share = {room: n / rooms.total() for room, n in rooms.items()}
    assert {room: part for room, part in share.items() if part > MOST_SHARE_OF_ROOM} == {}


def test_every_public_module_class_and_function_has_a_docstring():
    silent = [str(path) for path, tree in modules().items() if not ast.get_docstring(tree)]
    silent += [d.place for d in definitions() if d.is_public and not ast.get_docstring(d.node)]
    assert silent == []


def test_docstrings_are_whole_sentences():
    broken = []
    for place, text in docstrings():
        first = text.split("\n\n")[0].strip()
        begins = re.match(r"[A-Z0-9`(\[\"-]|all-MiniLM|md5|sha256|zlib|uvicorn|presence", first)
        if not begins or not re.search(r"[.:?!](\n|$)", first) or first.endswith(","):
            broken.append(f"{place}: {first}")
    assert broken == []


def test_docstrings_and_helps_begin_with_what_they_name():
    aside = [
        f"{place}: {text}"
        for place, text in (*docstrings(), *helps())
        if (first := re.match(r"[A-Za-z]+(?=[ ,;:.])", text)) and first[0].lower() in ASIDE
    ]
    assert aside == []


def test_every_forward_states_its_shapes():
    forwards = [d for d in definitions() if d.node.name == "forward" and d.is_public]
    assert len(forwards) >= 7
    shapes = {
        d.place: re.findall(r"``\[[^\]]*\]``", ast.get_docstring(d.node) or "") for d in forwards
    }
    assert {place for place, found in shapes.items() if len(found) < 2} == set()
