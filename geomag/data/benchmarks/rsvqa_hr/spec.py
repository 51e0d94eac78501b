"""Facts of RSVQA-HR (protocols/rsvqa#counts)."""

from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Granularity, Split, Task

SPEC = Benchmark(
    name="rsvqa_hr",
    title="RSVQA-HR",
    task=Task.VQA,
    granularity=Granularity.REGION,
    test_splits=(Split.TEST, Split.TEST_PHILI),
    crops=True,
    ablated=True,
    position=60,
    licence="CC BY 4.0",
    published="https://zenodo.org/records/6344367",
    counts={"train": 625_340, "val": 102_843, "test": 222_684, "test_phili": 105_647},
    image_px=512,
    test_pictures={Split.TEST: 2_226, Split.TEST_PHILI: 1_056},
)
