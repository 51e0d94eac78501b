"""``geomag trace``: what a number in the report's tables rests on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from geomag.cli.options import Outcome

if TYPE_CHECKING:
    from geomag.evaluate.trace import Trace


def trace(
    cell: Annotated[str, typer.Argument(help="table/benchmark/split/arm/metric, of cells.json.")],
    json: Outcome = None,
    runs: Annotated[bool, typer.Option(help="Ask MLflow for the runs.")] = True,
) -> None:
    """Follow a table cell back to answers, weights, data, code and runs."""
    from geomag.config import project_root
    from geomag.evaluate.trace import trace as follow
    from geomag.io import write_json
    from geomag.tracking.lineage import find_runs
    from geomag.versions import git_tags

    root = project_root()
    finder = (lambda *of: find_runs(root, *of)) if runs else None
    found = follow(cell, root, code=git_tags(root), find_runs=finder)
    if json is not None:
        write_json(json, found.to_json())
    typer.echo("\n".join(_tree(found)))


def _tree(found: "Trace") -> list[str]:
    cell = found.cell
    between = "" if cell["low"] is None else f" [{cell['low']:.2f}, {cell['high']:.2f}]"
    return [
        f"{cell['id']}: {cell['value']:.2f}{between}, {cell['n_records']} records, "
        f"profile {cell['profile']}",
        f"├─ scores       {found.scores.path}  sha256 {found.scores.sha256[:16]}",
        f"├─ predictions  {found.predictions.path}  sha256 {found.predictions.sha256[:16]}"
        f"  md5 {found.predictions.md5 or 'unknown'}",
        *_branch("models", found.models),
        *_branch("asked about", found.data),
        *_branch("trained on", found.training),
        *_branch("code", found.code),
        *_branch("MLflow runs", found.runs),
        *(f"!  {problem}" for problem in found.problems),
    ]


def _branch(title: str, leaves: Mapping[str, str]) -> list[str]:
    if not leaves:
        return [f"├─ {title}: unknown"]
    width = max(map(len, leaves))
    rows = [f"│  ├─ {name:<{width}}  {value or 'unknown'}" for name, value in leaves.items()]
    return [f"├─ {title}", *rows]
