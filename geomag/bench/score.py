"""Seconds and memory of scoring all ten test sets at their real sizes, with made-up content."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from geomag.bench.memory import Meter
from geomag.data.benchmarks import BENCHMARKS, Task
from geomag.data.records import Record, write_records
from geomag.geometry import PixelBox, Rle, encode_mask
from geomag.io import write_jsonl
from geomag.seeds import generator

_LONGEST = (Task.GCG, Task.VQA, Task.CAPTION)
"""Tasks whose benchmarks are started first, so that the last to end is a short one."""
_CLASSES = [f"class {i}" for i in range(45)]
_FUNCTION = ["a", "the", "with", "near", "of", "and", "in"]
_CONTENT = [f"{stem}{i}" for stem in ("court", "ship", "road", "roof", "field") for i in range(60)]


def bench_score(
    *,
    share: float = 1.0,
    only: list[str] | None = None,
    jobs: int = 2,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Write records and predictions of each benchmark, score each in a process of its own.

    Args:
        share: Of the real record counts.
        only: Benchmarks; None is all ten.
        jobs: Processes at once: what bounds the memory.
        log: Called with one line per benchmark.

    Returns:
        Seconds and peak megabytes by benchmark; wall clock and the largest sum of resident
        memory, Java included, of all. Writing the files is not counted.
    """
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        n_records = {name: _lay(name, folder, share) for name in only or list(BENCHMARKS)}
        waiting = sorted(n_records, key=_rank)
        started, meter = time.perf_counter(), Meter()
        with meter, ThreadPoolExecutor(jobs) as pool:
            for name, row in zip(
                waiting, pool.map(lambda n: _one(n, folder), waiting), strict=True
            ):
                rows[name] = {"records": n_records[name], **row}
                log(f"{name:<18}{row['seconds']:>8.1f} s{row['peak_mb']:>8.0f} MB")
        seconds = time.perf_counter() - started
    total = {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(sum(row["cpu_seconds"] for row in rows.values()), 1),
        "peak_mb": round(meter.peak_mb, 1),
        "share": share,
        "jobs": jobs,
    }
    log(f"{'all':<18}{total['seconds']:>8.1f} s{total['peak_mb']:>8.0f} MB, {jobs} at once")
    return {"total": total, "benchmarks": rows}


def _rank(name: str) -> int:
    task = BENCHMARKS[name].task
    return _LONGEST.index(task) if task in _LONGEST else len(_LONGEST)


def _lay(name: str, folder: Path, share: float) -> int:
    rows = list(made_up(name, share))
    write_records(folder / f"{name}.records.jsonl", (record for record, _ in rows))
    return write_jsonl(folder / f"{name}.jsonl", (answer for _, answer in rows))


def _one(name: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "geomag", "score", name, str(folder / f"{name}.jsonl")]
    command += ["--records", str(folder / f"{name}.records.jsonl"), "--profile", "sample"]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    started = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, cwd=folder, env={**os.environ, **one_thread}
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"geomag score {name} ended with {child.returncode}")
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(usage.ru_maxrss / 1024, 1),
    }


def made_up(name: str, share: float = 1.0) -> Iterator[tuple[Record, dict[str, Any]]]:
    """Records of a benchmark at its real size; two answers of three are right."""
    task, draw = BENCHMARKS[name].task, generator("bench score", name)
    spec = BENCHMARKS[name]
    side = spec.image_px
    masks = _masks(side) if task in (Task.REFERRING, Task.GCG) else []
    offset = 0
    for split, n_images in spec.test_pictures.items():
        n_records = spec.counts[split]
        for i in range(max(1, round(n_records * share))):
            base = {"benchmark": name, "split": split, "task": task, "width": side, "height": side}
            image = f"{split}/{i * n_images // n_records}.png"
            record, answer = _content(task, base | {"image": image}, offset + i, masks, draw)
            yield record, {"id": record.id, **answer}
        offset += n_records


def _masks(side: int, count: int = 40) -> list[Rle]:
    draw = generator("bench score masks", side)
    found = []
    for _ in range(count):
        y, x = np.mgrid[:side, :side]
        cy, cx, r = draw.uniform(0.2, 0.8, 3) * (side, side, side / 5)
        found.append(encode_mask((y - cy) ** 2 + (x - cx) ** 2 < r**2))
    return found


def _content(
    task: Task, base: dict[str, Any], i: int, masks: list[Rle], draw: np.random.Generator
) -> tuple[Record, dict[str, Any]]:
    right = bool(draw.random() < 2 / 3)
    if task is Task.REFERRING:
        truth = masks[i % len(masks)]
        answer = truth if right else masks[(i + 1) % len(masks)]
        record = Record(**base, id=str(i), masks=(truth,), kind=_CLASSES[i % 20])
        return record, {"masks": [answer]}
    if task is Task.GCG:
        chosen = tuple(masks[int(k)] for k in draw.integers(0, len(masks), 1 + i % 4))
        phrases = tuple(_sentence(draw, 2) for _ in chosen)
        text = _sentence(draw, 110)
        record = Record(**base, id=f"{i:05d}", text=text, masks=chosen, phrases=phrases)
        said = text if right else _sentence(draw, 110)
        return record, {"text": said, "masks": list(chosen), "phrases": list(phrases)}
    if task is Task.VQA:
        kind = ("presence", "comp", "count", "rural_urban")[i % 4]
        record = Record(**base, id=str(i), text="?", answers=("yes",), kind=kind)
        return record, {"text": "yes" if right else "no"}
    if task is Task.CAPTION:
        captions = tuple(_sentence(draw, 10) for _ in range(5))
        said = captions[0] if right else _sentence(draw, 10)
        return Record(**base, id=str(i), answers=captions), {"text": said}
    label = _CLASSES[i % (20 if task is Task.ROC else 45)]
    name = str(i) if task is Task.ROC else f"{label}/{i}.jpg"
    boxes = (PixelBox(0.0, 0.0, 9.0, 9.0),) if task is Task.ROC else ()
    record = Record(**base, id=name, answers=(label,), kind=label, boxes=boxes)
    return record, {"text": label if right else _CLASSES[(i + 7) % 45]}


def _sentence(draw: np.random.Generator, length: int) -> str:
    """Sentence of which every third word is a function word, as in GeoPixelD's descriptions."""
    words = [str(draw.choice(_FUNCTION if k % 3 == 0 else _CONTENT)) for k in range(length)]
    return " ".join(words) + " ."
