"""AID by class folder."""

from geomag.data.benchmarks.aid.spec import AID_CLASSES
from geomag.data.benchmarks.scenes import Scenes

READER = Scenes("aid", AID_CLASSES)
