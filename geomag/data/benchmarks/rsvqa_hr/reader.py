"""Splits of RSVQA-HR, of which the last is of another city."""

from geomag.data.benchmarks.rsvqa import Rsvqa
from geomag.data.tasks import Split

READER = Rsvqa("rsvqa_hr", "USGS", (Split.TRAIN, Split.VAL, Split.TEST, Split.TEST_PHILI))
