"""Facts of RSVQA-LR (protocols/rsvqa#counts)."""

from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Granularity, Split, Task

SPEC = Benchmark(
    name="rsvqa_lr",
    title="RSVQA-LR",
    task=Task.VQA,
    granularity=Granularity.REGION,
    crops=True,
    takes_own=True,
    position=50,
    licence="CC BY 4.0",
    published="https://zenodo.org/records/6344334",
    counts={"train": 57_223, "val": 10_005, "test": 10_004},
    test_pictures={Split.TEST: 100},
)
