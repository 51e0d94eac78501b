"""Folders copied into ``incoming/`` by hand, up to the run that retrains: real Dagster and DVC."""

import json
import shutil
import subprocess
import sys

import dagster as dg
import pytest

from geomag.data.benchmarks.registry import read_benchmark
from geomag.versions import dataset_versions, path_md5, tracked_tree, tree_md5
from geomag_dagster.incoming import DROP, MOST_FAILURES, OP, TAKE
from geomag_dagster.project import known_version
from tests.geomag_dagster.hand_drops import copy_by_hand, definitions, make_line

pytestmark = pytest.mark.integration


class Daemon:
    """Ticks as Dagster's daemon does them: cursors kept, a run key launched once."""

    def __init__(self, root, instance):
        self.defs, self.instance = definitions(root), instance
        self.sensors = {sensor.name: sensor for sensor in self.defs.sensors}
        self.cursors: dict[str, str] = {}
        self.launched: set[str] = set()

    def look(self, name):
        """What a sensor says now."""
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursors.get(name), definitions=self.defs
        )
        return self.sensors[name](context)

    def tick(self, name):
        """One look; runs what it asks for to the end, and returns the results."""
        said = self.look(name)
        skipped = said if isinstance(said, dg.SkipReason) else said.skip_reason
        self.why = skipped.skip_message if skipped else ""
        if isinstance(said, dg.SkipReason):
            return []
        self.cursors[name] = said.cursor
        for event in said.asset_events:
            self.instance.report_runless_asset_event(event)
        job = self.sensors[name].job_name
        return [self.run(request, job) for request in said.run_requests or []]

    def going(self, job, **config):
        """A run of another process."""
        return self.instance.create_run_for_job(
            self.defs.resolve_job_def(job),
            run_config={"ops": {OP: {"config": config}}} if config else None,
            status=dg.DagsterRunStatus.STARTED,
        )

    def run(self, request, job):
        assert request.run_key not in self.launched
        self.launched.add(request.run_key)
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_config=request.run_config,
            tags=dict(request.tags),
            raise_on_error=False,
        )


@pytest.fixture
def line(tmp_path):
    root = make_line(tmp_path / "project")
    command = [sys.executable, "-m", "dvc", "--quiet", "add", "data"]
    subprocess.run(command, cwd=root, check=True)
    return root


@pytest.fixture
def daemon(line):
    with dg.instance_for_test() as instance:
        one = Daemon(line, instance)
        one.cursors["new_data"] = tree_md5(tracked_tree(line))  # known before any drop
        yield one


