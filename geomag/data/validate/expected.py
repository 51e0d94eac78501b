"""How many records each split should hold: the published counts, the sample's, or own data's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from geomag.data.benchmarks import BENCHMARKS
from geomag.data.benchmarks.own_marker import own_marker
from geomag.data.layouts.marker import SAMPLE_MARKER
from geomag.errors import AnnotationError, shown
from geomag.io import read_json


@dataclass(frozen=True, slots=True)
class Expected:
    """Records per split, and who says so."""

    counts: Mapping[str, int]
    origin: Literal["published", "sample", "own"]
    kinds: Mapping[str, int] = field(default_factory=dict)
    """Records per class, where they are fixed: the scene sets, and own data."""

    def differences(self, counts: Mapping[str, int], *, noun: str = "records") -> list[str]:
        """One line per split whose count of ``noun`` is another, or one about a merged val split.

        >>> Expected({"train+val": 10, "test": 2}, "sample").differences({"train": 9, "test": 2})
        ['train+val: 9 records, 10 expected (sample)']
        """
        found = {name: sum(counts.get(s, 0) for s in name.split("+")) for name in self.counts}
        named = {split for name in self.counts for split in name.split("+")}
        found |= {split: n for split, n in counts.items() if split not in named}
        if self._merges_val(found):
            return [
                f"train: {found['train']} {noun} are train and val of the {self.origin} split in "
                "one, as retrieval repositories (precomp) merge them"
            ]
        return [
            f"{name}: {n} {noun}, {self.counts.get(name, 0)} expected ({self.origin})"
            for name, n in found.items()
            if n != self.counts.get(name, 0)
        ]

    def _merges_val(self, found: Mapping[str, int]) -> bool:
        whole = self.counts.get("train", 0) + self.counts.get("val", 0)
        rest = {**found, "train": self.counts.get("train"), "val": self.counts.get("val")}
        return bool(self.counts.get("val")) and (
            found.get("train") == whole and not found.get("val") and rest == dict(self.counts)
        )

    def size_remarks(self, sizes: Mapping[tuple[int, int], int], usual_px: int) -> list[str]:
        """One line about pictures of another side than the published ones, else none.

        Args:
            sizes: How many records have a picture of this width and height.
            usual_px: Side of the published pictures; 0 if they have no common one.

        >>> Expected({}, "published").size_remarks({(600, 600): 1, (150, 150): 9}, 600)
        ['pictures of 9 of 10 records are not 600 x 600, 9 of them 150 x 150: say so beside scores']
        """
        others = {size: n for size, n in sizes.items() if size != (usual_px, usual_px)}
        if self.origin != "published" or not usual_px or not others:
            return []
        (width, height), most = max(others.items(), key=lambda item: item[1])
        return [
            f"pictures of {sum(others.values()):,} of {sum(sizes.values()):,} records are not "
            f"{usual_px} x {usual_px}, {most:,} of them {width} x {height}: say so beside scores"
        ]


def expected_counts(benchmark: str, root: Path) -> Expected:
    """The counts of the marker in ``root`` (drawn sample, or own data), else the published ones.

    The sample's counts are folded onto the splits the reader yields: scene sets are all test,
    and GeoPixelD's train folder is divided into train and val.
    """
    marker = root / SAMPLE_MARKER
    spec = BENCHMARKS[benchmark]
    published = spec.counts
    own = own_marker(root, benchmark)
    if own is not None:
        return Expected(own.counts, "own", own.kinds)
    if not marker.is_file():
        return Expected(published, "published", spec.class_counts)
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
