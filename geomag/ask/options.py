"""Options of a question about a scene: how it is asked, and what is written of it."""

import math
from dataclasses import dataclass
from typing import Literal

from geomag.ask.objects import MIN_AREA_PX
from geomag.errors import GeoMagError
from geomag.inference.output import Arm

Format = Literal["gpkg", "geojson", "geoparquet"]
"""Formats of the file of objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """Options of one question about one scene."""

    bands: tuple[int, ...] = ()
    """Bands to show, one or three, counted from 1; empty: the file's own colours."""
    arm: Arm = "magcrop"
    tile_px: int = 1024
    overlap_px: int = 128
    formats: tuple[Format, ...] = ()
    """Formats of the objects; empty: GeoPackage, and GeoJSON where there is a CRS."""
    whole: bool = False
    """Ask once about all of it instead of each window on its own (``magcrop.large_probe``)."""
    resume: bool = False
    """Go on with the windows that an earlier run left."""
    min_area_px: int = MIN_AREA_PX
    """Pixels below which a piece of a mask is removed and a hole filled."""
    simplify_px: float = 0.0
    """Pixels that an outline may be moved to have fewer corners; 0 follows the pixels."""
    pictures: bool = True
    """Whether ``overlay.png`` and ``heatmap.png`` are drawn too."""
    overwrite: bool = False
    """Write to a folder that is not ours, or holds another answer; never over the image."""

    def check(self) -> None:
        """Refuse numbers out of range.

        Raises:
            GeoMagError: Naming the option.
        """
        if self.min_area_px < 0:
            raise GeoMagError("--min-area", str(self.min_area_px), "0 or more pixels")
        if not 0 <= self.simplify_px < math.inf:
            raise GeoMagError("--simplify", str(self.simplify_px), "0 or more pixels")
