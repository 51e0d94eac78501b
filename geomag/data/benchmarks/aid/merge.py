"""A drop joined to AID."""

from functools import partial

from geomag.data.benchmarks.aid.reader import READER
from geomag.data.benchmarks.scenes import merge_scenes

merge = partial(merge_scenes, READER)
