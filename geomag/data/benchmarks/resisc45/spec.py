"""Facts of RESISC45 (protocols/scenes#files)."""

from collections.abc import Mapping

from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Granularity, Split, Task

RESISC45_CLASSES: Mapping[str, str] = {
    name: name.replace("_", " ")
    for name in (
        "airplane",
        "airport",
        "baseball_diamond",
        "basketball_court",
        "beach",
        "bridge",
        "chaparral",
        "church",
        "circular_farmland",
        "cloud",
        "commercial_area",
        "dense_residential",
        "desert",
        "forest",
        "freeway",
        "golf_course",
        "ground_track_field",
        "harbor",
        "industrial_area",
        "intersection",
        "island",
        "lake",
        "meadow",
        "medium_residential",
        "mobile_home_park",
        "mountain",
        "overpass",
        "palace",
        "parking_lot",
        "railway",
        "railway_station",
        "rectangular_farmland",
        "river",
        "roundabout",
        "runway",
        "sea_ice",
        "ship",
        "snowberg",
        "sparse_residential",
        "stadium",
        "storage_tank",
        "tennis_court",
        "terrace",
        "thermal_power_station",
        "wetland",
    )
}
"""RESISC45's folder to display name: underscore to blank."""

SPEC = Benchmark(
    name="resisc45",
    title="RESISC45",
    task=Task.SCENE,
    granularity=Granularity.IMAGE,
    trains=False,
    position=100,
    licence="mirrors state three: research use",
    published="https://gcheng-nwpu.github.io",
    counts={"test": 31_500},
    classes=tuple(RESISC45_CLASSES.values()),
    class_counts=dict.fromkeys(RESISC45_CLASSES.values(), 700),
    test_pictures={Split.TEST: 31_500},
)
