"""Facts of Sydney-Captions (protocols/captions#splits)."""

from collections.abc import Mapping

from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Granularity, Split, Task

SYDNEY_LAST: Mapping[str, int] = {
    "residential": 242,
    "airport": 264,
    "meadow": 314,
    "rivers": 359,
    "ocean": 451,
    "industrial": 547,
    "runway": 613,
}
"""Number of the last image of each class; the files are in class order."""

SPEC = Benchmark(
    name="sydney_captions",
    title="Sydney-Captions",
    task=Task.CAPTION,
    granularity=Granularity.IMAGE,
    position=80,
    licence="none stated: research use",
    published="https://github.com/201528014227051/RSICD_optimal",
    counts={"train": 497, "val": 58, "test": 58},
    image_px=500,
    test_pictures={Split.TEST: 58},
)
