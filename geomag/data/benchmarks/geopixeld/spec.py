"""Facts of GeoPixelD (protocols/gcg#files)."""

from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Granularity, Split, Task

SPEC = Benchmark(
    name="geopixeld",
    title="GeoPixelD",
    task=Task.GCG,
    granularity=Granularity.PIXEL,
    image_px=800,
    position=30,
    licence="CC BY 4.0; iSAID and DOTA pictures: academic use",
    published="https://huggingface.co/datasets/MBZUAI/GeoPixelD",
    counts={"train+val": 16_795, "test": 1_943},
    masks={"train+val": 53_816, "test": 5_427},
    imagery="DOTA",
    imagery_number=r"P\d+",
    test_pictures={Split.TEST: 1_943},
)
