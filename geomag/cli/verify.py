"""``geomag verify``: whether the whole record of a project still holds."""

from typing import TYPE_CHECKING, Annotated

import typer

from geomag.cli.options import Outcome

if TYPE_CHECKING:
    from geomag.evaluate.verify.walk import Verification


def verify(
    json: Outcome = None,
    runs: Annotated[bool, typer.Option(help="Ask MLflow for runs and champion.")] = True,
) -> None:
    """Compare data, code, weights, answers, scores and runs with the record, for every table cell.

    Exit code 1 if a link is broken: the last line names the first one.
    """
    from geomag.config import project_root
    from geomag.evaluate.verify.walk import verify as walk
    from geomag.io import write_json

    found = walk(project_root(), runs=runs)
    if json is not None:
        write_json(json, found.to_json())
    typer.echo("\n".join(_lines(found)))
    if found.first_broken is not None:
        raise typer.Exit(1)


def _lines(found: "Verification") -> list[str]:
    lines = []
    for row in found.rows:
        lines.append(f"{row.benchmark} {row.arm}: {len(row.cells)} table cells")
        for link in row.links:
            why = f" ({link.finding})" if link.finding else ""
            lines.append(f"  {link.kind:<12}{link.state}{why}")
    if (first := found.first_broken) is None:
        return [*lines, "every link holds, or is absent for the reason given"]
    row, link = first
    told = f"first broken link: {link.kind} of {row.benchmark} {row.arm}: {link.finding}"
    return [*lines, told]
