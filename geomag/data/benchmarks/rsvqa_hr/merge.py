"""A drop joined to RSVQA-HR."""

from functools import partial

from geomag.data.benchmarks.rsvqa import merge_rsvqa
from geomag.data.benchmarks.rsvqa_hr.reader import READER

merge = partial(merge_rsvqa, READER)
