"""Test pictures that are training pictures too, in one benchmark or across all ten.

Three tests, each reported by its name: the same file, a picture that looks alike (a difference
hash), the same source picture by number (RRSIS-D and DIOR-RSVG are both cut from DIOR; GeoPixelD's
patches name their DOTA picture). Nothing is left out of a score for it: it is told beside it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from geomag.data.benchmarks import BENCHMARKS, Split
from geomag.data.layouts.marker import SAMPLE_MARKER
from geomag.data.records import Record, read_records
from geomag.data.validate.fingerprints import Fingerprint, fingerprint, near_pairs
from geomag.errors import AnnotationError
from geomag.io import inside, write_json, write_text
from geomag.progress import track

FILES = ("leakage.md", "leakage.json")
SHOWN = 20
"""Overlaps of one kind that the page lists; the JSON has all."""
_WORDS = {
    "same_file": "the same file",
    "alike": "a picture that looks alike",
    "same_source": "the same source picture, by its number",
}


@dataclass(frozen=True, slots=True, order=True)
class SplitPicture:
    """One image of one split."""

    benchmark: str
    split: str
    image: str
    """Path relative to the benchmark's root."""

    @property
    def source(self) -> str:
        """The published picture it is or is cut from, such as ``DIOR 00011``; "" if unknown."""
        spec = BENCHMARKS.get(self.benchmark)
        if spec is None or not spec.imagery:
            return ""
        match = re.match(spec.imagery_number, PurePosixPath(self.image).stem)
        return f"{spec.imagery} {match[0]}" if match else ""

    def __str__(self) -> str:
        return f"{self.benchmark} {self.split} {self.image}"


