"""How training sees its records, planned without a picture: what is asked together, and how.

What decides the pixels of a look (`Sight`) follows from records, heatmaps and settings alone. So an
update's draws are known before any image is read, and only what is drawn ever is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from geomag.config import override
from geomag.config.schema import Profile
from geomag.data.benchmarks import Benchmark, Granularity, Task
from geomag.data.by_image import image_parts
from geomag.data.images import read_rgb
from geomag.data.records import Record
from geomag.data.selection import looks_through_eq4
from geomag.geometry import PixelBox
from geomag.inference.probing import window_rule
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.crops import Heat, windows
from geomag.model.model_input import ModelInput, ModelInputs
from geomag.seeds import generator
from geomag.train.samples import asked_together
from geomag.train.windows import drawn_boxes

AT_A_TIME = 64
"""Records of a part: their images are read, and encoded in batches, one part after another."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What decides the pixels of a look at an image, beside the settings."""

    granularity: Granularity | None
    """Level of the records; None: the image as it is."""
    boxes: tuple[PixelBox, ...] = ()
    heat_of: str = ""
    """Record whose heatmap says which visual tokens stay (``magcrop.fewer: prune``)."""


WHOLE = Sight(None)


@dataclass(frozen=True, slots=True, eq=False)
class PlannedSample:
    """Records that are asked together, and how their image is seen; nothing of it is read yet."""

    records: tuple[Record, ...]
    """Records of one task and image; one with masks is alone."""
    sight: Sight

    @property
    def task(self) -> Task:
        """Task shared by all records."""
        return self.records[0].task

    def model_input(
        self,
        root: Path,
        profile: Profile,
        heat: Mapping[str, Heat],
        read: Callable[[Path], RgbImage] = read_rgb,
    ) -> ModelInput:
        """Read the image and see it.

        Args:
            root: Folder of the benchmark.
            profile: View and sides.
            heat: Maps by record id, of this benchmark.
            read: Gives the image ``[H, W, 3]`` of a path.
        """
        first, sight = self.records[0], self.sight
        model_inputs = ModelInputs(with_budget(profile, first))
        ranked = heat[sight.heat_of] if sight.heat_of else None
        return model_inputs.of(read(root / first.image), sight.granularity, sight.boxes, ranked)


def planned_samples(
    benchmark: Benchmark, records: Sequence[Record], profile: Profile, heat: Mapping[str, Heat]
) -> list[PlannedSample]:
    """Training records as they are seen: whole, through the probe's windows, or as `drawn`.

    Args:
        benchmark: Of all of them.
        records: In any order; images in the order they appear.
        profile: Arm and windows.
        heat: Maps by record id that training looks through; of a record without one the whole
            image is seen.
    """
    return [
        PlannedSample(group, sight)
        for part in image_parts(records, AT_A_TIME)
        for group, sight in asked_together(_sights(benchmark, part, profile, heat))
    ]


def _sights(
    benchmark: Benchmark, records: Sequence[Record], profile: Profile, heat: Mapping[str, Heat]
) -> Iterator[tuple[Record, Sight]]:
    level = benchmark.granularity
    whole = ((record, WHOLE) for record in records)
    if profile.train.arm == "plain" or benchmark.task is Task.GCG:
        return whole
    is_drawn = profile.train.windows == "drawn" and level is not Granularity.IMAGE
    if is_drawn and benchmark.task is Task.REFERRING:
        drawn = drawn_boxes(records, level, profile)
        return chain(whole, ((record, Sight(level, boxes)) for record, boxes in drawn))
    if is_drawn and not looks_through_eq4(profile):
        return whole
    found = ((record, _found(record, level, heat.get(record.id), profile)) for record in records)
    return chain(whole, found) if is_drawn else found


def _found(record: Record, level: Granularity, heat: Heat | None, profile: Profile) -> Sight:
    """Look through the windows of a map; a region without any is the whole image."""
    if level is Granularity.IMAGE:
        return Sight(level)
    rule = window_rule(profile)
    size = {"width": record.width, "height": record.height}
    boxes = () if heat is None else windows(heat, rule=rule, **size)
    if not boxes:
        return WHOLE
    return Sight(level, boxes, record.id if profile.magcrop.fewer == "prune" else "")


def last_image_reader() -> Callable[[Path], RgbImage]:
    """A reader that reads an image asked for again and again once."""
    last: dict[Path, RgbImage] = {}

    def read(path: Path) -> RgbImage:
        if path not in last:
            image = read_rgb(path)
            last.clear()
            last[path] = image
        return last[path]

    return read


def with_budget(profile: Profile, record: Record) -> Profile:
    """The settings with one of ``train.budgets``, the same for all records of an image."""
    budgets = profile.train.budgets
    if not budgets:
        return profile
    rng = generator(profile.train.seed, "budget", record.benchmark, record.image)
    chosen = int(rng.choice(np.array(budgets)))
    return override(profile, magcrop={"budget": chosen})
