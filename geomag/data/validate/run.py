"""Stage ``validate@<benchmark>``: files in their download layout become records that hold.

Writes ``records.jsonl``, ``report.json`` and last ``complete.json``. If a critical expectation is
broken only ``report.json`` is there, for the orchestrator to show, and the stage ends in an error.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geomag.config import Profile
from geomag.data.benchmarks import BENCHMARKS
from geomag.data.benchmarks.own_marker import OWN_MARKER
from geomag.data.benchmarks.registry import read_benchmark, reader_for
from geomag.data.benchmarks.spec import benchmark_root
from geomag.data.layouts.marker import SAMPLE_MARKER
from geomag.data.records import Record, write_records
from geomag.data.validate.expected import Expected, expected_counts
from geomag.data.validate.outcomes import Outcome
from geomag.data.validate.suite import run_suite
from geomag.data.validate.table import Manifest
from geomag.errors import AnnotationError, ConfigError, GeoMagError
from geomag.io import atomic_path, file_digest, read_json, write_json
from geomag.progress import track

RECORDS, REPORT, COMPLETE = "records.jsonl", "report.json", "complete.json"
RECORD_FILES = (COMPLETE, RECORDS, REPORT)
_LISTED_SOURCES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """What ``report.json`` holds; free of times, so equal data gives equal bytes."""

    benchmark: str
    error: str = ""
    """Why the stage stopped; empty if it did not."""
    counts: dict[str, int] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)
    expected_origin: str = ""
    count_accepted: bool = False
    """Another count than expected was let pass by the profile or the user."""
    masks: dict[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    """Differences from published figures that block nothing."""
    notes: dict[str, int] = field(default_factory=dict)
    """Errata by name, counted over the records."""
    image_kinds: dict[str, int] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    """sha256 of each annotation file, or one over all when there are many."""
    images_digest: str = ""
    listing_digest: str = ""
    """sha256 over id, image, split and boxes in order."""
    outcomes: tuple[Outcome, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether the records may be used."""
        return not self.error

    def to_json(self) -> dict[str, Any]:
        """The report as JSON."""
        names = [name for name in self.__dataclass_fields__ if name != "outcomes"]
        return {
            **{name: getattr(self, name) for name in names},
            "is_valid": self.is_valid,
            "outcomes": [outcome.to_json() for outcome in self.outcomes],
        }


def binding_counts(benchmark: str, root: Path, profile: Profile) -> tuple[Expected, bool]:
    """The expected counts, and whether another count is an error.

    The drawn sample's own counts always bind; published ones do under the ``downloads`` source,
    unless the profile accepts another count for this benchmark. Own data brings its counts too.

    Raises:
        ConfigError: If the profile wants downloads and finds the drawn sample, or own data whose
            count is not accepted: its scores would stand beside published ones.
    """
    expected = expected_counts(benchmark, root)
    wants_downloads = profile.data.source == "downloads"
    if wants_downloads and expected.origin == "sample":
        raise ConfigError(
            str(root / SAMPLE_MARKER),
            f"{root} holds the drawn sample",
            f"the real download of {benchmark}, as profile {profile.name!r} says",
            "put the download in its place, or use the profile 'sample'",
        )
    is_accepted = benchmark in profile.data.accept_count
    if wants_downloads and expected.origin == "own" and not is_accepted:
        raise ConfigError(
            str(root / OWN_MARKER),
            f"{root} holds own data",
            f"the real download of {benchmark}, as profile {profile.name!r} says",
            "pass --accept-count: its scores are then not those of the benchmark",
        )
    binds = expected.origin != "published" or wants_downloads
    return expected, binds and not is_accepted


