"""A drop joined to UCM-Captions."""

from functools import partial

from geomag.data.benchmarks.captions import merge_captions
from geomag.data.benchmarks.ucm_captions.reader import READER

merge = partial(merge_captions, READER)
