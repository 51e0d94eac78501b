"""Our cells: a score with its interval, its counts and where it came from, or no cell at all."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from geomag.data.benchmarks import BENCHMARKS, Split
from geomag.errors import AnnotationError
from geomag.io import file_digest, read_json
from geomag.report.paper import Column

_NEEDED = (
    "benchmark",
    "split",
    "n_records",
    "protocol",
    "metrics",
    "variants",
    "intervals",
    "counts",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One number of ours in the unit its table prints."""

    id: str
    """``table/benchmark/split/arm/metric``: what lineage is asked by."""
    value: float
    low: float | None
    high: float | None
    n_records: int
    n_images: int
    profile: str
    baseline: str = ""
    """The best trivial predictor's name."""
    baseline_value: float | None = None
    too_many_missing: bool = False
    score_file: str = ""
    score_sha256: str = ""
    predictions_sha256: str = ""

    @property
    def text(self) -> str:
        """Value and interval, as every cell of ours is printed."""
        dagger = "†" if self.too_many_missing else ""
        if self.low is None or self.high is None:
            return f"{half_up(self.value)}{dagger} [no interval]"
        return f"{half_up(self.value)}{dagger} [{half_up(self.low)}, {half_up(self.high)}]"

    def to_json(self) -> dict[str, Any]:
        """Every field as JSON, for ``cells.json``."""
        return asdict(self)


def half_up(value: float, decimals: int = 2) -> str:
    """Fixed decimals, rounded half up on the decimal value.

    >>> half_up(1.005), half_up(91.0998)
    ('1.01', '91.10')
    """
    step = Decimal(1).scaleb(-decimals)
    return str(Decimal(repr(round(value, 9))).quantize(step, rounding=ROUND_HALF_UP))


class Scores:
    """The score files of a folder, by benchmark.

    Args:
        folder: Holds ``<benchmark>.json`` files.
        chosen: Benchmarks to read, files of others are left alone; None reads all.
    """

    def __init__(self, folder: Path, chosen: Iterable[str] | None = None) -> None:
        self.files = {
            name: folder / f"{name}.json"
            for name in (BENCHMARKS if chosen is None else chosen)
            if (folder / f"{name}.json").is_file()
        }
        self.trees = {name: _checked(path) for name, path in self.files.items()}
        self._digests = {name: file_digest(path) for name, path in self.files.items()}

    @property
    def profiles(self) -> list[str]:
        """Profiles the scores come from."""
        return sorted({str(tree["protocol"]["profile"]) for tree in self.trees.values()})

    def part(self, benchmark: str, arm: str, split: Split) -> Mapping[str, Any] | None:
        """The score of one arm on one split, if there is one."""
        tree = self.trees.get(benchmark)
        if tree is not None and arm != "magcrop":
            tree = tree.get("arms", {}).get(arm)
        if tree is not None and tree["split"] != split:
            tree = tree.get("splits", {}).get(str(split))
        return tree

    def cell(self, table: int, column: Column, arm: str = "magcrop") -> Cell | None:
        """Our number for a column of a table, or None when it was not measured."""
        found = self.part(column.benchmark, arm, column.split)
        if found is None or found["metrics"].get(column.metric) is None:
            return None
        pair = found["intervals"].get(column.metric) or (None, None)
        floor, floor_value = _floor(found.get("baselines", {}), column.metric)
        scale = column.factor
        return Cell(
            id=f"{table}/{column.benchmark}/{column.split}/{arm}/{column.metric}",
            value=found["metrics"][column.metric] * scale,
            low=None if pair[0] is None else pair[0] * scale,
            high=None if pair[1] is None else pair[1] * scale,
            n_records=_questions(found, column.metric),
            n_images=found["counts"]["images"],
            profile=str(self.trees[column.benchmark]["protocol"]["profile"]),
            baseline=floor,
            baseline_value=None if floor_value is None else floor_value * scale,
            too_many_missing=bool(found["counts"].get("missing_over_limit")),
            score_file=self.files[column.benchmark].name,
            score_sha256=self._digests[column.benchmark],
            predictions_sha256=str(found["protocol"]["predictions_sha256"]),
        )


def _questions(found: Mapping[str, Any], metric: str) -> int:
    """Records behind a metric: of RSVQA only the questions of its types."""
    of_type = found["counts"].get("n", {})
    types = {"presence": ["presence"], "comparison": ["comp"], "average": ["presence", "comp"]}
    if metric not in types or not of_type:
        return int(found["n_records"])
    return sum(int(of_type.get(kind, 0)) for kind in types[metric])


_LOOKING = ("first_reference", "class_template", "box_of_heatmap")
"""Baselines that know something of the picture."""


def _floor(baselines: Mapping[str, Mapping[str, Any]], metric: str) -> tuple[str, float | None]:
    """The strongest predictor that never looks at the image: no person, class or window of it."""
    rows = [
        (float(values[metric]), name)
        for name, values in baselines.items()
        if values.get(metric) is not None and not name.startswith(_LOOKING)
    ]
    if not rows:
        return "", None
    value, name = max(rows)
    return name, value


def _checked(path: Path) -> dict[str, Any]:
    """A score file, refused when a cell of it could not be traced."""
    tree = read_json(path)
    lacking = [key for key in _NEEDED if key not in tree]
    protocol = tree.get("protocol", {})
    lacking += [f"protocol.{k}" for k in ("profile", "predictions_sha256") if k not in protocol]
    if lacking:
        raise AnnotationError(
            str(path),
            f"no {', '.join(lacking)}",
            "what `geomag score --json` writes",
            remedy="score the predictions again",
        )
    return dict(tree)