def validate(benchmark: str, data_root: Path, out_dir: Path, profile: Profile) -> ValidationReport:
    """Read a benchmark, judge its manifest, and write records if nothing critical is broken.

    Args:
        benchmark: One of the ten names.
        data_root: Folder that holds the benchmark's folder, or that folder itself.
        out_dir: Gets the records, the report and the marker; earlier ones are removed first.
        profile: Says whether downloads are wanted and which counts may differ.

    Raises:
        GeoMagError: Naming the first record at fault; ``report.json`` is written all the same.
    """
    if benchmark not in BENCHMARKS:
        raise ConfigError("benchmark", repr(benchmark), f"one of {list(BENCHMARKS)}")
    for name in RECORD_FILES:
        (out_dir / name).unlink(missing_ok=True)
    root = benchmark_root(data_root, benchmark)
    manifest = Manifest(BENCHMARKS[benchmark], root)
    try:
        expected, counts_bind = binding_counts(benchmark, root, profile)
        records = _shown(read_benchmark(benchmark, root), benchmark, sum(expected.counts.values()))
        with atomic_path(out_dir / RECORDS) as temporary:
            n_records = write_records(temporary, manifest.watch(records))
            outcomes = run_suite(
                manifest.frame(), BENCHMARKS[benchmark], expected, counts_bind=counts_bind
            )
            report = _report(manifest, expected, outcomes, counts_bind)
            write_json(out_dir / REPORT, report.to_json())
            _refuse_blocking(benchmark, outcomes, out_dir / REPORT)
    except GeoMagError as wrong:
        if not (out_dir / REPORT).is_file():
            early = ValidationReport(benchmark=benchmark, error=str(wrong))
            write_json(out_dir / REPORT, early.to_json())
        raise
    marker = {
        "benchmark": benchmark,
        "n_records": n_records,
        "counts": report.counts,
        "count_accepted": report.count_accepted,
        "listing_digest": report.listing_digest,
        "records_sha256": file_digest(out_dir / RECORDS),
    }
    write_json(out_dir / COMPLETE, marker)
    return report


def _shown(records: Iterable[Record], benchmark: str, expected: int) -> Iterator[Record]:
    """The records as they come, counted where progress is shown."""
    with track(f"reading {benchmark}", expected) as progress:
        for record in records:
            yield record
            progress.advance()


def _report(
    manifest: Manifest, expected: Expected, outcomes: Sequence[Outcome], counts_bind: bool
) -> ValidationReport:
    benchmark = manifest.benchmark.name
    blocking = [outcome for outcome in outcomes if outcome.is_blocking]
    return ValidationReport(
        benchmark=benchmark,
        error="" if not blocking else str(_broken(benchmark, blocking[0])),
        counts=dict(manifest.counts),
        expected=dict(expected.counts),
        expected_origin=expected.origin,
        count_accepted=bool(expected.differences(manifest.counts)) and not counts_bind,
        masks={split: count for split, count in manifest.masks.items() if count},
        remarks=(
            *_mask_remarks(manifest, expected),
            *expected.size_remarks(manifest.sizes, manifest.benchmark.image_px),
        ),
        notes=dict(sorted(manifest.notes.items())),
        image_kinds=manifest.image_kinds,
        sources=source_digests(benchmark, manifest.root),
        images_digest=manifest.images_digest,
        listing_digest=manifest.listing_digest,
        outcomes=tuple(outcomes),
    )


def _mask_remarks(manifest: Manifest, expected: Expected) -> tuple[str, ...]:
    published = manifest.benchmark.masks
    if not published or expected.origin != "published":
        return ()
    return tuple(Expected(published, "published").differences(manifest.masks, noun="masks"))


def _refuse_blocking(benchmark: str, outcomes: Sequence[Outcome], report: Path) -> None:
    blocking = [outcome for outcome in outcomes if outcome.is_blocking]
    if blocking:
        raise _broken(benchmark, blocking[0], n_more=len(blocking) - 1, report=report)


def _broken(
    benchmark: str, outcome: Outcome, *, n_more: int = 0, report: Path | None = None
) -> AnnotationError:
    """The error for a critical expectation that is not met, with its records."""
    if outcome.exception:
        found = f"could not be judged: {outcome.exception}"
    elif outcome.offenders:
        found = f"{outcome.n_unexpected} records: {', '.join(outcome.offenders)}"
    else:
        found = f"found {outcome.observed}"
    more = f" ({n_more} more expectations are broken)" if n_more else ""
    record = f", record {outcome.offenders[0]}" if outcome.offenders else ""
    return AnnotationError(
        f"{benchmark}{record}",
        f"{found}{more}",
        f"{outcome.expectation}: {outcome.about}",
        f"see {report}" if report else "mend the files or fetch them again",
    )


def source_digests(benchmark: str, root: Path) -> dict[str, str]:
    """sha256 of the annotation files by path; when there are many, one over names and digests.

    A drawn sample adds the digest of its whole tree from its marker.
    """
    paths = reader_for(benchmark).sources(root)
    digests = {path.relative_to(root).as_posix(): file_digest(path) for path in paths}
    if len(digests) > _LISTED_SOURCES:
        lines = "".join(f"{name}\t{digest}\n" for name, digest in digests.items())
        digests = {f"{len(digests)} files": hashlib.sha256(lines.encode()).hexdigest()}
    if (marker := root / SAMPLE_MARKER).is_file():
        digests[SAMPLE_MARKER] = str(read_json(marker).get("digest", ""))
    return digests
