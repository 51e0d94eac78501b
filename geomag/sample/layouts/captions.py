"""UCM-Captions and Sydney-Captions as they are downloaded (protocols/captions#files)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geomag.data.benchmarks import Split
from geomag.data.benchmarks.sydney_captions.spec import SYDNEY_LAST
from geomag.data.benchmarks.ucm_captions.spec import UCM_CLASSES
from geomag.data.layouts.encode import (
    Pixels,
    packable,
    resized,
    write_compact_json,
    write_lines,
    write_tiff,
)
from geomag.sample.draw.captions import captions
from geomag.sample.draw.places import draw_place, place_of
from geomag.sample.layouts.plan import PLANS
from geomag.seeds import generator

_PER_CLASS = 100
"""UC Merced numbers its files by class: 1-100, 101-200 ..."""
_NARROW = 2
"""Number of the one UCM image of 250 x 256 pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shot:
    """One image to draw: its number on disk, class and split."""

    number: int
    place: str
    split: Split
    order: int
    """Position within class and split."""


def write_ucm_captions(root: Path, *, seed: int, scale: float) -> dict[Split, int]:
    """Write ``UCM_captions/``; returns images per split."""
    shots: list[_Shot] = []
    for position, place in enumerate(UCM_CLASSES):
        splits = PLANS["ucm_captions"].per_class(scale)[:_PER_CLASS]
        shots += _shots(place, splits, first=position * _PER_CLASS + 1)
    return _write(root / "UCM_captions", "ucm_captions", "UCM", shots, seed=seed)


def write_sydney_captions(root: Path, *, seed: int, scale: float) -> dict[Split, int]:
    """Write ``Sydney_captions/``; contiguous splits per class. Returns images per split."""
    shots: list[_Shot] = []
    first = 1
    order = list(PLANS["sydney_captions"].shares)
    for place, last in SYDNEY_LAST.items():
        splits = PLANS["sydney_captions"].per_class(scale)[: last - first + 1]
        shots += _shots(place, sorted(splits, key=order.index), first=first)
        first = last + 1
    return _write(root / "Sydney_captions", "sydney_captions", "Sydney", shots, seed=seed)


def _shots(place: str, splits: list[Split], *, first: int) -> Iterator[_Shot]:
    for k, split in enumerate(splits):
        yield _Shot(number=first + k, place=place, split=split, order=splits[:k].count(split))


def _write(
    base: Path, benchmark: str, title: str, shots: list[_Shot], *, seed: int
) -> dict[Split, int]:
    entries: list[dict[str, Any]] = []
    for imgid, shot in enumerate(shots):
        rng = generator(seed, benchmark, shot.place, shot.split, shot.order)
        picture, sentences = _draw(benchmark, shot, rng)
        write_tiff(base / f"imgs/{shot.number}.tif", picture)
        entries.append(_entry(imgid, shot, sentences))
    write_compact_json(base / "dataset.json", {"images": entries, "dataset": title})
    named = [
        f"{entry['filename'].removesuffix('.tif')} {sentence['raw']}"
        for entry in entries
        for sentence in entry["sentences"]
    ]
    write_lines(base / f"descriptions_{title}.txt", named)
    parts: dict[Split, list[str]] = {split: [] for split in PLANS[benchmark].shares}
    for shot in shots:
        parts[shot.split].append(f"{shot.number}.tif")
    for split, names in parts.items():
        write_lines(base / f"filenames/filenames_{split}.txt", names)
    return {split: len(names) for split, names in parts.items()}


def _draw(benchmark: str, shot: _Shot, rng: np.random.Generator) -> tuple[Pixels, tuple[str, ...]]:
    side = PLANS[benchmark].side_px
    scene = draw_place(rng, place_of(shot.place), width=side, height=side)
    sentences = captions(scene, rng)
    picture = packable(scene.image)
    if benchmark == "ucm_captions" and shot.number == _NARROW:
        picture = resized(picture, width=side - 6, height=side)
    return picture, sentences


def _entry(imgid: int, shot: _Shot, sentences: tuple[str, ...]) -> dict[str, Any]:
    ids = [len(sentences) * imgid + k for k in range(len(sentences))]
    return {
        "filename": f"{shot.number}.tif",
        "imgid": imgid,
        "sentids": ids,
        "split": str(shot.split),
        "sentences": [
            {
                "tokens": text.rstrip(" .").lower().split(),
                "raw": text,
                "imgid": imgid,
                "sentid": sentid,
            }
            for sentid, text in zip(ids, sentences, strict=True)
        ],
    }
