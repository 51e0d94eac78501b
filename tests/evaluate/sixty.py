"""A tiny trained project with sixty expressions about three pictures, eight batches of eight."""

from pathlib import Path

import numpy as np
from PIL import Image

from geomag.data.benchmarks import Split, Task
from geomag.data.records import Record, write_records
from geomag.geometry import encode_mask
from tests.ask.models import write_project

N_BATCHES = 8
"""Two full ones of each picture, and two of what is left."""


def write_sixty(root: Path, *, pictures: Path, records: Path) -> Path:
    """Write models, pictures and the records file; returns the profile, of one thread."""
    profile = write_project(root)
    profile.write_text(f"{profile.read_text()}threads: 1\npredict: {{batch: 8}}\n")
    mask = np.zeros((60, 60), dtype=bool)
    mask[10:30, 20:50] = True
    pictures.mkdir(parents=True, exist_ok=True)
    for name in "abc":
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (60, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(pictures / f"{name}.png")
    common = {"benchmark": "rrsis_d", "split": Split.TEST, "task": Task.REFERRING}
    rows = [
        Record(
            **common,
            id=str(i),
            image=f"{'abc'[i % 3]}.png",
            width=60,
            height=60,
            text=f"the {'very ' * (i % 5)}red ship",
            masks=(encode_mask(mask),),
        )
        for i in range(60)
    ]
    records.parent.mkdir(parents=True, exist_ok=True)
    write_records(records, rows)
    return profile