@dataclass(frozen=True, slots=True)
class Overlap:
    """A test picture and a training picture that are or may be one."""

    kind: str
    """``same_file``, ``alike`` or ``same_source``; the first that holds."""
    test: SplitPicture
    train: SplitPicture
    bits: int | None
    """Bits of 128 in which the hashes differ; None for plain pictures, whose hash says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was compared and what was found."""

    most_bits: int
    n_pictures: Mapping[str, Mapping[str, int]]
    """Pictures by benchmark and split."""
    n_plain: int
    """Pictures without contrast, compared by file and source alone."""
    drawn: tuple[str, ...]
    """Benchmarks of the sample: their file numbers are drawn and name no published picture."""
    overlaps: tuple[Overlap, ...]

    def table(self) -> list[dict[str, Any]]:
        """Test pictures concerned, by benchmark tested, benchmark trained on, and kind."""
        seen = {(o.test.benchmark, o.train.benchmark, o.kind, o.test) for o in self.overlaps}
        counts = Counter((test, train, kind) for test, train, kind, _ in seen)
        return [
            {
                "test": test,
                "train": train,
                "kind": kind,
                "test_images": n,
                "of": sum(m for s, m in self.n_pictures[test].items() if s != str(Split.TRAIN)),
            }
            for (test, train, kind), n in sorted(counts.items())
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything, each overlap with both files."""
        return {
            "most_bits": self.most_bits,
            "pictures": {name: dict(counts) for name, counts in self.n_pictures.items()},
            "plain_pictures": self.n_plain,
            "drawn": list(self.drawn),
            "table": self.table(),
            "overlaps": [
                {"kind": o.kind, "bits": o.bits, "test": asdict(o.test), "train": asdict(o.train)}
                for o in self.overlaps
            ],
        }


def pictures(records: Iterable[Record]) -> Iterator[SplitPicture]:
    """The images of test and train splits, each once per split; validation is not trained on."""
    seen: set[SplitPicture] = set()
    for record in records:
        benchmark = BENCHMARKS[record.benchmark]
        if record.split in benchmark.test_splits or (
            record.split is Split.TRAIN and benchmark.trains
        ):
            picture = SplitPicture(record.benchmark, str(record.split), record.image)
            if picture not in seen:
                seen.add(picture)
                yield picture


def audit(
    data: Path,
    records: Mapping[str, Path],
    *,
    most_bits: int = 8,
    log: Callable[[str], None] = lambda _: None,
) -> Audit:
    """Compare every test picture with every training picture of all benchmarks given.

    Args:
        data: Folder with one folder a benchmark.
        records: Records file by benchmark.
        most_bits: Largest difference of two hashes, of 128 bits, that counts as alike.
        log: Called with one line a benchmark.

    Raises:
        AnnotationError: If records are missing.
        ImageError: If a picture cannot be read.
    """
    found: dict[SplitPicture, Fingerprint] = {}
    for name, file in records.items():
        if not file.is_file():
            raise AnnotationError(
                str(file), "no such file", remedy=f"run `geomag data validate {name}`"
            )
        known: dict[str, Fingerprint] = {}
        shown = list(pictures(read_records(file)))
        with track(f"fingerprints of {name}", len(shown)) as progress:
            for picture in shown:
                if picture.image not in known:
                    path = inside(data / name, picture.image, place=str(file))
                    known[picture.image] = fingerprint(path)
                found[picture] = known[picture.image]
                progress.advance()
        log(f"{name:<18}{len(known):>8,} pictures")
    counts: dict[str, Counter[str]] = {name: Counter() for name in records}
    for picture in found:
        counts[picture.benchmark][picture.split] += 1
    return Audit(
        most_bits=most_bits,
        n_pictures=counts,
        n_plain=sum(mark.is_plain for mark in found.values()),
        drawn=tuple(name for name in records if (data / name / SAMPLE_MARKER).is_file()),
        overlaps=tuple(overlaps(found, most_bits)),
    )


def overlaps(found: Mapping[SplitPicture, Fingerprint], most_bits: int) -> list[Overlap]:
    """Pairs of a test and a training picture that are the same by one of the three tests."""
    ordered = sorted(found)
    train = [p for p in ordered if p.split == Split.TRAIN]
    test = [p for p in ordered if p.split != Split.TRAIN]
    kinds: dict[tuple[SplitPicture, SplitPicture], str] = {}
    for a, b in _by_key(test, train, lambda p: p.source):
        kinds[a, b] = "same_source"
    for a, b in _alike(found, test, train, most_bits):
        kinds[a, b] = "alike"
    for a, b in _by_key(test, train, lambda p: found[p].sha256):
        kinds[a, b] = "same_file"
    return [
        Overlap(kind, a, b, _distance(found[a], found[b])) for (a, b), kind in sorted(kinds.items())
    ]


def _by_key(
    test: list[SplitPicture], train: list[SplitPicture], key: Callable[[SplitPicture], str]
) -> Iterator[tuple[SplitPicture, SplitPicture]]:
    table: dict[str, list[SplitPicture]] = {}
    for picture in train:
        table.setdefault(key(picture), []).append(picture)
    for picture in test:
        if key(picture):
            yield from ((picture, other) for other in table.get(key(picture), ()))


def _alike(
    found: Mapping[SplitPicture, Fingerprint],
    test: list[SplitPicture],
    train: list[SplitPicture],
    most_bits: int,
) -> Iterator[tuple[SplitPicture, SplitPicture]]:
    sides = [[p for p in side if not found[p].is_plain] for side in (test, train)]
    left, right = (
        np.array([found[p].words for p in side], dtype=np.uint64).reshape(-1, 2) for side in sides
    )
    i, j, _ = near_pairs(left, right, most_bits=most_bits)
    yield from ((sides[0][a], sides[1][b]) for a, b in zip(i.tolist(), j.tolist(), strict=True))


def _distance(one: Fingerprint, other: Fingerprint) -> int | None:
    if one.is_plain or other.is_plain:
        return None
    return sum((a ^ b).bit_count() for a, b in zip(one.words, other.words, strict=True))


def write(found: Audit, out: Path) -> None:
    """Write ``leakage.json`` and ``leakage.md`` into a folder."""
    table, tree = FILES
    write_text(out / table, page(found))
    write_json(out / tree, found.to_json())


def page(found: Audit) -> str:
    """The audit as Markdown: a table of counts, then the first overlaps of each kind."""
    lines = ["# Test pictures that are training pictures too", ""]
    if found.drawn:
        lines += [
            f"Drawn sample: {', '.join(found.drawn)}. File numbers are drawn as well, so an equal "
            "number does not mean an equal picture there.",
            "",
        ]
    lines += ["| tested on | trained on | what they share | test pictures | of |"]
    lines += ["|---|---|---|---:|---:|"]
    lines += [
        f"| {row['test']} | {row['train']} | {_WORDS[row['kind']]} | {row['test_images']:,} "
        f"| {row['of']:,} |"
        for row in found.table()
    ]
    lines += ["", f"Alike: at most {found.most_bits} of 128 bits differ. {found.n_plain:,} plain "]
    lines[-1] += "pictures were compared by file and number alone."
    for kind, words in _WORDS.items():
        chosen = [o for o in found.overlaps if o.kind == kind]
        if chosen:
            lines += ["", f"## {words[0].upper()}{words[1:]}: {len(chosen):,} pairs", ""]
            lines += [f"- `{o.test}` and `{o.train}`" for o in chosen[:SHOWN]]
            lines += [f"- and {len(chosen) - SHOWN:,} more"] if len(chosen) > SHOWN else []
    return "\n".join(lines) + "\n"
