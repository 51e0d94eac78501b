"""``geomag data check``: is a download whole? Its tree, its counts, its first broken record."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from geomag.config import Profile
from geomag.data.benchmarks import BENCHMARKS
from geomag.data.benchmarks.registry import read_benchmark, reader_for
from geomag.data.benchmarks.spec import benchmark_root
from geomag.data.validate.run import binding_counts
from geomag.errors import AnnotationError, GeoMagError


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one benchmark's folder holds."""

    benchmark: str
    root: Path
    tree: str
    """Annotation files and image kinds found, in words."""
    counts: dict[str, int]
    """Records per split, as far as they could be read."""
    notes: dict[str, int]
    has_other_counts: bool
    """Whether a split holds another number of records than expected."""
    n_expected: int
    """Records of all splits together that should be there."""
    remarks: tuple[str, ...]
    """Differences from expected counts and picture sizes that are no error here."""
    problem: GeoMagError | None

    @property
    def state(self) -> str:
        """``whole``, ``partial`` with counts, ``other counts`` or ``BROKEN``."""
        n_records = sum(self.counts.values())
        if self.problem is not None:
            return "BROKEN"
        if n_records < self.n_expected:
            return f"partial ({n_records:,} of {self.n_expected:,} records)"
        return "other counts" if self.has_other_counts else "whole"

    def lines(self) -> list[str]:
        """The result as text, one indented line a fact."""
        counts = ", ".join(f"{split} {count:,}" for split, count in self.counts.items())
        notes = ", ".join(f"{name} {count:,}" for name, count in sorted(self.notes.items()))
        facts = [
            f"{self.benchmark}: {self.state}",
            f"  place    {self.root}",
            f"  tree     {self.tree}",
            f"  records  {counts}",
            f"  notes    {notes}",
            *(f"  remark   {remark}" for remark in self.remarks),
            f"  problem  {self.problem or ''}",
        ]
        return [facts[0], *(fact for fact in facts[1:] if len(fact.split(maxsplit=1)) == 2)]


def check_benchmark(benchmark: str, data: Path, profile: Profile) -> CheckResult:
    """Read every record of a benchmark without keeping any, and compare with what is expected."""
    root = benchmark_root(data, benchmark)
    counts: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    seen: dict[str, str] = {}
    tree, differences, problem, counts_bind = "", list[str](), None, True
    odd_sizes: list[str] = []
    n_expected = 0
    try:
        expected, counts_bind = binding_counts(benchmark, root, profile)
        n_expected = sum(expected.counts.values())
        tree = _sources_in_words(benchmark, root)
        for record in read_benchmark(benchmark, root):
            _refuse_duplicate(seen, record.id, f"{record.image} ({record.split})", benchmark)
            counts[str(record.split)] += 1
            notes.update(record.notes)
            kinds[PurePosixPath(record.image).suffix] += 1
            sizes[record.width, record.height] += 1
        odd_sizes = expected.size_remarks(sizes, BENCHMARKS[benchmark].image_px)
        differences = expected.differences(counts)
        if differences and counts_bind:
            raise AnnotationError(
                f"{benchmark}, split counts",
                "; ".join(differences),
                remedy="fetch the annotation files again, or pass --accept-count",
            )
    except GeoMagError as wrong:
        problem = wrong
    return CheckResult(
        benchmark=benchmark,
        root=root,
        tree="; ".join(part for part in (tree, _kinds_in_words(kinds)) if part),
        counts=dict(counts),
        notes=dict(notes),
        has_other_counts=bool(differences),
        n_expected=n_expected,
        remarks=(*([] if counts_bind else differences), *odd_sizes),
        problem=problem,
    )


def _refuse_duplicate(seen: dict[str, str], record_id: str, where: str, benchmark: str) -> None:
    if record_id in seen:
        raise AnnotationError(
            f"{benchmark}, record {record_id}",
            f"two records: {seen[record_id]} and {where}",
            "each id once",
        )
    seen[record_id] = where


def _sources_in_words(benchmark: str, root: Path) -> str:
    names = [path.relative_to(root).as_posix() for path in reader_for(benchmark).sources(root)]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _kinds_in_words(kinds: Counter[str]) -> str:
    listed = ", ".join(f"{suffix} {count:,}" for suffix, count in sorted(kinds.items()))
    return f"records by image kind: {listed}" if listed else ""
