"""What GeoMag answered about one picture, and what to do with it: show, map, keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geomag.ask.notes import plain_text
from geomag.errors import GeoMagError
from geomag.geometry import BoolMask, PixelBox, encode_mask
from geomag.inference.output import PipelineOutput
from geomag.inference.prompt import Prompt
from geomag.io import write_json
from geomag.magcrop.compose import RgbImage
from geomag.manifest import publish

if TYPE_CHECKING:
    from PIL.Image import Image

    from geomag.ask.scene import Grid

_OPACITY = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Words and masks about one picture, the picture, and how they came about."""

    output: PipelineOutput = field(repr=False)
    """Output of the pipeline, which the properties below are read from."""
    asked: Prompt
    """The prompt with its task."""
    image: RgbImage = field(repr=False)
    """The picture that was asked about, ``uint8 [H, W, 3]``."""
    grid: "Grid | None" = field(default=None, repr=False)
    """Place of the picture on the ground; None for a plain picture."""
    model: str = ""
    """Digests of the parts that answered."""

    @property
    def text(self) -> str:
        """The words without the model's own tokens; empty where it only drew."""
        return plain_text(self.output.text)

    @property
    def raw_text(self) -> str:
        """The words with ``[SEG]`` for each mask and ``<p>`` around phrases."""
        return self.output.text

    @property
    def masks(self) -> tuple[BoolMask, ...]:
        """``[H, W]`` each, in order of the words."""
        return tuple(mask.pixels for mask in self.output.masks)

    @property
    def phrases(self) -> tuple[str, ...]:
        """What each mask is of."""
        return tuple(mask.phrase for mask in self.output.masks)

    @property
    def mask_scores(self) -> tuple[float, ...]:
        """Mean foreground probability inside each mask, in [0, 1]."""
        return tuple(mask.score for mask in self.output.masks)

    @property
    def confidence(self) -> float:
        """Mean of the masks' scores; of words alone the geometric mean probability of a token."""
        scores = self.mask_scores
        return sum(scores) / len(scores) if scores else self.output.text_confidence

    @property
    def prompt(self) -> str:
        """What the model was asked, in the wording of its training."""
        return self.asked.text

    @property
    def task(self) -> str | None:
        """Task of the prompt; None where it was not clear, and the words were asked as they are."""
        return self.asked.task and self.asked.task.value

    @property
    def task_confidence(self) -> float:
        """Probability that the classifier gives, in [0, 1]."""
        return self.asked.task_confidence

    @property
    def granularity(self) -> str:
        """Level: image, region or pixel; ``none`` where the picture was left as it is."""
        return self.output.granularity

    @property
    def granularity_confidence(self) -> float:
        """Probability that the classifier gives, in [0, 1]."""
        return self.output.granularity_confidence

    @property
    def windows(self) -> tuple[PixelBox, ...]:
        """C_1, or C_1 and C_2, in pixels; empty where the answer is about the whole picture."""
        return self.output.crop_boxes

    @property
    def heatmap(self) -> NDArray[np.float32] | None:
        """``[gh, gw]`` over the picture (Eq 4); None where nothing was probed."""
        return self.output.heat

    @property
    def visual_tokens(self) -> int:
        """Visual tokens that the answer was read from."""
        return self.output.visual_tokens

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds by phase."""
        return self.output.seconds or {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know before trusting it."""
        return self.asked.notes

    def plot(self) -> "Image":
        """The picture with its masks in colours and its windows as frames, as a PIL image."""
        from PIL import Image, ImageDraw

        from geomag.ask.mask_table import colour

        pixels = self.image.astype(np.float64)
        for number, mask in enumerate(self.masks, start=1):
            pixels[mask] = (1 - _OPACITY) * pixels[mask] + _OPACITY * np.array(colour(number))
        picture = Image.fromarray(pixels.round().astype(np.uint8))
        draw = ImageDraw.Draw(picture)
        for box in self.windows:
            x0, y0, x1, y1 = box.as_ints()
            draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=(255, 210, 0))
        return picture

    def plot_heatmap(self, heatmap: NDArray[np.float32] | None = None) -> "Image":
        """The picture under a map of where the model looked, as a PIL image.

        Args:
            heatmap: ``[gh, gw]``, such as `GeoMag.heatmap` gives; None: the answer's own.

        Raises:
            GeoMagError: If there is none, because nothing was probed for the answer.
        """
        from PIL import Image

        from geomag.ask.drawing import with_heat

        shown = self.heatmap if heatmap is None else heatmap
        if shown is None:
            raise GeoMagError(
                "heatmap", "nothing was probed for this answer", remedy="give `GeoMag.heatmap`'s"
            )
        return Image.fromarray(with_heat(self.image, shown))

    def to_geodataframe(self) -> Any:
        """A `geopandas.GeoDataFrame`, one row an object of a mask, as ``objects.gpkg`` has it.

        Columns are those of `geomag.ask.vectors.COLUMNS`; polygons are in the picture's CRS, or in
        pixels where it has none. Every piece of a mask is an object, however small.
        """
        from affine import Affine

        from geomag.ask.objects import objects_of_masks
        from geomag.ask.scene import Grid
        from geomag.ask.vectors import ObjectTable

        height, width = self.image.shape[:2]
        grid = self.grid or Grid(width, height, Affine.identity(), None)
        objects = objects_of_masks(self.output.masks, grid)
        return ObjectTable(objects, self.prompt, self.model, grid).frame()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the picture, for JSON: masks run-length coded, the heatmap as lists."""
        return {
            "text": self.text,
            "raw_text": self.raw_text,
            "prompt": self.prompt,
            "task": self.task,
            "task_confidence": round(self.task_confidence, 4),
            "granularity": self.granularity,
            "granularity_confidence": round(self.granularity_confidence, 4),
            "confidence": round(self.confidence, 4),
            "masks": [
                {"phrase": mask.phrase, "score": round(mask.score, 4), **encode_mask(mask.pixels)}
                for mask in self.output.masks
            ],
            "windows": [list(box.as_ints()) for box in self.windows],
            "heatmap": None if self.heatmap is None else self.heatmap.tolist(),
            "visual_tokens": self.visual_tokens,
            "seconds": {phase: round(spent, 4) for phase, spent in self.seconds.items()},
            "model": self.model,
            "notes": list(self.notes),
        }

    def save(self, folder: str | Path) -> None:
        """Write ``answer.json``, ``overlay.png`` and ``mask.tif`` (on the picture's own grid).

        Args:
            folder: New or empty; appears whole or not at all.

        Raises:
            GeoMagError: If something lies there already.
        """
        out = Path(folder)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise GeoMagError(str(out), "something lies there", "a new or empty folder")
        with publish(out) as fresh:
            self.plot().save(fresh / "overlay.png")
            if self.masks:
                self._write_mask(fresh / "mask.tif")
            write_json(fresh / "answer.json", self.to_dict())

    def _write_mask(self, path: Path) -> None:
        """Write one raster of all masks: 0 is background, k the k-th; the first keeps a pixel."""
        import warnings

        import rasterio
        from rasterio.errors import NotGeoreferencedWarning

        values = np.zeros(self.image.shape[:2], dtype=np.uint8)
        for number, mask in enumerate(self.masks, start=1):
            values[mask & (values == 0)] = min(number, 255)
        place: dict[str, Any] = {}
        if self.grid:
            place = {"crs": self.grid.crs, "transform": self.grid.transform}
        height, width = self.image.shape[:2]
        shape = {"width": width, "height": height, "count": 1, "dtype": "uint8"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            profile = {"driver": "GTiff", "compress": "DEFLATE", **shape, **place}
            with rasterio.open(path, "w", **profile) as out:
                out.write(values, 1)
