"""``geomag ask``: a question about one image or GeoTIFF; text, mask and objects."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from geomag.cli.options import Overwrite
from geomag.cli.predict import Arm
from geomag.progress import say


class ObjectFormat(StrEnum):
    """Format of the objects' file."""

    GPKG = "gpkg"
    GEOJSON = "geojson"
    GEOPARQUET = "geoparquet"


def ask(
    image: Annotated[str, typer.Argument(help="A JPEG, PNG or GeoTIFF file.")],
    prompt: Annotated[str, typer.Argument(help='Such as "Mark the red ship with a mask."')],
    out: Annotated[
        Path | None,
        typer.Option(help="Default: NAME.DIGEST.geomag beside the image, DIGEST of the prompt."),
    ] = None,
    format: Annotated[
        list[ObjectFormat] | None,
        typer.Option(help="Format of the objects; may be repeated. Default: gpkg and geojson."),
    ] = None,
    bands: Annotated[str, typer.Option(help="Red, green, blue (or one grey), from 1.")] = "",
    arm: Annotated[
        Arm, typer.Option(help="Answer with MagCrop, or about the whole image.")
    ] = Arm.MAGCROP,
    tile: Annotated[int, typer.Option(help="Side of a window, in pixels.")] = 1024,
    overlap: Annotated[int, typer.Option(help="Overlap of neighbouring windows, in pixels.")] = 128,
    min_area: Annotated[
        int, typer.Option(help="Pixels below which a piece or a hole of a mask is noise.")
    ] = 8,
    simplify: Annotated[
        float, typer.Option(help="Pixels an outline may be moved by to have fewer corners.")
    ] = 0.0,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="One answer for all of a large scene, not one a window."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Only what an earlier run left.")
    ] = False,
    overwrite: Overwrite = False,
    profile: Annotated[
        str | None, typer.Option(help="sample, laptop, small, paper, or a YAML file.")
    ] = None,
) -> None:
    """Ask about an image; masks come back on its own grid, with CRS, as raster and polygons."""
    from geomag.ask.answer import ask_image, check
    from geomag.ask.answer_folder import default_folder
    from geomag.ask.bands import band_numbers
    from geomag.ask.options import AskOptions
    from geomag.cli.settings import prepare
    from geomag.inference.prompt import read_prompt

    options = AskOptions(
        bands=band_numbers(bands),
        arm=arm.value,
        tile_px=tile,
        overlap_px=overlap,
        formats=tuple(one.value for one in format or ()),
        whole=whole,
        min_area_px=min_area,
        simplify_px=simplify,
        resume=resume,
        overwrite=overwrite,
    )
    path = Path(image)
    folder = out or default_folder(path, read_prompt(prompt).text)
    check(image, prompt, folder, options)
    settings, root = prepare(profile)
    from geomag.inference.pipeline import Pipeline

    pipeline = Pipeline.load(root / "artifacts" / "models", settings)
    answer = ask_image(pipeline, path, prompt, folder, options, log=partial(say, err=True))
    typer.echo(summary(answer, folder))
    if answer["status"] == "partial":
        raise typer.Exit(1)


def summary(answer: dict[str, Any], folder: Path) -> str:
    """The answer's text, its masks, notes and files, a line each."""
    from geomag.ask.notes import counted

    level, share = answer["granularity"], answer["granularity_confidence"]
    silent = "(masks, no words)" if answer.get("masks") else "(no words)"
    lines = [answer["text"] or silent, f"  granularity: {level}, probability {share:.2f}"]
    lines += [
        f"  mask {m['value']}: {m['phrase']}, {m['area_px']:,} pixels in "
        f"{counted(m['objects'], 'object')}, "
        f"score {m['score']:.2f}"
        for m in answer.get("masks", ())
    ]
    lines += [f"  note: {note}" for note in answer["notes"]]
    files = ", ".join(["answer.json", *answer.get("files", ())])
    return "\n".join([*lines, f"  {folder}: {files}"])
