"""RESISC45 by class folder, with its split lists."""

from geomag.data.benchmarks.resisc45.spec import RESISC45_CLASSES
from geomag.data.benchmarks.scenes import Scenes

_LISTS = tuple(f"resisc45-{split}.txt" for split in ("train", "val", "test"))

READER = Scenes("resisc45", RESISC45_CLASSES, _LISTS)
