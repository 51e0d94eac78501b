"""``geomag train``: the jobs that make weights, one command a pipeline stage."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geomag.cli.options import Overwrite
from geomag.cli.stopping import stopping_quietly
from geomag.progress import say

if TYPE_CHECKING:
    from geomag.config.schema import Profile as Settings

app = typer.Typer(help="Train the parts of the model, a stage at a time.", no_args_is_help=True)

Profile = Annotated[str | None, typer.Option(help="sample, laptop, small, paper, or a YAML file.")]


@app.command()
def granularity(
    out: Annotated[
        Path | None, typer.Option(help="Default: artifacts/models/granularity of the project.")
    ] = None,
    profile: Profile = None,
    overwrite: Overwrite = False,
) -> None:
    """Task Granularity Classifier: image, region or pixel, from the words of a query."""
    from geomag.config import load_profile, project_root
    from geomag.line_profile import line_profile
    from geomag.magcrop.text_encoder import build_text_encoder
    from geomag.outputs import check_folder
    from geomag.train.granularity.fit import train_granularity

    if out is not None:
        check_folder(out, "--out", overwrite=overwrite)
    settings = load_profile(profile) if out else line_profile(profile)
    run = train_granularity(
        settings.granularity,
        build_text_encoder(settings.text_encoder),
        out or project_root() / "artifacts" / "models" / "granularity",
        log=say,
    )
    unseen = run.metrics["unseen_templates"]
    typer.echo(f"truth \\ answer   {'  '.join(unseen['labels'])}")
    for label, row in zip(unseen["labels"], unseen["confusion"], strict=True):
        typer.echo(f"{label:<14} " + "  ".join(f"{count:>6}" for count in row))


@app.command()
def base(
    profile: Profile = None,
    release: Annotated[
        bool,
        typer.Option(help="Train tiny models whatever the profile pins, and make them its own."),
    ] = False,
) -> None:
    """Base models: a manifest of the weights that the profile pins, or tiny ones trained here."""
    from geomag.config import flat_params, override, profile_text, project_root
    from geomag.line_profile import line_profile
    from geomag.manifest import RELEASED, resolve_path
    from geomag.sample.pretrain.base import make_base
    from geomag.tracking import run
    from geomag.train.checkpoint import one_training
    from geomag.train.projector import make_composed_base
    from geomag.versions import code_identity

    settings, root = line_profile(profile), project_root()
    out, work = root / "artifacts" / "models" / "base", root / "work" / "base"
    if release:
        settings = override(settings, vlm={"path": ""}, encoder={"path": ""})
        out = resolve_path(RELEASED)
    typer.echo(profile_text(settings))
    tracking = run(stage="base", params=flat_params(settings), root=root)
    with one_training(work), tracking as tracked, stopping_quietly():
        code = code_identity(root, "base")
        if settings.vlm.is_composed:
            rows = make_composed_base(settings, out, work, root=root, code=code, log=say)
        else:
            rows = make_base(settings, out, work, code=code, log=say)
        for row in rows:
            prefix = f"{row['job']}.{row['phase']}"
            values = {f"{prefix}.{k}": float(v) for k, v in row.items() if isinstance(v, float)}
            tracked.log_metrics(values, step=int(row["step"]))


@app.command()
def model(profile: Profile = None) -> None:
    """LoRA adapter, Text Projection and Pixel Decoder, jointly over the training benchmarks."""
    from geomag.cli.settings import prepare
    from geomag.config import profile_text
    from geomag.train.checkpoint import one_training

    settings, root = prepare(profile, for_line=True)
    typer.echo(profile_text(settings))
    with one_training(root / "work" / "train"):
        _train_model(settings, root)


def _train_model(settings: "Settings", root: Path) -> None:
    from geomag.config import flat_params
    from geomag.resume import identity_digest
    from geomag.tracking import run
    from geomag.train.model import has_checkpoint, identity, train_model
    from geomag.versions import code_identity, path_md5

    inputs = identity(settings, root, code_identity(root, "train"))
    tracking = run(
        stage="train",
        params=flat_params(settings),
        tags={"checkpoint.identity": identity_digest(inputs)},
        resumes=has_checkpoint(root, inputs),
        root=root,
    )
    with tracking as tracked, stopping_quietly():

        def on_metrics(step: int, means: dict[str, float]) -> None:
            tracked.log_metrics(means, step=step)

        digests = train_model(settings, root, inputs=inputs, log=say, on_metrics=on_metrics)
        for part in ("adapter", "decoder"):
            md5 = path_md5(root / "artifacts" / "models" / part)
            tracked.log_part(part, md5=md5, params=flat_params(settings))
    typer.echo(f"adapter {digests['adapter']}, decoder {digests['decoder']}")
