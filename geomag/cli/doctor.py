"""``geomag doctor``: what this machine can run, and what to do about the rest."""

from typing import Annotated

import typer


def doctor(
    profile: Annotated[str, typer.Option(help="Profile to examine for.")] = "",
    benchmark: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be repeated.")
    ] = None,
) -> None:
    """Examine tools, devices, data and weights; exit code 2 when the profile cannot run."""
    from geomag.config import load_profile, override, project_root
    from geomag.doctor import Level, examine

    chosen = load_profile(profile or None)
    if benchmark:
        chosen = override(chosen, benchmarks=benchmark)  # type: ignore[arg-type]
    findings = list(examine(chosen, project_root()))
    typer.echo(f"profile {chosen.name}")
    for finding in findings:
        remedy = f"  -> {finding.remedy}" if finding.remedy else ""
        typer.echo(f"  {finding.level:<5}{finding.what:<20}{finding.found}{remedy}")
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(2)
