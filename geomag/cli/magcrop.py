"""``geomag magcrop``: see where the model looks and what it is shown."""

from pathlib import Path
from typing import Annotated

import typer

from geomag.cli.options import Overwrite


def magcrop(
    image: Annotated[str, typer.Argument(help="A JPEG, PNG or GeoTIFF file.")],
    prompt: Annotated[str, typer.Argument(help="What would be asked.")],
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")],
    bands: Annotated[str, typer.Option(help="Red, green, blue (or one grey), from 1.")] = "",
    overwrite: Overwrite = False,
    profile: Annotated[
        str | None, typer.Option(help="sample, laptop, small, paper, or a YAML file.")
    ] = None,
) -> None:
    """Draw what the window is chosen by, the window, and the views that the model reads."""
    from geomag.ask.answer_folder import AnswerFolder
    from geomag.ask.bands import band_numbers
    from geomag.ask.pictures import FILES, magcrop_pictures
    from geomag.ask.scene import open_scene
    from geomag.cli.settings import prepare
    from geomag.inference.prompt import read_prompt

    with open_scene(image, band_numbers(bands)) as scene:
        pixels = scene.whole()
    folder = AnswerFolder(out, "magcrop", Path(image), read_prompt(prompt).text, FILES)
    folder.check(overwrite=overwrite)
    settings, root = prepare(profile)
    from geomag.inference.pipeline import Pipeline

    pipeline = Pipeline.load(root / "artifacts" / "models", settings)
    with folder.filling() as fresh:
        facts = magcrop_pictures(pipeline, pixels, prompt, fresh)
    share = facts["heat_share"]
    typer.echo(
        f"granularity {facts['granularity']} ({facts['granularity_confidence']:.2f}), "
        f"crops {facts['crop_boxes'] or 'none'}, "
        f"{'' if share is None else f'{share:.0%} of the heat, '}"
        f"{facts['visual_tokens']} visual tokens"
    )
    for note in facts["notes"]:
        typer.echo(f"  note: {note}")
    typer.echo(f"{out}: {', '.join(name for name in FILES if (out / name).is_file())}")
