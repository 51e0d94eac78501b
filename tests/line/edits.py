"""Random edits of a project: a line of any module, a byte of any picture, a setting."""

import ast
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

PROFILE = "geomag/profiles/sample.yaml"
PICTURES = (".jpg", ".png", ".tif")
KINDS = ("module", "picture", "setting")
FLIPPED: dict[type, ast.AST] = {
    ast.Add: ast.Sub(), ast.Sub: ast.Add(), ast.Mult: ast.Add(), ast.Div: ast.Mult(),
    ast.Lt: ast.GtE(), ast.GtE: ast.Lt(), ast.Gt: ast.LtE(), ast.LtE: ast.Gt(),
    ast.Eq: ast.NotEq(), ast.NotEq: ast.Eq(), ast.In: ast.NotIn(), ast.NotIn: ast.In(),
    ast.Is: ast.IsNot(), ast.IsNot: ast.Is(), ast.And: ast.Or(), ast.Or: ast.And(),
}  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """Other bytes for one file of a project."""

    kind: str
    file: str
    line: int
    """From 1; 0 where it is none."""
    what: str
    """The edit in words; of a setting the section first."""
    content: bytes

    @contextmanager
    def applied(self, root: Path) -> Iterator[None]:
        """The project with the edit, then as it was, its times of change included."""
        path = root / self.file
        before, times = path.read_bytes(), path.stat()
        path.write_bytes(self.content)
        try:
            yield
        finally:
            path.write_bytes(before)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def __str__(self) -> str:
        return f"{self.file}{f':{self.line}' * (self.line > 0)}: {self.what}"


def random_edits(root: Path, count: int, seed: int) -> Iterator[Edit]:
    """Edits of the project as it is: of six four of modules, one of pictures, one of settings."""
    draw = random.Random(seed)
    listed = ["git", "-C", str(root), "ls-files", "geomag/*.py", "geomag_dagster/*.py"]
    modules = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()
    modules = [name for name in modules if (root / name).stat().st_size]
    pictures = sorted(p for p in (root / "data").rglob("*") if p.suffix in PICTURES)
    for _ in range(count):
        kind = draw.choices(KINDS, (4, 1, 1))[0]
        if kind == "module":
            name = draw.choice(modules)
            yield edit_of_line(name, (root / name).read_text(encoding="utf-8"), draw)
        elif kind == "picture":
            picture = draw.choice(pictures)
            yield edit_of_byte(picture.relative_to(root).as_posix(), picture.read_bytes(), draw)
        else:
            yield edit_of_setting((root / PROFILE).read_text(encoding="utf-8"), draw)


def edit_of_line(file: str, source: str, draw: random.Random) -> Edit:
    """An operator or a constant of a random line changed; a comment where it has neither."""
    rows = source.splitlines()
    for _ in range(1000):
        line = draw.randint(1, len(rows))
        row = rows[line - 1]
        nodes = [n for n in _changeable(ast.parse(source)) if n.lineno == n.end_lineno == line]
        if nodes:
            node = draw.choice(nodes)
            old = row.encode()
            new = ast.unparse(_changed(node))
            was = old[node.col_offset : node.end_col_offset].decode()
            row = (old[: node.col_offset] + new.encode() + old[node.end_col_offset :]).decode()
            what = f"{was} -> {new}"
        else:
            row, what = f"{row}  # edited", "a comment"
        text = "\n".join([*rows[: line - 1], row, *rows[line:]]) + "\n"
        if _parses(text):
            return Edit("module", file, line, what, text.encode())
    raise AssertionError(f"{file} has no line that can be edited")


def edit_of_byte(file: str, content: bytes, draw: random.Random) -> Edit:
    """One bit of one byte."""
    at = draw.randrange(len(content))
    changed = bytearray(content)
    changed[at] ^= 1 << draw.randrange(8)
    return Edit("picture", file, 0, f"byte {at}", bytes(changed))


def edit_of_setting(text: str, draw: random.Random) -> Edit:
    """A number, a switch, a word or a list of the profile, of one section or above them."""
    tree = yaml.safe_load(text)
    parts = {name: part if isinstance(part, dict) else tree for name, part in tree.items()}
    places = [
        (section, name)
        for section, part in parts.items()
        for name in (part if part is not tree else [section])
        if isinstance(part[name], bool | int | float | str | list)
    ]
    section, name = draw.choice(places)
    part = parts[section]
    old = part[name]
    if isinstance(old, bool):
        part[name] = not old
    elif isinstance(old, str):
        part[name] = f"{old}_"
    else:
        part[name] = [*old, "aid"] if isinstance(old, list) else old * 2 + 1
    what = f"{section}.{name}: {old} -> {part[name]}"
    return Edit("setting", PROFILE, 0, what, yaml.safe_dump(tree, sort_keys=False).encode())


def is_null(edit: Edit, source: str) -> bool:
    """Whether an edited module is the same program, docstrings aside."""
    return _program(edit.content.decode()) == _program(source)


def _program(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None
    return ast.dump(tree)


def _changeable(tree: ast.AST) -> Iterator[ast.expr]:
    """Expressions that `_changed` knows; nothing inside an f-string, whose columns are inexact."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            continue
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Compare):
            is_known = type(node.ops[0]) in FLIPPED
        elif isinstance(node, ast.BinOp | ast.BoolOp):
            is_known = type(node.op) in FLIPPED
        else:
            is_plain = isinstance(node, ast.Constant)
            is_known = is_plain and isinstance(node.value, bool | int | float | str)
        if is_known:
            yield node
        if not is_text:  # a docstring
            yield from _changeable(node)


def _changed(node: ast.expr) -> ast.expr:
    """The same expression with another constant or operator; the tree is nobody else's."""
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            return ast.Constant(not value)
        return ast.Constant(f"{value}x" if isinstance(value, str) else value + 1)
    if isinstance(node, ast.Compare):
        node.ops[0] = FLIPPED[type(node.ops[0])]
    elif isinstance(node, ast.BinOp | ast.BoolOp):
        node.op = FLIPPED[type(node.op)]
    return node


def _parses(text: str) -> bool:
    try:
        compile(text, "edited", "exec")
    except (SyntaxError, ValueError):
        return False
    return True
