"""The sample as a whole: same bytes, whole folders, no scene in two splits, readable."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from geomag.data.benchmarks import BENCHMARKS
from geomag.data.benchmarks.registry import read_benchmark
from geomag.data.layouts.marker import tree_digest
from geomag.errors import ConfigError, ToolError
from geomag.sample.layouts import PLANS, write_sample

SEED, SCALE = 41, 0.05


@pytest.mark.integration
def test_another_process_draws_the_same_bytes(drawn, tmp_path):
    subprocess.run(
        [sys.executable, "-m", "geomag", "data", "sample", "--out", tmp_path / "again",
         "--seed", str(SEED), "--scale", str(SCALE)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Asia/Kathmandu"},
    )  # fmt: skip
    again = {name: tree_digest(tmp_path / "again" / name) for name in BENCHMARKS}
    assert again == {name: one.digest for name, one in drawn.items()}


def test_digest_is_sha256_over_sorted_paths_and_contents(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_bytes(b"1")
    (tmp_path / "a").write_bytes(b"2")
    (tmp_path / "SAMPLE.json").write_bytes(b"not counted")
    one, two = (hashlib.sha256(text).hexdigest() for text in (b"1", b"2"))
    whole = hashlib.sha256(f"a\0{two}\nb/x\0{one}\n".encode()).hexdigest()
    assert tree_digest(tmp_path) == whole


def test_marker_says_what_was_drawn(drawn, out):
    for name, one in drawn.items():
        marker = json.loads((out / name / "SAMPLE.json").read_text())
        assert marker["benchmark"] == name
        assert (marker["seed"], marker["scale"]) == (SEED, SCALE)
        assert marker["counts"] == one.counts
        assert marker["digest"] == one.digest == tree_digest(out / name)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_reader_finds_as_many_records_as_the_marker_says(drawn, out, name):
    found = Counter(str(record.split) for record in read_benchmark(name, out / name))
    if name == "geopixeld":  # the reader holds out a part of train as val
        found["train"] += found.pop("val")
    assert dict(found) == drawn[name].counts


@pytest.mark.parametrize("name", [n for n in BENCHMARKS if n != "dior_rsvg"])
def test_splits_share_no_image_bytes(drawn, out, name):
    splits: dict[str, set[str]] = {}
    for record in read_benchmark(name, out / name):
        digest = hashlib.sha256((out / name / record.image).read_bytes()).hexdigest()
        splits.setdefault(digest, set()).add(str(record.split))
    assert [found for found in splits.values() if len(found) > 1] == []


def test_benchmarks_share_no_image_bytes(drawn, out):
    homes: dict[str, set[str]] = {}
    for name in BENCHMARKS:
        for path in (out / name).rglob("*.[tjp]*[fg]"):
            if "masks" not in path.parts:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                homes.setdefault(digest, set()).add(name)
    assert len(homes) > 350
    assert max(len(names) for names in homes.values()) == 1


def test_smaller_scale_is_a_part_of_a_larger_one(drawn, out, tmp_path):
    write_sample("rrsis_d", tmp_path / "r", seed=SEED, scale=0.08)
    small, large = (
        {p.name: p.read_bytes() for p in (root / "images/rrsisd/JPEGImages").iterdir()}
        for root in (out / "rrsis_d", tmp_path / "r")
    )
    assert len(small) == 45
    assert len(large) == 72
    assert small.items() <= large.items()


def test_another_seed_draws_other_pictures(drawn, out, tmp_path):
    write_sample("aid", tmp_path / "aid", seed=SEED + 1, scale=SCALE)
    name = "AID/Airport/airport_1.jpg"
    assert (tmp_path / "aid" / name).read_bytes() != (out / "aid" / name).read_bytes()


def test_whole_folder_is_left_alone_and_a_damaged_one_is_drawn_again(tmp_path):
    root = tmp_path / "data" / "aid"
    first = write_sample("aid", root, seed=1, scale=0.05)
    picture = root / "AID/Beach/beach_1.jpg"
    os.utime(picture, (1, 1))
    assert first.is_new
    assert not write_sample("aid", root, seed=1, scale=0.05).is_new
    assert picture.stat().st_mtime == 1
    assert write_sample("aid", root, seed=1, scale=0.05, force=True).is_new
    assert picture.stat().st_mtime != 1
    picture.write_bytes(picture.read_bytes()[:100])
    mended = write_sample("aid", root, seed=1, scale=0.05)
    assert mended.is_new
    assert mended.digest == first.digest == tree_digest(root)


def test_remains_of_a_killed_run_do_not_survive(tmp_path):
    for remains in (".aid.partial", ".aid.old"):
        (tmp_path / remains / "AID").mkdir(parents=True)
        (tmp_path / remains / "AID" / "half.jpg").write_bytes(b"\xff\xd8")
    write_sample("aid", tmp_path / "aid", seed=1, scale=0.05)
    assert [path.name for path in tmp_path.iterdir()] == ["aid"]
    assert not (tmp_path / "aid" / "AID" / "half.jpg").exists()


@pytest.mark.parametrize("force", [False, True])
def test_real_download_is_never_replaced(tmp_path, force):
    (tmp_path / "aid" / "AID").mkdir(parents=True)
    with pytest.raises(ToolError, match=r"aid: there already, and no SAMPLE\.json .* --out"):
        write_sample("aid", tmp_path / "aid", seed=1, scale=0.05, force=force)
    assert (tmp_path / "aid" / "AID").is_dir()


@pytest.mark.parametrize("scale", [0, -1, 21, float("nan")])
def test_scale_out_of_range_is_refused_before_anything_is_written(tmp_path, scale):
    with pytest.raises(ConfigError, match=r"data\.scale"):
        write_sample("aid", tmp_path / "aid", seed=1, scale=scale)
    assert list(tmp_path.iterdir()) == []


def test_command_refuses_an_unknown_benchmark_with_exit_code_2(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "geomag", "data", "sample", "--out", tmp_path / "d",
         "--benchmark", "aids"],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "benchmark: ['aids']. Wanted: some of ['rrsis_d'" in ended.stderr
    assert not (tmp_path / "d").exists()


def test_full_size_is_what_the_plan_says():
    sizes = {
        name: {str(s): plan.splits(1.0).count(s) for s in plan.shares}
        for name, plan in PLANS.items()
    }
    assert sizes["rrsis_d"] == {"train": 700, "val": 60, "test": 140}
    assert sizes["rsvqa_hr"] == {"train": 160, "val": 20, "test": 40, "test_phili": 30}
