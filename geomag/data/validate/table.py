"""The manifest that validation looks at: one row per record, no pixels and no mask in it."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from geomag.data.benchmarks import Benchmark, Task
from geomag.data.images import image_info
from geomag.data.records import Record
from geomag.geometry import mask_area
from geomag.io import file_digest

_COMMON = (
    "ref_id", "path", "image_md5", "width", "height", "bands", "dtype", "split", "kind", "label",
    "text", "n_words", "n_answers", "in_other_split", "twin_in_other_split",
)  # fmt: skip
_BOX = ("x1", "y1", "x2", "y2", "box_overflow")
_MASK = ("n_masks", "mask_area", "mask_share", "mask_ok")


@dataclass(frozen=True, slots=True)
class _ImageFacts:
    md5: str
    bands: int
    dtype: str


def has_boxes(benchmark: Benchmark) -> bool:
    """Whether its records carry a box."""
    return benchmark.has_boxes


def has_masks(benchmark: Benchmark) -> bool:
    """Whether its records carry masks."""
    return benchmark.task in (Task.REFERRING, Task.GCG)


def manifest_columns(benchmark: Benchmark) -> tuple[str, ...]:
    """The columns that apply to a benchmark."""
    boxes = _BOX if has_boxes(benchmark) else ()
    return (*_COMMON, *boxes, *(_MASK if has_masks(benchmark) else ()))


class Manifest:
    """Collects columns while records stream by, so that a million questions fit."""

    def __init__(self, benchmark: Benchmark, root: Path) -> None:
        """Collect for ``benchmark``, whose image paths are relative to ``root``."""
        self.benchmark = benchmark
        self.root = root
        self.counts: Counter[str] = Counter()
        """Records per split."""
        self.masks: Counter[str] = Counter()
        """Masks per split; GeoPixelD publishes theirs."""
        self.notes: Counter[str] = Counter()
        self.sizes: Counter[tuple[int, int]] = Counter()
        """Records per width and height of their picture."""
        self._columns: dict[str, list[Any]] = defaultdict(list)
        self._images: dict[str, _ImageFacts] = {}
        self._listing = hashlib.sha256()

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Pass records on, each noted as a row."""
        for record in records:
            self._add(record)
            yield record

    @property
    def image_kinds(self) -> dict[str, int]:
        """Images per suffix, as found on disk."""
        return dict(sorted(Counter(PurePosixPath(path).suffix for path in self._images).items()))

    @property
    def images_digest(self) -> str:
        """sha256 over the sorted paths and contents of the images."""
        total = hashlib.sha256()
        for path in sorted(self._images):
            total.update(f"{path}\t{self._images[path].md5}\n".encode())
        return total.hexdigest()

    @property
    def listing_digest(self) -> str:
        """sha256 over id, image, split and boxes of the records in order: the split's identity."""
        return self._listing.hexdigest()

    def frame(self) -> Any:
        """The manifest as a pandas DataFrame with the columns of `manifest_columns`."""
        import pandas as pd

        columns = dict(self._columns)
        columns["in_other_split"] = self._in_other_split(columns.get("path", []))
        columns["twin_in_other_split"] = self._in_other_split(columns.get("image_md5", []))
        names = manifest_columns(self.benchmark)
        return pd.DataFrame({name: columns.get(name, []) for name in names})

    def _in_other_split(self, keys: list[str]) -> list[int]:
        """1 where the same key occurs under another split, else 0."""
        splits: dict[str, set[str]] = defaultdict(set)
        for key, split in zip(keys, self._columns["split"], strict=True):
            splits[key].add(split)
        return [int(len(splits[key]) > 1) for key in keys]

    def _add(self, record: Record) -> None:
        split = str(record.split)
        self.counts[split] += 1
        self.masks[split] += len(record.masks)
        self.notes.update(record.notes)
        self.sizes[record.width, record.height] += 1
        line = (record.id, record.image, split, repr(tuple(box.corners for box in record.boxes)))
        self._listing.update(("\t".join(line) + "\n").encode())
        facts = self._facts(record.image)
        row: dict[str, Any] = {
            "ref_id": record.id,
            "path": record.image,
            "image_md5": facts.md5,
            "width": record.width,
            "height": record.height,
            "bands": facts.bands,
            "dtype": facts.dtype,
            "split": split,
            "kind": record.kind,
            "label": _label(record),
            "text": _text(record),
            "n_words": len(_text(record).split()),
            "n_answers": len(record.answers),
        }
        if has_boxes(self.benchmark):
            row |= _box_columns(record)
        if has_masks(self.benchmark):
            row |= _mask_columns(record)
        for name, value in row.items():
            self._columns[name].append(value)

    def _facts(self, image: str) -> _ImageFacts:
        if image not in self._images:
            path = self.root / image
            info = image_info(path)
            self._images[image] = _ImageFacts(file_digest(path, "md5"), info.bands, info.dtype)
        return self._images[image]


def _label(record: Record) -> str:
    """What must not be the same all over a split: the answer, the class, else the text."""
    if record.task is Task.VQA:
        return record.answers[0]
    return record.kind or _text(record)


def _text(record: Record) -> str:
    return " ".join(record.answers) if record.task is Task.CAPTION else record.text


def _box_columns(record: Record) -> dict[str, float]:
    x1, y1, x2, y2 = record.boxes[0].corners
    overflow = max(0.0, -x1, -y1, x2 - record.width, y2 - record.height)
    return {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "box_overflow": overflow}


def _mask_columns(record: Record) -> dict[str, float]:
    areas = [mask_area(mask) for mask in record.masks]
    return {
        "n_masks": len(areas),
        "mask_area": sum(areas),
        "mask_share": sum(areas) / (record.width * record.height),
        "mask_ok": int(all(areas)),
    }
