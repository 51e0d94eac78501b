"""Facts of RefSegRS (protocols/referring#refsegrs-files)."""

from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Granularity, Split, Task

SPEC = Benchmark(
    name="refsegrs",
    title="RefSegRS",
    task=Task.REFERRING,
    granularity=Granularity.PIXEL,
    crops=True,
    ablated=True,
    image_px=512,
    position=20,
    licence="CC BY 4.0",
    published="https://huggingface.co/datasets/JessicaYuan/RefSegRS",
    hub="JessicaYuan/RefSegRS@f6750efb75ec714748f8d97495bde2655f4a1366",
    counts={"train": 2_172, "val": 431, "test": 1_817},
    test_pictures={Split.TEST: 1_817},
)
