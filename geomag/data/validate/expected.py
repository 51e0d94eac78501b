"""How many records each split should hold: the published counts, the sample's, or own data's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from geomag.data.benchmarks.own_marker import own_marker
from geomag.data.classes import AID_CLASSES, AID_COUNTS, RESISC45_CLASSES
from geomag.data.layouts.marker import SAMPLE_MARKER
from geomag.errors import AnnotationError, shown
from geomag.io import read_json

EXPECTED_COUNTS: Mapping[str, Mapping[str, int]] = {
    "rrsis_d": {"train": 12_181, "val": 1_740, "test": 3_481},
    "refsegrs": {"train": 2_172, "val": 431, "test": 1_817},
    "geopixeld": {"train+val": 16_795, "test": 1_943},
    "dior_rsvg": {"train": 26_991, "val": 3_829, "test": 7_500},
    "rsvqa_lr": {"train": 57_223, "val": 10_005, "test": 10_004},
    "rsvqa_hr": {"train": 625_340, "val": 102_843, "test": 222_684, "test_phili": 105_647},
    "ucm_captions": {"train": 1_680, "val": 210, "test": 210},
    "sydney_captions": {"train": 497, "val": 58, "test": 58},
    "aid": {"test": 10_000},
    "resisc45": {"test": 31_500},
}
"""Published records per split (protocols: pixel 2.1, 3.1, 5.1; region 2.5, 3.6; image 2.4, 3.3,
5.1, 5.2). ``train+val`` is one published split that the reader divides."""

PUBLISHED_MASKS: Mapping[str, Mapping[str, int]] = {
    "geopixeld": {"train+val": 53_816, "test": 5_427}
}
"""[SEG] per split as the paper counts them; a difference is a remark (GeoPixelD protocol 5.1)."""

_PUBLISHED_KINDS: Mapping[str, Mapping[str, int]] = {
    "aid": {AID_CLASSES[folder]: count for folder, count in AID_COUNTS.items()},
    "resisc45": dict.fromkeys(RESISC45_CLASSES.values(), 700),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """Records per split, and who says so."""

    counts: Mapping[str, int]
    origin: Literal["published", "sample", "own"]
    kinds: Mapping[str, int] = field(default_factory=dict)
    """Records per class, where they are fixed: the scene sets, and own data."""

    def differences(self, counts: Mapping[str, int], *, noun: str = "records") -> list[str]:
        """One line per split whose count of ``noun`` is another.

        >>> Expected({"train+val": 10, "test": 2}, "sample").differences({"train": 9, "test": 2})
        ['train+val: 9 records, 10 expected (sample)']
        """
        found = {name: sum(counts.get(s, 0) for s in name.split("+")) for name in self.counts}
        named = {split for name in self.counts for split in name.split("+")}
        found |= {split: n for split, n in counts.items() if split not in named}
        return [
            f"{name}: {n} {noun}, {self.counts.get(name, 0)} expected ({self.origin})"
            for name, n in found.items()
            if n != self.counts.get(name, 0)
        ]


def expected_counts(benchmark: str, root: Path) -> Expected:
    """The counts of the marker in ``root`` (drawn sample, or own data), else the published ones.

    The sample's counts are folded onto the splits the reader yields: scene sets are all test,
    and GeoPixelD's train folder is divided into train and val.
    """
    marker = root / SAMPLE_MARKER
    published = EXPECTED_COUNTS[benchmark]
    own = own_marker(root, benchmark)
    if own is not None:
        return Expected(own.counts, "own", own.kinds)
    if not marker.is_file():
        return Expected(published, "published", _PUBLISHED_KINDS.get(benchmark, {}))
    row = read_json(marker)
    counts = row.get("counts") if isinstance(row, dict) else None
    if not isinstance(counts, dict) or row.get("benchmark") != benchmark:
        raise AnnotationError(
            str(marker), shown(row), f"the counts of {benchmark}", "draw the sample again"
        )
    folded: dict[str, int] = dict.fromkeys(published, 0)
    for split, count in counts.items():
        name = next((n for n in published if split in n.split("+")), None)
        folded["test" if len(published) == 1 or name is None else name] += int(count)
    return Expected(folded, "sample")
