"""The code deps of `dvc.yaml` against what the commands import, read from the source."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from geomag.config.rules import SECTIONS
from geomag_dagster.stages import overlap, read_stages

ROOT = Path(__file__).parents[2]
ENTRIES = {
    "validate": ("geomag/cli/data.py", "validate"),
    "leakage": ("geomag/cli/data.py", "leakage"),
    "base": ("geomag/cli/train.py", "base"),
    "granularity": ("geomag/cli/train.py", "granularity"),
    "crops": ("geomag/cli/crops.py", "crops"),
    "train": ("geomag/cli/train.py", "_train_model"),
    "predict": ("geomag/cli/predict.py", "predict"),
    "score": ("geomag/cli/score.py", "score"),
    "report": ("geomag/cli/report.py", "report"),
}
WEIGHTS = "geomag/released"
PLUMBING = {
    "geomag/boundary.py": "turns errors of the system into messages",
    "geomag/cli": "reads arguments and prints; what a stage computes is in the modules it calls",
    "geomag/dvc_cache.py": "finds the listing that names versions",
    "geomag/errors.py": "words of refusals",
    "geomag/line_choice.py": "refuses benchmarks that are not the line's",
    "geomag/line_profile.py": "refuses a profile that is not the line's",
    "geomag/outputs.py": "refuses to write over what is there",
    "geomag/partial.py": "names of files while they are written",
    "geomag/progress.py": "shows how far a command is",
    "geomag/resume.py": "refuses state that was made from something else",
    "geomag/tracking": "tells MLflow what happened",
    "geomag/versions.py": "names versions, of checkpoints too: they are state, not results",
}
"""Carries results and does not make them: an edit here runs nothing again. Each with the reason."""


def module_file(dotted: str) -> str | None:
    path = ROOT / dotted.replace(".", "/")
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate.relative_to(ROOT).as_posix()
    return None


DISCOVERED = {
    "geomag/data/benchmarks/table.py": "geomag/data/benchmarks/*/spec.py",
    "geomag/data/benchmarks/registry.py": "geomag/data/benchmarks/*/reader.py",
}
"""Modules that import by name what lies in the folders beside them."""


@cache
def parsed(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text())


@cache
def imported(file: str) -> tuple[str, ...]:
    """Files of ours that a file imports, anywhere in it."""
    return tuple(imports(parsed(file)))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (file for name in names if (file := module_file(name)))


def called(tree: ast.Module, function: str) -> list[ast.FunctionDef]:
    """A function and those beside it that it calls, directly or through others."""
    local = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    found, queue = dict[str, ast.FunctionDef](), [function]
    while queue:
        name = queue.pop()
        if name in local and name not in found:
            found[name] = local[name]
            queue += [node.id for node in ast.walk(local[name]) if isinstance(node, ast.Name)]
    return list(found.values())


@cache
def reached(file: str, function: str) -> frozenset[str]:
    """Files of ours that a command's function imports, directly or through others."""
    tree = parsed(file)
    found: set[str] = set()
    queue = [one for part in called(tree, function) for one in imports(part)]
    while queue:
        one = queue.pop()
        if one.startswith("geomag/") and one not in found:
            found.add(one)
            queue += imported(one)
            if one in DISCOVERED:
                queue += [path.relative_to(ROOT).as_posix() for path in ROOT.glob(DISCOVERED[one])]
    code = {one for one in found if not one.endswith("__init__.py")}  # re-exports
    return frozenset(one for one in code if not any(overlap(one, part) for part in PLUMBING))


@pytest.mark.parametrize("group", sorted(ENTRIES))
def test_a_stage_depends_on_the_code_that_makes_its_result(group):
    stage = next(s for s in read_stages(ROOT).values() if s.group == group)
    code = [dep for dep in stage.deps if dep.startswith("geomag/") and dep != WEIGHTS]
    used = reached(*ENTRIES[group])
    uncovered = sorted(file for file in used if not any(overlap(file, dep) for dep in code))
    assert uncovered == []
    idle = sorted(dep for dep in code if not any(overlap(file, dep) for file in used))
    assert idle in ([], ["geomag/data/benchmarks/table.py"])


@pytest.mark.parametrize("group", sorted(ENTRIES))
def test_a_stage_depends_on_the_settings_that_its_code_reads(group):
    stage = next(s for s in read_stages(ROOT).values() if s.group == group)
    ((_, sections),) = stage.params
    known = set(SECTIONS)
    file, function = ENTRIES[group]
    trees = [
        *called(parsed(file), function),
        *(parsed(one) for one in reached(file, function)),
    ]
    read = {
        node.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value).endswith(("profile", "settings"))
    }
    # a pinned base is found by its manifest, an output; only its own stage pins parts
    loads_base = {"base", "encoder", "text_encoder"}
    assert (read & known) - set(sections) <= loads_base | {"granularity"}
