"""Facts of DIOR-RSVG (protocols/roc#splits)."""

from geomag.data.benchmarks.dior import DIOR_CLASSES
from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Granularity, Split, Task

SPEC = Benchmark(
    name="dior_rsvg",
    title="DIOR-RSVG",
    task=Task.ROC,
    granularity=Granularity.REGION,
    crops=True,
    ablated=True,
    has_boxes=True,
    shares_pictures=True,
    position=40,
    licence="none stated: research use",
    published="https://github.com/ZhanYang-nwpu/RSVG-pytorch",
    counts={"train": 26_991, "val": 3_829, "test": 7_500},
    classes=tuple(DIOR_CLASSES.values()),
    imagery="DIOR",
    imagery_number=r"\d+",
    image_px=800,
    test_pictures={Split.TEST: 5_900},
)
