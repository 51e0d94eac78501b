"""``geomag score``: rate a predictions file, anybody's, and print one table."""

import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geomag.cli.options import Overwrite
from geomag.evaluate.score.table import table

if TYPE_CHECKING:
    from geomag.data.benchmarks import Split
    from geomag.data.records import Record
    from geomag.evaluate.score.context import ScoringContext


def score(
    benchmark: Annotated[str, typer.Argument(help="Name of the benchmark.")],
    predictions: Annotated[Path, typer.Argument(help="A .jsonl, or a folder of <arm>.jsonl.")],
    data: Annotated[Path | None, typer.Option(help="The benchmark's own files.")] = None,
    records: Annotated[
        Path | None, typer.Option(help="Records file; default artifacts/records/BENCHMARK.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Default: the test splits.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the score here.")] = None,
    samples: Annotated[
        Path | None, typer.Option(help="Folder for one row per record and arm.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="sample, laptop, small, paper, or a YAML file.")
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Score a file that lacks many predictions.")
    ] = False,
    text_key: Annotated[
        str, typer.Option("--text-key", help="What the file calls the words.")
    ] = "text",
    mask_key: Annotated[
        str, typer.Option("--mask-key", help="What the file calls the masks.")
    ] = "masks",
    overwrite: Overwrite = False,
) -> None:
    """Score predictions with intervals and trivial baselines; needs no torch and no GPU."""
    from geomag.config import project_root
    from geomag.evaluate.score.inputs import Keys
    from geomag.evaluate.score.run import score as score_files
    from geomag.io import write_json, write_jsonl
    from geomag.line_profile import refuse_other_profile
    from geomag.outputs import check_file, check_folder

    read = [path for path in (predictions, data, records) if path is not None]
    if json is not None:
        check_file(json, "--json", inputs=read, overwrite=overwrite)
    if samples is not None:
        check_folder(samples, "--samples", inputs=read, overwrite=overwrite)
    if _is_of_line(json):
        refuse_other_profile(project_root(), profile)
    gc.disable()  # millions of small objects and no cycles: looking for them takes a fifth longer
    job = scoring(benchmark, records, data, split, profile)
    job.context.keeps_samples, job.context.allows_missing = samples is not None, allow_missing
    keys = Keys(text_key, mask_key)
    done = score_files(benchmark, predictions, job.records, job.context, split=job.split, keys=keys)
    done.score["protocol"]["profile"] = job.profile
    if json is not None:
        write_json(json, done.score)
    if os.environ.get("DVC_STAGE"):  # as a stage of the line, not for a stranger's file
        track_scores(benchmark, done.score)
    if samples is not None:
        for arm, rows in done.samples.items():
            write_jsonl(samples / f"{arm}.samples.jsonl", (dict(row) for row in rows))
    for arm, found in _arms(done.score, predictions):
        typer.echo(table(arm, found))


def _is_of_line(json: Path | None) -> bool:
    """Whether a score is written where the project's own are."""
    from geomag.config import project_root

    scores = project_root() / "artifacts" / "scores"
    return json is not None and json.resolve().is_relative_to(scores.resolve())


@dataclass(frozen=True, slots=True)
class Scoring:
    """What `geomag score` and `geomag compare` make of their options."""

    records: "Iterator[Record]"
    context: "ScoringContext"
    split: "Split | None"
    profile: str


def scoring(
    benchmark: str, records: Path | None, data: Path | None, split: str | None, profile: str | None
) -> Scoring:
    """Check the options and find the records.

    Raises:
        GeoMagError: On a benchmark or split that does not exist.
    """
    from geomag.config import load_profile
    from geomag.config.load import project_root
    from geomag.data.benchmarks import BENCHMARKS, Split
    from geomag.errors import GeoMagError
    from geomag.evaluate.score.context import ScoringContext
    from geomag.evaluate.score.run import read_all
    from geomag.extend import load_plugins

    load_plugins()
    if benchmark not in BENCHMARKS:
        raise GeoMagError("benchmark", repr(benchmark), f"one of {', '.join(BENCHMARKS)}")
    if split is not None and split not in set(Split):
        raise GeoMagError("--split", repr(split), f"one of {', '.join(Split)}")
    settings, root = load_profile(profile), project_root()
    file = records or root / "artifacts" / "records" / benchmark / "records.jsonl"
    context = ScoringContext(
        config=settings.score,
        cache=root / "work" / "text_vectors",
        gcg_encoder=settings.text_encoder.path,
    )
    found = read_all(BENCHMARKS[benchmark], file, data)
    return Scoring(found, context, Split(split) if split else None, settings.name)


def track_scores(benchmark: str, found: dict[str, Any]) -> None:
    """Leave the score of every arm for the tracker, bound to the data and adapter versions."""
    from geomag.config import project_root
    from geomag.tracking import log_scores
    from geomag.versions import dataset_versions, path_md5, read_lock, stage_paths

    root = project_root()
    known = dataset_versions(root, [benchmark]).get(benchmark)
    data = known or path_md5(root / "data" / benchmark)
    lock = read_lock(root)
    for arm, content in {"magcrop": found, **found.get("arms", {})}.items():
        answered = stage_paths(lock, f"predict@{benchmark}-{arm}", "deps")
        model = answered.get("artifacts/models/adapter", "")
        log_scores(benchmark, arm, content, dataset_md5=data, model_md5=model, root=root)


def _arms(found: dict[str, Any], predictions: Path) -> list[tuple[str, dict[str, Any]]]:
    name = "magcrop" if predictions.is_dir() else predictions.stem
    rows = [(name, found), *found.get("arms", {}).items()]
    return [
        entry
        for arm, content in rows
        for entry in ((arm, content), *((arm, s) for s in content.get("splits", {}).values()))
    ]
