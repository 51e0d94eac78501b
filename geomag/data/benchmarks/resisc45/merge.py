"""A drop joined to RESISC45."""

from functools import partial

from geomag.data.benchmarks.resisc45.reader import READER
from geomag.data.benchmarks.scenes import merge_scenes

merge = partial(merge_scenes, READER)
