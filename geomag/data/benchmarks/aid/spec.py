"""Facts of AID (protocols/scenes#files)."""

import re
from collections.abc import Mapping

from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Granularity, Split, Task

AID_COUNTS: Mapping[str, int] = {
    "Airport": 360,
    "BareLand": 310,
    "BaseballField": 220,
    "Beach": 400,
    "Bridge": 360,
    "Center": 260,
    "Church": 240,
    "Commercial": 350,
    "DenseResidential": 410,
    "Desert": 300,
    "Farmland": 370,
    "Forest": 250,
    "Industrial": 390,
    "Meadow": 280,
    "MediumResidential": 290,
    "Mountain": 340,
    "Park": 350,
    "Parking": 390,
    "Playground": 370,
    "Pond": 420,
    "Port": 380,
    "RailwayStation": 260,
    "Resort": 290,
    "River": 410,
    "School": 300,
    "SparseResidential": 300,
    "Square": 330,
    "Stadium": 290,
    "StorageTanks": 360,
    "Viaduct": 420,
}
"""AID's folders and how many images the published set has in each."""

AID_CLASSES: Mapping[str, str] = {
    folder: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", folder).lower() for folder in AID_COUNTS
}
"""AID's folder to display name: split at inner capitals, lower case."""

SPEC = Benchmark(
    name="aid",
    title="AID",
    task=Task.SCENE,
    granularity=Granularity.IMAGE,
    trains=False,
    position=90,
    licence="none stated: research use",
    published="https://captain-whu.github.io/AID",
    counts={"test": 10_000},
    classes=tuple(AID_CLASSES.values()),
    class_counts={AID_CLASSES[folder]: count for folder, count in AID_COUNTS.items()},
    image_px=600,
    test_pictures={Split.TEST: 10_000},
)
