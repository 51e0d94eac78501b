"""Sizes taken from a predictions file, through `geomag score`: bounded, named, exit code 2."""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from geomag.data.records import write_records
from geomag.geometry import encode_mask
from tests.evaluate.score.cases import record, square

CASES = Path(__file__).parents[2] / "cases"
GIB = 2**30


def geomag(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command with at most 4 GiB of address space and 60 s of CPU."""
    return subprocess.run(
        [sys.executable, "-m", "geomag", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        preexec_fn=lambda: (
            resource.setrlimit(resource.RLIMIT_AS, (4 * GIB, 4 * GIB)),
            resource.setrlimit(resource.RLIMIT_CPU, (60, 60)),
        ),
    )


@pytest.fixture
def records(tmp_path) -> Path:
    mask = square((0, 40), (0, 40), size=448)
    rows = [record("rrsis_d", "3", width=448, height=448, masks=(mask,))]
    write_records(tmp_path / "records.jsonl", rows)
    return tmp_path / "records.jsonl"


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("rle_overflow.jsonl", "id 3, mask 1: a mask that is not COCO's compressed RLE (a run is"),
        ("size_int.jsonl", "id 3, mask 1: a mask of size 5"),
        ("size_null.jsonl", "id 3, mask 1: a mask of size None"),
        ("mask_nested.jsonl", "id 3, mask 1: a mask without size and counts"),
    ],
)
def test_f17_a_mask_of_an_impossible_size_is_refused(records, case, said):
    done = geomag(records.parent, "score", "rrsis_d", CASES / case, "--records", records)
    assert done.returncode == 2, done.stderr[-2000:]
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_sizes_written_as_decimals_are_taken(records):
    rle = encode_mask(square_pixels())
    row = {"id": "3", "masks": [{"size": [448.0, 448.0], "counts": rle["counts"]}]}
    (records.parent / "p.jsonl").write_text(json.dumps(row) + "\n")
    done = geomag(records.parent, "score", "rrsis_d", "p.jsonl", "--records", records)
    assert done.returncode == 0, done.stderr
    means = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("mean_iou")]
    assert means == ["1.0000"]


def square_pixels():
    import numpy as np

    mask = np.zeros((448, 448), dtype=bool)
    mask[:40, :40] = True
    return mask


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("memo_bomb.p", "memo entry 268,435,455 after 0"),
        ("pickle_bad_text.p", "not a readable pickle"),
    ],
)
def test_f16_a_pickle_that_asks_for_memory_or_is_broken_is_refused(tmp_path, case, said):
    root = tmp_path / "data" / "rrsis_d"
    (root / "rrsisd").mkdir(parents=True)
    (root / "images" / "rrsisd" / "JPEGImages").mkdir(parents=True)
    (root / "rrsisd" / "instances.json").write_text("{}")
    shutil.copyfile(CASES / case, root / "rrsisd" / "refs(unc).p")
    for verb in (["check", "rrsis_d"], ["validate", "rrsis_d", "--out", "out"]):
        done = geomag(tmp_path, "data", *verb, "--data", "data")
        assert done.returncode == 2, done.stderr[-2000:]
        assert said in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
