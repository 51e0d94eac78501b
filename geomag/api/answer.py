"""What GeoMag answered about one picture, and what to do with it: show, map, keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geomag.errors import GeoMagError
from geomag.geometry import BoolMask, PixelBox, encode_mask
from geomag.io import write_json
from geomag.magcrop.compose import RgbImage
from geomag.manifest import publish

if TYPE_CHECKING:
    from PIL.Image import Image

    from geomag.ask.scene import Grid

_COLOURS = ((230, 25, 75), (60, 180, 75), (67, 99, 216), (245, 130, 49), (145, 30, 180))
_OPACITY = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Words and masks about one picture, and how they came about."""

    text: str
    """The words without the model's own tokens; empty where it only drew."""
    raw_text: str
    """The words with ``[SEG]`` for each mask and ``<p>`` around phrases."""
    masks: tuple[BoolMask, ...] = ()
    """``[H, W]`` each, in order of the words."""
    phrases: tuple[str, ...] = ()
    """What each mask is of."""
    mask_scores: tuple[float, ...] = ()
    """Mean foreground probability inside each mask, in [0, 1]."""
    confidence: float
    """Mean of the masks' scores, or of words alone the geometric mean probability of a token."""
    prompt: str
    """What the model was asked, in the wording of its training."""
    task: str | None
    """Task of the prompt; None where it was not clear and the words were asked as they were."""
    task_confidence: float
    """Probability that the classifier gives, in [0, 1]."""
    granularity: str
    """image, region or pixel; ``none`` where the picture was left as it is."""
    granularity_confidence: float
    """Probability that the classifier gives, in [0, 1]."""
    windows: tuple[PixelBox, ...] = ()
    """C_1, or C_1 and C_2, in pixels; empty where the answer is about the whole picture."""
    heatmap: NDArray[np.float32] | None = None
    """``[gh, gw]`` over the picture (Eq 4); None where nothing was probed."""
    visual_tokens: int
    """Visual tokens that the answer was read from."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds by phase."""
    notes: tuple[str, ...] = ()
    """What a reader should know before trusting it."""
    image: RgbImage = field(repr=False)
    """The picture that was asked about, ``uint8 [H, W, 3]``."""
    grid: "Grid | None" = field(default=None, repr=False)
    """Place of the picture on the ground; None for a plain picture."""

    def plot(self) -> "Image":
        """The picture with its masks in colours and its windows as frames, as a PIL image."""
        from PIL import Image, ImageDraw

        pixels = self.image.astype(np.float64)
        for number, mask in enumerate(self.masks):
            colour = np.array(_COLOURS[number % len(_COLOURS)], dtype=np.float64)
            pixels[mask] = (1 - _OPACITY) * pixels[mask] + _OPACITY * colour
        picture = Image.fromarray(pixels.round().astype(np.uint8))
        draw = ImageDraw.Draw(picture)
        for box in self.windows:
            x0, y0, x1, y1 = box.as_ints()
            draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=(255, 210, 0))
        return picture

    def to_geodataframe(self) -> Any:
        """Table of geopandas, one row an object of a mask: phrase, score, area in pixels, polygon.

        The polygons are in the picture's CRS, or in pixels where it has none.

        Raises:
            GeoMagError: If geopandas is not installed.
        """
        try:
            import geopandas
        except ImportError as missing:
            raise GeoMagError(
                "geopandas", "not installed", remedy="pip install geopandas"
            ) from missing
        from shapely.geometry import shape

        rows = [
            {"phrase": phrase, "score": score, "area_px": area, "geometry": shape(polygon)}
            for phrase, score, area, polygon in self._objects()
        ]
        crs = self.grid.crs if self.grid else None
        columns = ["phrase", "score", "area_px", "geometry"]
        return geopandas.GeoDataFrame(rows, columns=columns, geometry="geometry", crs=crs)

    def _objects(self) -> list[tuple[str, float, int, dict[str, Any]]]:
        """Phrase, score, pixels and GeoJSON polygon of each four-connected piece."""
        from affine import Affine
        from rasterio.features import shapes

        transform = self.grid.transform if self.grid else Affine.identity()
        found = []
        for mask, phrase, score in zip(self.masks, self.phrases, self.mask_scores, strict=True):
            pieces = shapes(mask.astype(np.uint8), mask=mask, connectivity=4, transform=transform)
            for polygon, _ in pieces:
                found.append((phrase, score, _pixels(polygon, transform), polygon))
        return found

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
                {"phrase": phrase, "score": round(score, 4), **encode_mask(mask)}
                for mask, phrase, score in zip(
                    self.masks, self.phrases, self.mask_scores, strict=True
                )
            ],
            "windows": [list(box.as_ints()) for box in self.windows],
            "heatmap": None if self.heatmap is None else self.heatmap.tolist(),
            "visual_tokens": self.visual_tokens,
            "seconds": {phase: round(spent, 4) for phase, spent in self.seconds.items()},
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


def _pixels(polygon: dict[str, Any], transform: Any) -> int:
    """Pixels of a polygon along pixel borders: its area over that of one pixel."""
    area = 0.0
    for index, ring in enumerate(polygon["coordinates"]):
        x, y = np.asarray(ring, dtype=np.float64).T
        x, y = x - x[0], y - y[0]
        own = abs(float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]))) / 2
        area += own if index == 0 else -own
    return round(area / abs(float(transform.determinant)))
