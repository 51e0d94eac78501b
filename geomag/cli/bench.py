"""``geomag bench``: measure what the design promises, on this machine."""

from typing import Annotated, Any

import typer

from geomag.cli.old_names import GroupWithOldNames
from geomag.cli.options import Figures
from geomag.progress import say

app = typer.Typer(
    help="Measure seconds, memory and tokens.", no_args_is_help=True, cls=GroupWithOldNames
)


@app.callback()
def bench() -> None:
    """Measure seconds, memory and tokens."""


@app.command()
def probe(
    tokens: Annotated[
        list[int] | None, typer.Option(help="Sequence length; may be repeated. 640 and 1152.")
    ] = None,
    layers: Annotated[int, typer.Option(help="Decoder layers.")] = 8,
    width: Annotated[int, typer.Option(help="Hidden width.")] = 768,
    heads: Annotated[int, typer.Option(help="Attention heads.")] = 12,
    repeats: Annotated[int, typer.Option(help="Runs per variant; the fastest counts.")] = 3,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    json: Figures = None,
) -> None:
    """Eq 4 probe against all-layer attention matrices and a full backward pass."""
    from geomag.bench.probe import bench_probe
    from geomag.io import write_json

    sizes: dict[str, Any] = {"layers": layers, "width": width, "heads": heads}
    sizes |= {"repeats": repeats, "device": device, "dtype": dtype}
    result = bench_probe(tokens or [640, 1152], log=say, **sizes)
    if json is not None:
        write_json(json, result)


@app.command()
def score(
    share: Annotated[float, typer.Option(help="Share of the real record counts.")] = 1.0,
    benchmark: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be repeated.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Sets scored at once.")] = 2,
    json: Figures = None,
) -> None:
    """Scoring of all ten test sets at their real sizes, with made-up content."""
    from geomag.bench.score import bench_score
    from geomag.io import write_json

    result = bench_score(share=share, only=benchmark, jobs=jobs, log=say)
    if json is not None:
        write_json(json, result)


@app.command()
def answer(
    full_size: Annotated[
        bool, typer.Option(help="Count at 7B sizes too, on the meta device; about a minute.")
    ] = True,
    runs: Annotated[int, typer.Option(help="Timed runs per phase; the fastest counts.")] = 15,
    profile: Annotated[str, typer.Option(help="Whose sizes are timed.")] = "sample",
    json: Figures = None,
) -> None:
    """Tokens, TFLOP and seconds of one answer by phase: plain, stitched, mixed resolution."""
    from geomag.bench.answer import bench_answer
    from geomag.config import load_profile
    from geomag.io import write_json
    from geomag.sample.untrained import untrained_model

    small = untrained_model(load_profile(profile))
    result = bench_answer(small, full_size=full_size, runs=runs, log=say)
    if json is not None:
        write_json(json, result)


@app.command()
def prefix(
    questions: Annotated[int, typer.Option(help="About one image.")] = 32,
    full_size: Annotated[
        bool, typer.Option(help="Count at 7B sizes too, on the meta device.")
    ] = True,
    runs: Annotated[int, typer.Option(help="Timed runs; the fastest counts.")] = 7,
    profile: Annotated[str, typer.Option(help="Whose sizes are timed.")] = "sample",
    json: Figures = None,
) -> None:
    """Many questions about one image: read once for all, against read once for each."""
    from geomag.bench.prefix import bench_prefix
    from geomag.config import load_profile
    from geomag.io import write_json
    from geomag.sample.untrained import untrained_model

    settings = load_profile(profile)
    result = bench_prefix(
        untrained_model(settings),
        settings,
        n_questions=questions,
        runs=runs,
        full_size=full_size,
        log=say,
    )
    if json is not None:
        write_json(json, result)


@app.command()
def masks(
    count: Annotated[int, typer.Option(help="Expressions, one mask each.")] = 1000,
    json: Figures = None,
) -> None:
    """Mask metrics on runs against the decoding loop of LAVT's scorer."""
    from geomag.bench.masks import bench_masks
    from geomag.io import write_json

    result = bench_masks(n_masks=count, log=say)
    if json is not None:
        write_json(json, result)
