"""Facts of RRSIS-D (protocols/referring#rrsis-d-rows)."""

from geomag.data.benchmarks.dior import DIOR_CLASSES
from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Granularity, Split, Task

RRSIS_D_CATEGORIES: tuple[str, ...] = (
    "Expressway-Service-area",
    "Expressway-toll-station",
    *(name for name in DIOR_CLASSES if not name.startswith("Expressway")),
)
"""RRSIS-D's 0-based ``categories_id`` is the position in this tuple."""

SPEC = Benchmark(
    name="rrsis_d",
    title="RRSIS-D",
    task=Task.REFERRING,
    granularity=Granularity.PIXEL,
    crops=True,
    ablated=True,
    has_boxes=True,
    takes_own=True,
    image_px=800,
    position=10,
    licence="DIOR: research use; the masks state none",
    published="https://github.com/Lsan2401/RMSIN",
    counts={"train": 12_181, "val": 1_740, "test": 3_481},
    classes=tuple(DIOR_CLASSES.values()),
    imagery="DIOR",
    imagery_number=r"\d+",
    test_pictures={Split.TEST: 3_481},
)
