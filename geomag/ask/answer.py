"""`geomag ask` whole: one image and one prompt to a text, a mask on its grid, objects, provenance.

``answer.json`` is written last: where it stands, everything it names is whole.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from geomag.ask.answer_files import ANSWER, FILES, AnswerFiles
from geomag.ask.answer_folder import AnswerFolder
from geomag.ask.bands import choose_bands
from geomag.ask.notes import notes_of, plain_text
from geomag.ask.options import AskOptions
from geomag.ask.raster_io import opened
from geomag.ask.scene import MAX_WHOLE_PIXELS, open_scene
from geomag.ask.scene_answer import options_for, scene_rule, scene_text
from geomag.ask.tile_job import Tile, TiledAnswers, TileJournal, ask_tiles
from geomag.ask.tiling import scene_windows
from geomag.errors import GeoMagError
from geomag.geometry import PixelBox
from geomag.inference.output import Arm, PipelineOutput
from geomag.inference.prompt import Prompt, read_prompt
from geomag.io import write_json
from geomag.magcrop.compose import RgbImage


class Answering(Protocol):
    """What a model does for a scene; `geomag.inference.pipeline.Pipeline` does it."""

    def identity(self) -> dict[str, Any]:
        """Digests that an answer depends on; ``model`` names the parts'."""
        ...

    def fit(self, prompt: Prompt) -> Prompt:
        """The prompt in the wording of training, cut to the model's room."""
        ...

    def ask(self, image: RgbImage, prompt: Prompt, *, arm: Arm = "magcrop") -> PipelineOutput:
        """Answer about one picture."""
        ...


def check(image: str | Path, words: str, out: Path, options: AskOptions) -> None:
    """Refuse what a header, the options and the folder give away, before a model is loaded.

    Raises:
        GeoMagError: As `ask_image`.
    """
    prompt = read_prompt(words)
    options.check()
    with opened(image) as dataset:
        choose_bands(dataset, options.bands)
        _windows(image, dataset.width, dataset.height, options)
    _folder(Path(image), prompt, out, options)


def _folder(image: Path, prompt: Prompt, out: Path, options: AskOptions) -> AnswerFolder:
    """The folder of the answer, which may be filled."""
    folder = AnswerFolder(out, "ask", image, prompt.text, FILES)
    folder.check(overwrite=options.overwrite, resume=options.resume)
    return folder