def failure(result):
    (event,) = [e for e in result.all_events if e.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def test_f33_a_folder_copied_by_hand_ends_in_one_retraining_and_again_in_none(line, daemon):
    copy_by_hand(line)
    assert daemon.tick("incoming_drop") == []
    assert "taken in once it stays the same" in daemon.why
    (taken,) = daemon.tick("incoming_drop")
    assert taken.success
    ids = [r.id for r in read_benchmark("rrsis_d", line / "data" / "rrsis_d")]
    assert ids == ["7", "11", "23", "31", "40", "101", "102"]
    (retrained,) = daemon.tick("new_data")
    assert retrained.success
    seen = known_version(daemon.instance, dg.AssetKey(["data", "rrsis_d"]))
    assert seen == dataset_versions(line, ["rrsis_d"])["rrsis_d"]
    assert daemon.tick("incoming_drop") == []
    assert daemon.why == "nothing in incoming/"
    copy_by_hand(line)  # the same once more: looked at, found known, no other version
    daemon.tick("incoming_drop")
    (again,) = daemon.tick("incoming_drop")
    assert again.success
    assert daemon.tick("new_data") == []
    assert "data.dvc is still" in daemon.why
    assert daemon.instance.get_runs_count(dg.RunsFilter(job_name="retrain")) == 1


def test_f34_a_corrupt_drop_is_refused_once_and_named_until_it_is_mended(line, daemon):
    before = path_md5(line / "data")
    copy_by_hand(line, bad=True)
    daemon.tick("incoming_drop")
    (refused,) = daemon.tick("incoming_drop")
    assert not refused.success
    assert "rrsis_d/march is refused" in failure(refused)
    assert "annotation 102, bbox: box (6, 0, 3, 9)" in failure(refused)
    assert path_md5(line / "data") == before
    for _ in range(2):
        assert daemon.tick("incoming_drop") == []
        assert daemon.why == "rrsis_d/march: refused, rrsis_d.march.REFUSED.txt says why"
    assert daemon.tick("new_data") == []
    copy_by_hand(line)
    daemon.tick("incoming_drop")
    (taken,) = daemon.tick("incoming_drop")
    assert taken.success
    assert not list((line / "incoming").glob("*.REFUSED.txt"))


def test_f33_a_drop_that_still_grows_is_not_asked_for(line, daemon):
    whole = copy_by_hand(line).rename(line / "whole")
    here = line / "incoming" / "rrsis_d" / "march"
    for part in ("images", "rrsisd"):
        shutil.copytree(whole / part, here / part)
        assert daemon.tick("incoming_drop") == []
    (here / ".00103.jpg.a1B2c3").write_bytes(b"rsync is at it")
    daemon.tick("incoming_drop")
    assert daemon.tick("incoming_drop") == []
    assert daemon.why == "rrsis_d/march: .00103.jpg.a1B2c3 is being copied"
    (here / "more.txt").write_text("the last of it, after the temporary name")
    (here / ".00103.jpg.a1B2c3").unlink()
    assert daemon.tick("incoming_drop") == []
    assert "stays the same until the next look" in daemon.why


def test_a_drop_waits_for_runs_and_new_data_for_drops(line, daemon):
    copy_by_hand(line)
    daemon.tick("incoming_drop")
    going = daemon.going("retrain")
    assert daemon.tick("incoming_drop") == []
    assert f"waits for the end of run {going.run_id}" in daemon.why
    daemon.instance.report_run_canceled(going)
    taking = daemon.going(TAKE, drop="rrsis_d/april", state="as it was")
    daemon.cursors["new_data"] = "another version"
    assert daemon.tick("new_data") == []
    assert "a drop is being taken in" in daemon.why
    daemon.instance.report_run_canceled(taking)
    (request,) = daemon.look("new_data").run_requests
    assert request.run_key.startswith(tree_md5(tracked_tree(line)))
    (request,) = daemon.look("incoming_drop").run_requests
    # killed before the cursor was kept: the same key, which Dagster launches once
    assert daemon.look("incoming_drop").run_requests[0].run_key == request.run_key


def test_when_the_machine_is_at_fault_it_is_tried_a_few_times_and_no_more(line, daemon):
    copy_by_hand(line)
    lock = line / ".dvc" / "tmp" / "rwlock"
    held = {"read": {str(line / "data"): [{"pid": 1, "cmd": "dvc repro, in a shell"}]}}
    lock.write_text(json.dumps(held))
    daemon.tick("incoming_drop")
    for _ in range(MOST_FAILURES):
        (failed,) = daemon.tick("incoming_drop")
        assert not failed.success
        assert any(event.is_step_up_for_retry for event in failed.all_events)
    assert daemon.tick("incoming_drop") == []
    assert f"{MOST_FAILURES} runs failed; touch it" in daemon.why
    lock.unlink()
    (line / "incoming" / "rrsis_d" / "march" / "rrsisd" / "instances.json").touch()
    daemon.tick("incoming_drop")
    (taken,) = daemon.tick("incoming_drop")
    assert taken.success
    tag = daemon.instance.get_runs(dg.RunsFilter(job_name=TAKE), limit=1)[0].tags[DROP]
    assert tag.startswith("rrsis_d/march@")
