"""Small benchmarks built in memory, for the score tests."""

import json
import shutil

import numpy as np

from geomag.data.benchmarks import BENCHMARKS, Split
from geomag.data.records import Record, write_records
from geomag.geometry import encode_mask


def square(rows, cols, size=10):
    mask = np.zeros((size, size), dtype=bool)
    mask[rows[0] : rows[1], cols[0] : cols[1]] = True
    return encode_mask(mask)


def record(benchmark, name, split=Split.TEST, **values):
    fields = {"image": f"{name}.jpg", "width": 10, "height": 10} | values
    return Record(
        benchmark=benchmark, id=str(name), split=split, task=BENCHMARKS[benchmark].task, **fields
    )


def question(name, image, kind, answer, split=Split.TEST, benchmark="rsvqa_lr"):
    return record(
        benchmark, name, split, image=f"{image}.tif", text="?", answers=(answer,), kind=kind
    )


def scene(name, label, split=Split.TEST, benchmark="aid"):
    """A scene picture; its class reads like its folder, in lower case."""
    return record(benchmark, f"{label}/{name}.jpg", split, answers=(label.lower(),), kind=label)


def lay(folder, rows, predictions, name="magcrop.jsonl"):
    """Write records and predictions; returns both paths."""
    records = folder / "records.jsonl"
    write_records(records, rows)
    file = folder / name
    file.write_text("".join(json.dumps(p) + "\n" for p in predictions), encoding="utf-8")
    return records, file


def count_java(folder, monkeypatch):
    """Put a `java` first on PATH that notes each start, then runs the real one; returns its log."""
    folder.mkdir(exist_ok=True)
    log, first = folder / "starts.txt", folder / "java"
    first.write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {shutil.which("java")} "$@"\n')
    first.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return log
