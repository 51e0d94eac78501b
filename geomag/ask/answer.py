"""`geomag ask` whole: one image and one prompt to a text, a mask on its grid, objects, provenance.

``answer.json`` is written last: where it stands, everything it names is whole.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from geomag.ask.answer_folder import AnswerFolder
from geomag.ask.answer_pictures import HEATMAP, OVERLAY, write_heatmap, write_overlay
from geomag.ask.bands import choose_bands
from geomag.ask.geojson import write_geojson
from geomag.ask.geopackage import write_geopackage
from geomag.ask.geoparquet import write_geoparquet
from geomag.ask.mask_file import Layer, Layers, Painting, painted, write_mask
from geomag.ask.mask_table import SUFFIX
from geomag.ask.notes import notes_of, plain_text
from geomag.ask.objects import MIN_AREA_PX, MapObject, find_objects, remove_specks
from geomag.ask.objects_file import ObjectTable
from geomag.ask.raster_io import opened
from geomag.ask.scene import MAX_WHOLE_PIXELS, Scene, open_scene
from geomag.ask.tile_job import Tile, TiledAnswers, TileJournal, ask_tiles
from geomag.ask.tiling import scene_windows
from geomag.errors import GeoMagError
from geomag.geometry import PixelBox
from geomag.inference.answer import Arm, Reply
from geomag.inference.prompt import Prompt, read_prompt
from geomag.io import write_json
from geomag.magcrop.compose import RgbImage

Format = Literal["gpkg", "geojson", "geoparquet"]
ANSWER, MASK = "answer.json", "mask.tif"
_WRITERS: Mapping[Format, tuple[str, Callable[[Path, ObjectTable], None]]] = {
    "gpkg": ("objects.gpkg", write_geopackage),
    "geojson": ("objects.geojson", write_geojson),
    "geoparquet": ("objects.parquet", write_geoparquet),
}
FILES = (
    MASK,
    MASK + SUFFIX,
    *(name for name, _ in _WRITERS.values()),
    OVERLAY,
    HEATMAP,
    ANSWER,
)
"""All that an answer's folder may hold; ``answer.json`` is moved in last."""


class Answering(Protocol):
    """What a model does for a scene; `geomag.inference.pipeline.Pipeline` does it."""

    def identity(self) -> dict[str, Any]:
        """Digests that an answer depends on; ``model`` names the parts'."""
        ...

    def fit(self, prompt: Prompt) -> Prompt:
        """The prompt in the wording of training, cut to the model's room."""
        ...

    def ask(self, image: RgbImage, prompt: Prompt, *, arm: Arm = "magcrop") -> Reply:
        """Answer about one picture."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """How a scene is asked."""

    bands: tuple[int, ...] = ()
    """One or three, counted from 1; empty: the file's own colours."""
    arm: Arm = "magcrop"
    tile_px: int = 1024
    overlap_px: int = 128
    formats: tuple[Format, ...] = ()
    """Of the objects; empty: GeoPackage, and GeoJSON where there is a CRS."""
    whole: bool = False
    """Ask once about all of it instead of each window on its own (``magcrop.large_probe``)."""
    resume: bool = False
    """Go on with the windows that an earlier run left."""
    min_area_px: int = MIN_AREA_PX
    """Smaller pieces of a mask are removed and smaller holes filled."""
    simplify_px: float = 0.0
    """How far an outline may be moved to have fewer corners; 0 follows the pixels."""
    pictures: bool = True
    """Whether ``overlay.png`` and ``heatmap.png`` are drawn too."""
    overwrite: bool = False
    """Write to a folder that is not ours, or holds another answer; never over the image."""