def ask_image(
    model: Answering,
    image: str | Path,
    words: str,
    out: Path,
    options: AskOptions,
    *,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Ask one prompt about one image and write what came of it to a folder.

    Args:
        model: Loaded once, asked as often as there are windows.
        image: A JPEG, PNG or GeoTIFF on this disk.
        words: The prompt as a person gave it.
        out: Gets ``answer.json`` and, where masks were drawn, ``mask.tif`` and the objects; must
            be new, empty, or hold an earlier answer to the same prompt about the same image.
        options: Bands, windows, formats.
        log: Told of windows that failed.

    Returns:
        The content of ``answer.json``; its ``status`` is ``partial`` when a window failed.

    Raises:
        GeoMagError: If the image, the prompt, the folder or an option is wrong; nothing is lost.
    """
    asked = read_prompt(words)
    options.check()
    prompt = model.fit(asked)
    with open_scene(image, options.bands) as scene:
        grid = scene.grid
        boxes, options = _asked_about(image, grid.width, grid.height, prompt, options)
        folder = _folder(scene.path, asked, out, options)
        image_facts = {**scene.facts(), "sha256": folder.image_digest}
        identity = identity_of(model, image_facts, words, prompt, options)
        with folder.filling() as fresh:
            journal = TileJournal(folder.private, identity, resume=options.resume)
            try:
                answer_one = partial(model.ask, prompt=prompt, arm=options.arm)
                tiles = ask_tiles(scene, boxes, answer_one, journal, log=log)
                answer = {**identity, **said(tiles, prompt)}
                answer |= AnswerFiles(scene, tiles, fresh, options).write(answer)
            except GeoMagError:  # the input is refused: nothing here to go on from
                journal.remove()
                raise
            answer["notes"] += notes_of(answer, grid, is_usual_format=not options.formats)
            write_json(fresh / ANSWER, answer)
    if answer["status"] == "whole":
        journal.remove()
    return answer


def identity_of(
    model: Answering,
    image_facts: dict[str, Any],
    words: str,
    prompt: Prompt,
    options: AskOptions,
) -> dict[str, Any]:
    """What an answer depends on: weights, settings, image, prompt, arm and windows."""
    windows = {"tile_px": options.tile_px, "overlap_px": options.overlap_px}
    return {
        **model.identity(),
        "image": image_facts,
        "prompt": {
            "given": words,
            "asked": prompt.text,
            "task": prompt.task and prompt.task.value,
            "task_confidence": round(prompt.task_confidence, 4),
        },
        "arm": options.arm,
        "windows": "whole" if options.whole else windows,
    }


def _windows(image: str | Path, width: int, height: int, options: AskOptions) -> Sequence[PixelBox]:
    """What the model is asked about, one by one."""
    if not options.whole:
        return scene_windows(width, height, tile_px=options.tile_px, overlap_px=options.overlap_px)
    if width * height > MAX_WHOLE_PIXELS:
        raise GeoMagError(
            "--whole",
            f"{str(image)!r} has {width * height:,} pixels",
            f"at most {MAX_WHOLE_PIXELS:,} for a question about the whole",
            "ask without --whole, window by window: what is there, how many, where",
        )
    return [PixelBox(0, 0, width, height)]


def _asked_about(
    image: str | Path, width: int, height: int, prompt: Prompt, options: AskOptions
) -> tuple[Sequence[PixelBox], AskOptions]:
    """Windows of a scene, or its whole where the kind of question asks for that, and the options.

    The rule is for scenes of several windows; of one window the options stay as they are.
    """
    if len(_windows(image, width, height, options)) > 1:
        options = options_for(scene_rule(prompt), options)
    return _windows(image, width, height, options), options


def said(tiles: TiledAnswers, prompt: Prompt) -> dict[str, Any]:
    """Texts, windows looked at, tokens and seconds, summed over the scene."""
    texts: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    states: Counter[str] = Counter()
    granularity, confidence, looks, failed, tokens, cut_short = "none", 1.0, [], [], 0, 0
    for tile in tiles:
        states[tile.state] += 1
        if tile.failure:
            failed.append({"box": list(tile.box.as_ints()), "reason": tile.failure})
        if (output := tile.output) is None:
            continue
        texts[plain_text(output.text)] += 1
        seconds.update(output.seconds or {})
        tokens += output.visual_tokens
        cut_short += output.n_incomplete
        granularity, confidence = output.granularity, output.granularity_confidence
        looks.append(_look(tile, output))
    rule, ranked = scene_rule(prompt), dict(texts.most_common())
    text, how = scene_text(rule, ranked)
    return {
        "status": "partial" if failed else "whole",
        "text": text,
        "text_rule": rule.value,
        "texts": ranked,
        "granularity": granularity,
        "granularity_confidence": round(confidence, 4),
        "looks": looks,
        "visual_tokens": tokens,
        "incomplete_masks": cut_short,
        "seconds": {phase: round(spent, 4) for phase, spent in seconds.items()},
        "tiles": {"count": len(tiles.boxes), **states, "failures": failed},
        "notes": [*prompt.notes, *([how] if how else [])],
    }


def _look(tile: Tile, output: PipelineOutput) -> dict[str, Any]:
    return {
        "window": list(tile.box.as_ints()),
        "said": output.text,
        "crop_boxes": [list(box.as_ints()) for box in output.crop_boxes],
        "granularity_confidence": round(output.granularity_confidence, 4),
    }
