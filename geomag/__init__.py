"""GeoMag: a vision-language model that answers, locates and segments in remote-sensing images.

    from geomag import GeoMag

    model = GeoMag.from_pretrained("artifacts/models")
    answer = model.ask("picture.tif", "Mark the red ship in this image with a mask.")

Names load what they need when they are first used (PEP 562), so ``import geomag`` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geomag.api.answer import Answer
    from geomag.api.dataset import GeoMagDataset
    from geomag.api.pretrained import GeoMag
    from geomag.api.processor import GeoMagProcessor
    from geomag.config import load_profile

__version__ = "0.1.0"
__all__ = ["Answer", "GeoMag", "GeoMagDataset", "GeoMagProcessor", "load_profile"]

_HOMES = {
    "Answer": "geomag.api.answer",
    "GeoMag": "geomag.api.pretrained",
    "GeoMagDataset": "geomag.api.dataset",
    "GeoMagProcessor": "geomag.api.processor",
    "load_profile": "geomag.config",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'geomag' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
