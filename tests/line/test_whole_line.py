"""The promises about the whole line, on a small project: one command, and everything agrees."""

import json
import math
import re
import shutil
import subprocess
import time

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from geomag.data.benchmarks import BENCHMARKS
from geomag.data.records import read_records
from geomag.evaluate.score.table import arms_of
from geomag.manifest import read_manifest
from geomag_dagster.assets import dataset_specs, stage_assets
from geomag_dagster.automation import dvc_lock_sensor
from geomag_dagster.dvc import DvcResource
from geomag_dagster.naming import asset_key
from geomag_dagster.stages import Stage, read_stages
from tests.line.project import Project

pytestmark = pytest.mark.integration
TRAIN = ("-m", "geomag", "train", "model")


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)
def test_each_benchmark_has_a_score_with_metrics_counts_and_baselines(line, benchmark):
    scores = line.json(f"artifacts/scores/{benchmark.name}.json")
    arms = arms_of(scores)
    extra = {f" {split}" for split in benchmark.test_splits[1:]} | {""}
    assert set(arms) == {f"{arm}{split}" for arm in benchmark.arms for split in extra}
    records = list(read_records(line.root / f"artifacts/records/{benchmark.name}/records.jsonl"))
    for score in arms.values():
        assert score["n_records"] == sum(r.split == score["split"] for r in records) > 0
        assert score["counts"]["missing"] == 0
        assert score["metrics"]
        assert all(math.isfinite(value) for value in score["metrics"].values())
        for baseline in score["baselines"].values():
            assert baseline.keys() <= score["metrics"].keys()
        assert score["baselines"]


def test_every_asset_has_the_version_that_dvc_records(line):
    names = {f"{kind}/{name}" for kind in ("data", "records", "scores") for name in BENCHMARKS}
    names |= {f"predictions/{b.name}/{arm}" for b in BENCHMARKS.values() for arm in b.arms}
    names |= {f"crops/{b.name}" for b in BENCHMARKS.values() if b.crops}
    names |= {f"model/{part}" for part in ("base", "granularity", "adapter", "decoder")}
    versions = line.dagster_versions()
    assert versions.keys() == names | {"report/tables", "leakage"}
    assert versions == line.locked_versions()


def test_a_second_run_and_a_shell_find_nothing_to_do(copy, record_property):
    before, lock = copy.dagster_versions(), (copy.root / "dvc.lock").read_bytes()
    assert set(copy.run_line().values()) == {"current"}
    assert copy.dagster_versions() == before
    begun = time.monotonic()
    printed = copy.dvc("repro")
    record_property("seconds of a dvc repro with nothing to do", time.monotonic() - begun)
    assert "Data and pipelines are up to date" in printed
    assert "Running stage" not in printed
    assert (copy.root / "dvc.lock").read_bytes() == lock


@pytest.mark.parametrize("benchmark", ["aid", "refsegrs"])
def test_without_one_picture_exactly_what_reads_its_benchmark_is_out_of_date(copy, benchmark):
    stages = read_stages(copy.root)
    folder = f"data/{benchmark}"
    readers = [stage for stage in stages.values() if folder in stage.deps]
    pictures = [p for p in (copy.root / folder).rglob("*") if p.suffix in (".jpg", ".tif", ".png")]
    min(pictures).unlink()
    changed = json.loads(copy.dvc("status", "--json"))
    assert changed.keys() == {"data.dvc", *(stage.name for stage in readers)}
    copy.dvc("add", "data")
    assert new_versions(copy) == {folder}
    assert out_of_date(copy) == keys_of(readers)


def test_what_a_shell_has_changed_shows_in_the_ui_and_leads_on_from_there(copy):
    profile = copy.root / "geomag" / "profiles" / "sample.yaml"
    profile.write_text(profile.read_text().replace("gallery: 2", "gallery: 1"))
    assert out_of_date(copy) == {"report/tables"}
    assert copy.dvc("repro").count("Running stage") == 1
    assert new_versions(copy) == {"report/tables"}
    assert copy.dagster_versions() == copy.locked_versions()
    assert out_of_date(copy) == set()
    # a benchmark that the shell has run through the line again: its readers know its version
    note = copy.root / "data" / "resisc45" / "NOTE.txt"
    note.write_text("first")
    copy.dvc("add", "data")
    copy.dvc("repro", "--single-item", "validate@resisc45", "predict@resisc45-magcrop")
    new_versions(copy)
    assert "records/resisc45" not in out_of_date(copy)
    note.write_text("second")
    copy.dvc("add", "data")
    assert new_versions(copy) == {"data/resisc45"}
    assert {"records/resisc45", "predictions/resisc45/magcrop"} <= out_of_date(copy)


def test_f28_a_training_killed_half_way_ends_in_the_same_weights(copy):
    models = copy.root / "artifacts" / "models"
    undisturbed = {part: read_manifest(models / part)["digest"] for part in ("adapter", "decoder")}
    for part in undisturbed:
        shutil.rmtree(models / part)
    copy.start_and_kill(*TRAIN)
    assert not (models / "adapter").exists()
    assert not (models / "decoder").exists()
    assert re.search(r"^train: goes on after [468] of 10$", copy.complaints(*TRAIN), re.M)
    for part, digest in undisturbed.items():
        assert read_manifest(models / part, verify=True)["digest"] == digest
    assert "train" not in json.loads(copy.dvc("status", "--json"))


def test_a_table_cell_comes_out_the_same_in_a_clone_of_its_commit(copy):
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run([*git, "commit", "-qam", "Scores"], cwd=copy.root, check=True)
    cell = next(c["id"] for c in copy.json("artifacts/report/cells.json") if "rsvqa_lr" in c["id"])
    said = copy.python("-m", "geomag", "reproduce", cell)
    assert "made again by predict@rsvqa_lr-magcrop, score@rsvqa_lr\n" in said
    assert "the digits agree\nevery file that was made again is the same to the byte" in said


def new_versions(project: Project) -> set[str]:
    """Let the UI's sensor look at DVC's files; returns the assets whose new versions it reports."""
    sensor = dvc_lock_sensor(project.root, read_stages(project.root))
    with project.instance() as instance:
        seen = sensor(dg.build_sensor_context(instance=instance)).asset_events
        for event in seen:
            instance.report_runless_asset_event(event)
    return {event.asset_key.to_user_string() for event in seen}


def out_of_date(project: Project) -> set[str]:
    """The assets that the UI marks as out of date or missing."""
    stages = read_stages(project.root)
    definitions = dg.Definitions(
        assets=[
            *dataset_specs(list(BENCHMARKS)),
            *stage_assets(stages, project.root, on_gpu=False),
        ],
        resources={"dvc": DvcResource(root=str(project.root))},
    )
    graph = definitions.resolve_asset_graph()
    with project.instance() as instance:
        context = LoadingContextForTest(instance)
        resolver = CachingStaleStatusResolver(instance, graph, context)
        return {
            key.to_user_string()
            for key in graph.get_all_asset_keys()
            if resolver.get_status(key) is not StaleStatus.FRESH
        }


def keys_of(stages: list[Stage]) -> set[str]:
    """The assets of the outputs of some stages."""
    return {asset_key(out).to_user_string() for stage in stages for out in stage.outs}
