"""`geomag data sample`: each benchmark's folder is written beside its place and renamed into it."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from geomag.data.benchmarks import BENCHMARKS, Split
from geomag.data.layouts.marker import SAMPLE_MARKER, tree_digest
from geomag.errors import ConfigError, ToolError
from geomag.io import read_json, write_json
from geomag.partial import partial_folder
from geomag.sample.layouts import captions, gcg, referring, roc, scenes, vqa
from geomag.sample.layouts.plan import REVISION, scaled

Writer = Callable[..., dict[Split, int]]

WRITERS: dict[str, Writer] = {
    "rrsis_d": referring.write_rrsis_d,
    "refsegrs": referring.write_refsegrs,
    "geopixeld": gcg.write_geopixeld,
    "dior_rsvg": roc.write_dior_rsvg,
    "rsvqa_lr": vqa.write_rsvqa_lr,
    "rsvqa_hr": vqa.write_rsvqa_hr,
    "ucm_captions": captions.write_ucm_captions,
    "sydney_captions": captions.write_sydney_captions,
    "aid": scenes.write_aid,
    "resisc45": scenes.write_resisc45,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one benchmark's folder holds now."""

    benchmark: str
    counts: dict[str, int]
    """Records per split."""
    digest: str
    """sha256 over sorted relative paths and contents, the marker left out."""
    n_bytes: int
    seconds: float
    is_new: bool
    """Whether it was drawn now; False: the folder was whole and of the same seed, scale and
    revision, and was left alone."""


def write_sample(
    benchmark: str, root: Path, *, seed: int, scale: float = 1.0, force: bool = False
) -> Written:
    """Draw one benchmark into ``root``, its own folder; nothing half-written is ever seen there.

    Args:
        benchmark: One of the ten names.
        root: The benchmark's folder, such as ``data/rrsis_d``.
        seed: Seed of the scenes.
        scale: Multiplies the counts; a smaller scale holds a prefix of a larger one.
        force: Draw again even if the folder is whole.

    Raises:
        ConfigError: On an unknown benchmark or a scale out of range.
        ToolError: If ``root`` holds something that is not a drawn sample.
    """
    if benchmark not in WRITERS:
        raise ConfigError("benchmark", repr(benchmark), f"one of {list(WRITERS)}")
    scaled(1, scale)
    started = time.monotonic()
    wanted = {"benchmark": benchmark, "seed": seed, "scale": scale, "revision": REVISION}
    _refuse_foreign(root)
    if not force and (found := _whole(root, wanted)):
        return _report(root, found, started, is_new=False)
    with partial_folder(root) as half:
        counts = WRITERS[benchmark](half, seed=seed, scale=scale)
        marker = {
            **wanted,
            "counts": {str(split): n for split, n in counts.items()},
            "digest": tree_digest(half),
        }
        write_json(half / SAMPLE_MARKER, marker)
        _swap(half, root)
    return _report(root, marker, started, is_new=True)


def write_all(
    out: Path,
    *,
    seed: int,
    scale: float = 1.0,
    benchmarks: tuple[str, ...] = (),
    force: bool = False,
) -> Iterator[Written]:
    """Draw the named benchmarks (all ten when none is named) into ``out/<benchmark>``.

    A process per core, in any order; they are yielded in the order named.
    """
    if unknown := [name for name in benchmarks if name not in BENCHMARKS]:
        raise ConfigError("benchmark", f"{unknown}", f"some of {list(BENCHMARKS)}")
    names = benchmarks or tuple(BENCHMARKS)
    write = partial(_write_into, out, seed=seed, scale=scale, force=force)
    processes = min(len(names), os.cpu_count() or 1)
    if processes == 1:
        yield from map(write, names)
        return
    context = multiprocessing.get_context("spawn")  # the caller may have threads
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield from pool.map(write, names)


def _write_into(out: Path, benchmark: str, *, seed: int, scale: float, force: bool) -> Written:
    return write_sample(benchmark, out / benchmark, seed=seed, scale=scale, force=force)


def _refuse_foreign(root: Path) -> None:
    if root.exists() and not (root.is_dir() and (root / SAMPLE_MARKER).is_file()):
        if root.is_dir() and not any(root.iterdir()):
            return
        raise ToolError(
            str(root),
            f"there already, and no {SAMPLE_MARKER} in it: it may be a real download",
            "an empty place or an earlier drawn sample",
            "move it away, or draw elsewhere with --out",
        )


def _whole(root: Path, wanted: dict[str, Any]) -> dict[str, Any] | None:
    marker = root / SAMPLE_MARKER
    if not marker.is_file():
        return None
    found = read_json(marker)
    same = isinstance(found, dict) and all(found.get(k) == v for k, v in wanted.items())
    return found if same and found.get("digest") == tree_digest(root) else None


def _swap(half: Path, root: Path) -> None:
    old = root.with_name(f".{root.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if root.exists():
        root.rename(old)
    half.rename(root)
    shutil.rmtree(old, ignore_errors=True)


def _report(root: Path, marker: dict[str, Any], started: float, *, is_new: bool) -> Written:
    return Written(
        benchmark=marker["benchmark"],
        counts={str(s): marker["counts"][s] for s in Split if s in marker["counts"]},
        digest=marker["digest"],
        n_bytes=sum(p.stat().st_size for p in root.rglob("*") if p.is_file()),
        seconds=time.monotonic() - started,
        is_new=is_new,
    )
