"""What an answer leaves in its folder beside ``answer.json``: mask, objects, pictures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomag.ask.answer_pictures import HEATMAP, OVERLAY, write_heatmap, write_overlay
from geomag.ask.mask_file import Layer, Layers, Painting, painted, write_mask
from geomag.ask.mask_table import SUFFIX
from geomag.ask.notes import parts_line
from geomag.ask.objects import MapObject, find_objects, remove_specks
from geomag.ask.options import AskOptions, Format
from geomag.ask.scene import Grid, Scene
from geomag.ask.tile_job import Tile
from geomag.ask.vectors import ObjectTable, write_geojson, write_geopackage, write_geoparquet

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


@dataclass(frozen=True, slots=True)
class AnswerFiles:
    """The writer of one answer's files."""

    scene: Scene
    tiles: Iterable[Tile]
    """Answers of all windows, read one at a time, so that memory is that of one."""
    folder: Path
    options: AskOptions

    def write(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Write masks, objects and pictures.

        Args:
            answer: Content of ``answer.json`` so far.

        Returns:
            What ``answer.json`` says of them: masks, objects, files.
        """
        layers, options = Layers(self.tiles), self.options
        if not layers:
            return {"files": self._write_pictures(answer, None, ())}
        model = parts_line(answer["model"])
        prompt, grid = answer["prompt"]["asked"], self.scene.grid
        with painted(self.scene, self.tiles, layers, self.folder) as painting:
            objects, drawn = objects_of(painting, layers, grid, options)
            tags = {"PROMPT": prompt, "MODEL": model}
            write_mask(painting.mask, self.folder / MASK, grid, layers, **tags)
            pictures = self._write_pictures(answer | drawn, painting, objects)
        table = ObjectTable(objects, prompt, model, grid)
        files = [MASK, MASK + SUFFIX, *self._write_objects(table), *pictures]
        return {**drawn, "files": files}

    def _write_objects(self, table: ObjectTable) -> list[str]:
        usual: Sequence[Format] = ("gpkg",) if table.grid.crs is None else ("gpkg", "geojson")
        files = []
        for name in self.options.formats or usual:
            file, write = _WRITERS[name]
            write(self.folder / file, table)
            files.append(file)
        return files

    def _write_pictures(
        self, answer: dict[str, Any], painting: Painting | None, objects: Sequence[MapObject]
    ) -> list[str]:
        if not self.options.pictures:
            return []
        write_overlay(self.folder / OVERLAY, self.scene, painting, objects, answer)
        write_heatmap(self.folder / HEATMAP, self.scene, self.tiles, painting, answer)
        return [OVERLAY, HEATMAP]


def objects_of(
    painting: Painting, layers: Layers, grid: Grid, options: AskOptions
) -> tuple[list[MapObject], dict[str, Any]]:
    """Objects of joined masks without specks, and what ``answer.json`` says of both."""
    least, tolerance = options.min_area_px, options.simplify_px
    n_specks = remove_specks(painting, least)
    objects = list(find_objects(painting, layers, grid, min_area_px=least, simplify_px=tolerance))
    counts = {"min_area_px": least, "simplify_px": tolerance, "removed": n_specks}
    return objects, {"masks": [_summed(one, objects) for one in layers], "objects": counts}


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
