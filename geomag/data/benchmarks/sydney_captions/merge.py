"""A drop joined to Sydney-Captions."""

from functools import partial

from geomag.data.benchmarks.captions import merge_captions
from geomag.data.benchmarks.sydney_captions.reader import READER

merge = partial(merge_captions, READER)
