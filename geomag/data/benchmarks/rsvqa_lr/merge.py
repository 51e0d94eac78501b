"""A drop joined to RSVQA-LR."""

from functools import partial

from geomag.data.benchmarks.rsvqa import merge_rsvqa
from geomag.data.benchmarks.rsvqa_lr.reader import READER

merge = partial(merge_rsvqa, READER)