def check(image: str | Path, words: str, out: Path, options: AskOptions) -> None:
    """Refuse what a header, the options and the folder give away, before a model is loaded.

    Raises:
        GeoMagError: As `ask_image`.
    """
    prompt = read_prompt(words)
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
        log: Told of progress.

    Returns:
        The content of ``answer.json``; its ``status`` is ``partial`` when a window failed.

    Raises:
        GeoMagError: If the image, the prompt, the folder or an option is wrong; the folder is as
            it was.
    """
    asked = read_prompt(words)
    prompt = model.fit(asked)
    with open_scene(image, options.bands) as scene:
        grid = scene.grid
        boxes = _windows(image, grid.width, grid.height, options)
        folder = _folder(scene.path, asked, out, options)
        windows = {"tile_px": options.tile_px, "overlap_px": options.overlap_px}
        identity = {
            **model.identity(),
            "image": {**scene.facts(), "sha256": folder.image_digest},
            "prompt": {
                "given": words,
                "asked": prompt.text,
                "task": prompt.task and prompt.task.value,
                "task_confidence": round(prompt.task_confidence, 4),
            },
            "arm": options.arm,
            "windows": "whole" if options.whole else windows,
        }
        with folder.filling() as fresh:
            journal = TileJournal(folder.private, identity, resume=options.resume)
            try:
                tiles = ask_tiles(
                    scene, boxes, lambda p: model.ask(p, prompt, arm=options.arm), journal, log=log
                )
                answer = {**identity, **_said(tiles, prompt)}
                answer |= _draw(scene, tiles, fresh, options, answer)
            except GeoMagError:  # the input is refused: nothing here to go on from
                journal.remove()
                raise
            answer["notes"] += notes_of(answer, grid, is_usual_format=not options.formats)
            write_json(fresh / ANSWER, answer)
    if answer["status"] == "whole":
        journal.remove()
    return answer


def _windows(image: str | Path, width: int, height: int, options: AskOptions) -> Sequence[PixelBox]:
    """What the model is asked about, one by one."""
    if not options.whole:
        return scene_windows(width, height, tile_px=options.tile_px, overlap_px=options.overlap_px)
    if width * height > MAX_WHOLE_PIXELS:
        raise GeoMagError(
            "--whole",
            f"{str(image)!r} has {width * height:,} pixels",
            f"at most {MAX_WHOLE_PIXELS:,}",
            "ask without --whole, window by window",
        )
    return [PixelBox(0, 0, width, height)]


def _said(tiles: TiledAnswers, prompt: Prompt) -> dict[str, Any]:
    """Texts, windows looked at, tokens and seconds, summed over the scene."""
    texts: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    states: Counter[str] = Counter()
    granularity, confidence, looks, failed, tokens, cut_short = "none", 1.0, [], [], 0, 0
    for tile in tiles:
        states[tile.state] += 1
        if tile.failure:
            failed.append({"box": list(tile.box.as_ints()), "reason": tile.failure})
        if (reply := tile.reply) is None:
            continue
        texts[plain_text(reply.text)] += 1
        seconds.update(reply.seconds or {})
        tokens += reply.visual_tokens
        cut_short += reply.n_incomplete
        granularity, confidence = reply.granularity, reply.confidence
        looks.append(_look(tile, reply))
    return {
        "status": "partial" if failed else "whole",
        "text": texts.most_common(1)[0][0] if texts else "",
        "texts": dict(texts.most_common()),
        "granularity": granularity,
        "granularity_confidence": round(confidence, 4),
        "looks": looks,
        "visual_tokens": tokens,
        "incomplete_masks": cut_short,
        "seconds": {phase: round(spent, 4) for phase, spent in seconds.items()},
        "tiles": {"count": len(tiles.boxes), **states, "failures": failed},
        "notes": list(prompt.notes),
    }


def _look(tile: Tile, reply: Reply) -> dict[str, Any]:
    return {
        "window": list(tile.box.as_ints()),
        "said": reply.text,
        "crop_boxes": [list(box.as_ints()) for box in reply.crop_boxes],
        "granularity_confidence": round(reply.confidence, 4),
    }


def _draw(
    scene: Scene, tiles: TiledAnswers, out: Path, options: AskOptions, answer: dict[str, Any]
) -> dict[str, Any]:
    """Write masks, objects and pictures; returns what ``answer.json`` says of them."""
    layers = Layers(tiles)
    if not layers:
        files = _write_pictures(scene, tiles, out, options, answer, None, ())
        return {"files": files} if files else {}
    model = " ".join(f"{part}:{digest}" for part, digest in answer["model"].items())
    prompt = answer["prompt"]["asked"]
    with painted(scene, tiles, layers, out) as painting:
        n_specks = remove_specks(painting, options.min_area_px)
        least, tolerance = options.min_area_px, options.simplify_px
        objects = list(
            find_objects(painting, layers, scene.grid, min_area_px=least, simplify_px=tolerance)
        )
        write_mask(painting.mask, out / MASK, scene.grid, layers, PROMPT=prompt, MODEL=model)
        drawn: dict[str, Any] = {
            "masks": [_summed(layer, objects) for layer in layers],
            "objects": {
                "min_area_px": least,
                "simplify_px": tolerance,
                "removed": n_specks,
            },
        }
        pictures = _write_pictures(scene, tiles, out, options, answer | drawn, painting, objects)
    table = ObjectTable(objects, prompt, model, scene.grid)
    files = [MASK, MASK + SUFFIX]
    for name in options.formats or _usual_formats(scene):
        file, write = _WRITERS[name]
        write(out / file, table)
        files.append(file)
    return {**drawn, "files": [*files, *pictures]}


def _summed(layer: Layer, objects: Sequence[MapObject]) -> dict[str, Any]:
    """What ``answer.json`` says of one mask: its score is its objects', by their area."""
    own = [one for one in objects if one.mask == layer.number]
    area = sum(one.area_px for one in own)
    score = sum(one.score * one.area_px for one in own) / area if area else 0.0
    return {
        "value": layer.number,
        "phrase": layer.phrase,
        "score": round(score, 4),
        "area_px": area,
        "objects": len(own),
    }


def _write_pictures(
    scene: Scene,
    tiles: TiledAnswers,
    out: Path,
    options: AskOptions,
    answer: dict[str, Any],
    painting: Painting | None,
    objects: Sequence[MapObject],
) -> list[str]:
    """The pictures' names; none where they were not asked for."""
    if not options.pictures:
        return []
    write_overlay(out / OVERLAY, scene, painting, objects, answer)
    write_heatmap(out / HEATMAP, scene, tiles, painting, answer)
    return [OVERLAY, HEATMAP]


def _usual_formats(scene: Scene) -> Sequence[Format]:
    return ("gpkg",) if scene.grid.crs is None else ("gpkg", "geojson")
