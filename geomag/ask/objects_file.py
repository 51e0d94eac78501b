"""What every file of objects carries on each of them, whatever its format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rasterio.crs import CRS

from geomag.ask.objects import MapObject
from geomag.ask.rings import ring_bounds
from geomag.ask.scene import Grid

FIELDS = ("id", "mask", "phrase", "score", "area_px", "area_m2", "prompt", "model")


@dataclass(frozen=True, slots=True)
class ObjectTable:
    """The objects of one answer."""

    objects: Sequence[MapObject]
    prompt: str
    model: str
    """Digests of the parts that drew them."""
    grid: Grid
    """Grid of the scene, which the coordinates are on."""

    @property
    def crs(self) -> CRS | None:
        """CRS of the coordinates; None: units of the grid's own transform, else pixels."""
        return self.grid.crs

    def row(self, one: MapObject) -> dict[str, Any]:
        """The values of one object, in the order of `FIELDS`."""
        values = (
            one.number,
            one.mask,
            one.phrase,
            one.score,
            one.area_px,
            one.area_m2,
            self.prompt,
            self.model,
        )
        return dict(zip(FIELDS, values, strict=True))

    def bounds(self) -> tuple[float, float, float, float] | None:
        """``(x0, y0, x1, y1)`` of all objects in their CRS; None when there are none."""
        if not self.objects:
            return None
        each = np.array([ring_bounds(one.rings[0]) for one in self.objects])
        low, high = each[:, :2].min(axis=0), each[:, 2:].max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])
