"""Splits of RSVQA-LR."""

from geomag.data.benchmarks.rsvqa import Rsvqa
from geomag.data.tasks import Split

READER = Rsvqa("rsvqa_lr", "LR", (Split.TRAIN, Split.VAL, Split.TEST))
