"""Facts of UCM-Captions (protocols/captions#splits)."""

from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Granularity, Split, Task

UCM_CLASSES: tuple[str, ...] = (
    "agricultural",
    "airplane",
    "baseballdiamond",
    "beach",
    "buildings",
    "chaparral",
    "denseresidential",
    "forest",
    "freeway",
    "golfcourse",
    "harbor",
    "intersection",
    "mediumresidential",
    "mobilehomepark",
    "overpass",
    "parkinglot",
    "river",
    "runway",
    "sparseresidential",
    "storagetanks",
    "tenniscourt",
)
"""UC Merced's classes, 100 images each in this order."""

SPEC = Benchmark(
    name="ucm_captions",
    title="UCM-Captions",
    task=Task.CAPTION,
    granularity=Granularity.IMAGE,
    position=70,
    licence="none stated: research use",
    published="https://github.com/201528014227051/RSICD_optimal",
    counts={"train": 1_680, "val": 210, "test": 210},
    test_pictures={Split.TEST: 210},
)
