"""``geomag promote``: make the candidate the champion if it is better, and nowhere worse."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geomag.cli.options import Outcome

if TYPE_CHECKING:
    from geomag.evaluate.champion import Promotion
    from geomag.evaluate.promotion import Row


def promote(
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Make the champion before this one champion again.")
    ] = False,
    accept: Annotated[
        str, typer.Option(help="Promote without comparison, for this reason; it is recorded.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge and change nothing.")] = False,
    json: Outcome = None,
    profile: Annotated[
        str | None, typer.Option(help="sample, laptop, small, paper, or a YAML file.")
    ] = None,
) -> None:
    """Compare what is under artifacts/ with the champion, and record the outcome and why."""
    from geomag.config import project_root
    from geomag.errors import ConfigError
    from geomag.evaluate.champion import roll_back
    from geomag.io import write_json

    if rollback and (accept or dry_run):
        raise ConfigError("--rollback", "with --accept or --dry-run", "one of them")
    if rollback:
        left, taken = roll_back(project_root())
        typer.echo(f"version {taken} is the champion again, version {left} was rolled back")
        return
    done = _run(profile, accept, dry_run=dry_run)
    if json is not None:
        write_json(json, done.to_json())
    typer.echo("\n".join([*map(_line, done.decision.rows), _verdict(done)]))


def _run(profile: str | None, accept: str, *, dry_run: bool) -> "Promotion":
    from collections.abc import Iterator, Mapping

    from geomag.config import project_root
    from geomag.data.benchmarks import chosen_benchmarks
    from geomag.data.records import Record, read_records
    from geomag.evaluate.champion import Registration, run_gate
    from geomag.evaluate.score.context import ScoringContext
    from geomag.extend import load_plugins
    from geomag.line_profile import line_profile
    from geomag.serve.package import log_package
    from geomag.versions import git_tags

    load_plugins()
    settings, root = line_profile(profile), project_root()

    def records(name: str) -> Iterator[Record]:
        return read_records(root / "artifacts" / "records" / name / "records.jsonl")

    context = ScoringContext(
        config=settings.score,
        cache=root / "work" / "text_vectors",
        gcg_encoder=settings.text_encoder.path,
    )

    def package(model_id: str, parts: Mapping[str, str]) -> None:
        log_package(model_id, root / "artifacts" / "models", parts, settings)

    tags = {"profile": settings.name, **git_tags(root)}
    names = {one.name for one in chosen_benchmarks(settings.benchmarks)}
    predicted = [name for name in _predicted(root) if name in names]
    entry = Registration(tags, package, predicted)
    return run_gate(root, records, context, entry=entry, accept=accept, dry_run=dry_run)


def _predicted(root: Path) -> list[str]:
    """The benchmarks that the line's ``params.yaml`` has answered in the headline arm."""
    import yaml

    from geomag.evaluate.candidate import ARM

    path = root / "params.yaml"
    tree = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    rows = tree.get("predictions", {}).values()
    return [row["benchmark"] for row in rows if row["arm"] == ARM]


def _line(row: "Row") -> str:
    slices = "".join(f"\n  worse: {name}" for name in row.worse_slices)
    return (
        f"{row.benchmark + ' ' + row.split:<28}{row.metric:<14}"
        f"{row.challenger:>8.4f}{row.champion:>8.4f}  {row.difference:+.4f} "
        f"[{row.low:+.4f}, {row.high:+.4f}]  p {row.p_holm:.4f}  {row.outcome}{slices}"
    )


def _verdict(done: "Promotion") -> str:
    champion = f"version {done.champion_version}" if done.champion else "none"
    return (
        f"{done.decision.outcome}: {done.decision.reason}\n"
        f"candidate {done.candidate}, champion {champion} {done.champion}".rstrip()
    )
