"""``geomag experiment``: ablations of a trained model, run by hand; no stage needs them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geomag.cli.options import Figures
from geomag.progress import say

if TYPE_CHECKING:
    from geomag.config import Profile
    from geomag.data.records import Record
    from geomag.model.geomag import GeoMag

ProfileName = Annotated[
    str | None, typer.Option(help="sample, laptop, small, paper, or a YAML file.")
]
Cropped = Annotated[str, typer.Argument(help="A benchmark of region or pixel level.")]
ChosenSplit = Annotated[str, typer.Option(help="val, to choose by; test, to report.")]
Most = Annotated[int, typer.Option(help="Most records, the first ones.")]

app = typer.Typer(help="Compare settings of a trained model.", no_args_is_help=True)


@app.callback()
def experiment() -> None:
    """Compare settings of a trained model."""


@app.command()
def windows(
    benchmark: Cropped,
    most: Annotated[int, typer.Option(help="Most records of each split, the first ones.")] = 200,
    data: Annotated[Path | None, typer.Option(help="Folder of pictures; with --records.")] = None,
    records: Annotated[Path | None, typer.Option(help="As `geomag data validate` wrote.")] = None,
    profile: ProfileName = None,
    json: Figures = None,
) -> None:
    """Every window probe against plain, with oracle and random windows; gates calibrated."""
    from geomag.cli.settings import prepare
    from geomag.data.benchmarks import BENCHMARKS, Split
    from geomag.data.records import read_records
    from geomag.experiments.windows import compare_windows
    from geomag.io import write_json
    from geomag.model.assemble import trained

    _refuse_uncropped(benchmark)
    settings, root = prepare(profile)
    artifacts = root / "artifacts"
    path = records or artifacts / "records" / benchmark / "records.jsonl"
    model = trained(artifacts / "models", settings)
    validation = list(read_records(path, splits=[Split.VAL]))[:most]
    test = list(read_records(path, splits=BENCHMARKS[benchmark].test_splits))[:most]
    folder = data or root / "data" / benchmark
    result = compare_windows(model, settings, folder, validation, test, log=say)
    if json is not None:
        write_json(json, result)


@app.command()
def selection(
    benchmark: Cropped,
    most: Most = 200,
    split: ChosenSplit = "val",
    profile: ProfileName = None,
    json: Figures = None,
) -> None:
    """Margins and agreements of `answer_selection: confidence`, by what they would have kept."""
    from geomag.experiments.selection import compare_selections
    from geomag.io import write_json

    model, settings, folder, records = _of_split(benchmark, split, most, profile)
    result = compare_selections(model, settings, folder, records, log=say)
    if json is not None:
        write_json(json, result)


@app.command()
def probe(
    benchmark: Cropped,
    most: Most = 200,
    split: ChosenSplit = "val",
    profile: ProfileName = None,
    json: Figures = None,
) -> None:
    """Where Eq 4 looks under each layer, probe and window rule: pointing and crop recall."""
    from geomag.config import project_root
    from geomag.experiments.probe import compare_probes
    from geomag.io import write_json
    from geomag.tracking import run

    model, settings, folder, records = _of_split(benchmark, split, most, profile)
    result = compare_probes(model, settings, folder, records, log=say)
    for row in result["rows"]:
        params = {"benchmark": benchmark, "split": split, "setting": row["setting"]}
        with run(stage="looking", params=params, root=project_root()) as tracked:
            names = ("pointing", "crop_recall", "side")
            tracked.log_metrics({name: row[name] for name in names})
    if json is not None:
        write_json(json, result)


@app.command()
def budgets(
    benchmark: Cropped,
    most: Most = 200,
    split: ChosenSplit = "val",
    profile: ProfileName = None,
    json: Figures = None,
) -> None:
    """Scores against visual tokens: native, pooled and pruned, plain and through windows."""
    from geomag.experiments.budgets import compare_budgets
    from geomag.io import write_json

    model, settings, folder, records = _of_split(benchmark, split, most, profile)
    result = compare_budgets(model, settings, folder, records, log=say)
    if json is not None:
        write_json(json, result)


@app.command()
def pool(
    files: Annotated[
        list[Path],
        typer.Argument(help="What `experiment windows`, `keeping`, `budgets` or `4k` wrote."),
    ],
    json: Figures = None,
) -> None:
    """Several trainings as one comparison: every arm against plain, small targets apart."""
    from geomag.config.schema import ScoreConfig
    from geomag.experiments.pool import lines
    from geomag.experiments.pool import pool as pooled
    from geomag.io import write_json
    from geomag.metrics.bootstrap import Resampling

    defaults = ScoreConfig()
    result = pooled(files, Resampling(defaults.resamples, defaults.seed))
    for line in lines(result):
        typer.echo(line)
    if json is not None:
        write_json(json, result)


@app.command("4k")
def large(
    out: Annotated[Path, typer.Option(help="Folder of the scenes; drawn if they are not there.")],
    scenes: Annotated[int, typer.Option(help="How many.")] = 24,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.")] = 20250,
    draw_only: Annotated[bool, typer.Option("--draw-only", help="No model is asked.")] = False,
    view: Annotated[str | None, typer.Option(help="stitch or tokens; the profile's own.")] = None,
    profile: ProfileName = None,
    json: Figures = None,
) -> None:
    """Scenes of 4096 x 2160 with objects of 12 to 40 pixels: mIoU and crop recall of each path."""
    from geomag.io import write_json
    from geomag.outputs import check_folder
    from geomag.sample.large import RECORDS, write_large

    if not (out / RECORDS).is_file():
        check_folder(out, "--out", can_overwrite=False)
    if draw_only:
        write_large(out, seed=seed, n_scenes=scenes)
        typer.echo(f"{scenes} scenes and their {RECORDS} in {out}")
        return
    from geomag.cli.settings import prepare
    from geomag.config import override
    from geomag.experiments.large import compare_large
    from geomag.experiments.large import scenes as drawn_scenes
    from geomag.model.assemble import trained

    settings, root = prepare(profile)
    if view is not None:
        settings = override(settings, magcrop={"view": view})
    model = trained(root / "artifacts" / "models", settings)
    records = drawn_scenes(out, write_large, seed=seed, n_scenes=scenes)
    result = compare_large(model, settings, out, records, log=say)
    if json is not None:
        write_json(json, result)


def _of_split(
    benchmark: str, split: str, most: int, profile: str | None
) -> "tuple[GeoMag, Profile, Path, list[Record]]":
    """The trained model, its settings, the folder of pictures, the first records of a split."""
    from geomag.cli.settings import prepare
    from geomag.data.benchmarks import Split
    from geomag.data.records import read_records
    from geomag.errors import ConfigError
    from geomag.model.assemble import trained

    if split not in (Split.VAL, Split.TEST):
        raise ConfigError("--split", repr(split), "val or test")
    _refuse_uncropped(benchmark)
    settings, root = prepare(profile)
    path = root / "artifacts" / "records" / benchmark / "records.jsonl"
    records = list(read_records(path, splits=[Split(split)]))[:most]
    if not records:
        raise ConfigError(f"--split {split}", f"no such records in {path}", "the other split")
    model = trained(root / "artifacts" / "models", settings)
    return model, settings, root / "data" / benchmark, records


def _refuse_uncropped(benchmark: str) -> None:
    from geomag.data.benchmarks import BENCHMARKS
    from geomag.errors import ConfigError

    if benchmark not in BENCHMARKS or not BENCHMARKS[benchmark].crops:
        known = ", ".join(name for name, one in BENCHMARKS.items() if one.crops)
        raise ConfigError("benchmark", repr(benchmark), f"one that MagCrop crops: {known}")
