import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from geomag.versions import dataset_versions
from geomag_dagster.assets import dataset_specs, stage_assets
from geomag_dagster.automation import (
    automation,
    dvc_lock_sensor,
    new_data_sensor,
    on_changed_inputs,
    weekly_schedule,
)
from geomag_dagster.dvc import DvcResource
from geomag_dagster.project import dataset_event, known_version, report_datasets
from geomag_dagster.stages import read_stages
from tests.geomag_dagster.toy import make_project

pytestmark = pytest.mark.integration


def dvc(root: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", "--quiet", *arguments]
    subprocess.run(command, cwd=root, check=True)


@pytest.fixture
def line(tmp_path):
    make_project(tmp_path)
    dvc(tmp_path, "add", "data")
    return tmp_path


def tick(sensor, instance, cursor=None):
    return sensor(dg.build_sensor_context(instance=instance, cursor=cursor))


def test_f33_a_new_version_of_the_data_asks_for_one_run_and_a_second_look_for_none(line):
    sensor = new_data_sensor(line, read_stages(line))
    with dg.instance_for_test() as instance:
        first = tick(sensor, instance)
        assert [event.asset_key.to_user_string() for event in first.asset_events] == ["data/aid"]
        (request,) = first.run_requests
        assert request.run_key.startswith(first.cursor)
        # killed after asking, before its cursor was kept: the same key is asked for again, and
        # Dagster launches a key once
        again = tick(sensor, instance)
        assert [r.run_key for r in again.run_requests] == [request.run_key]
        assert isinstance(tick(sensor, instance, first.cursor), dg.SkipReason)


def test_a_drop_that_is_half_copied_is_not_seen_and_the_whole_one_once(line):
    sensor = new_data_sensor(line, read_stages(line))
    with dg.instance_for_test() as instance:
        cursor = tick(sensor, instance).cursor
        (line / "data" / "aid" / "more.txt").write_text("being copied")
        assert isinstance(tick(sensor, instance, cursor), dg.SkipReason)
        dvc(line, "add", "data")
        seen = tick(sensor, instance, cursor)
        assert len(seen.run_requests) == 1
        assert seen.cursor != cursor


def test_data_that_comes_back_to_what_it_was_asks_for_a_run_again(line):
    sensor, note = new_data_sensor(line, read_stages(line)), line / "data" / "aid" / "more.txt"
    cursor, keys, versions = None, [], []
    with dg.instance_for_test() as instance:
        for is_there in (False, True, False, True):
            note.unlink(missing_ok=True)
            if is_there:
                note.write_text("more")
            dvc(line, "add", "data")
            seen = tick(sensor, instance, cursor)
            (request,) = seen.run_requests
            assert tick(sensor, instance, cursor).run_requests == [request], "until it is kept"
            cursor = seen.cursor
            assert isinstance(tick(sensor, instance, cursor), dg.SkipReason)
            keys.append(request.run_key)
            versions.append(request.tags["dvc.data"])
    assert versions[:2] == versions[2:]
    assert len(set(keys)) == 4


def test_without_the_listing_the_sensor_waits_and_says_what_to_do(line):
    for listing in (line / ".dvc" / "cache").rglob("*.dir"):
        listing.unlink()
    with dg.instance_for_test() as instance:
        skipped = tick(new_data_sensor(line, read_stages(line)), instance)
    assert "dvc fetch" in skipped.skip_message


def test_half_written_files_of_dvc_are_waited_for(tmp_path):
    make_project(tmp_path)
    stages = read_stages(tmp_path)
    sensors = new_data_sensor(tmp_path, stages), dvc_lock_sensor(tmp_path, stages)
    with dg.instance_for_test() as instance:
        for half in ("", "outs:\n- md5: [", "outs:\n"):
            (tmp_path / "data.dvc").write_text(half)
            for sensor in sensors:
                assert "data.dvc is being written" in tick(sensor, instance).skip_message
        (tmp_path / "data.dvc").unlink()
        (tmp_path / "dvc.lock").write_text("stages: {aid: [")
        assert "not a lock file of DVC" in tick(sensors[1], instance).skip_message


def test_what_a_shell_made_is_shown_once_with_the_versions_of_dvc_lock(line):
    sensor = dvc_lock_sensor(line, read_stages(line))
    with dg.instance_for_test() as instance:
        dvc(line, "repro")
        seen = tick(sensor, instance)
        keys = {event.asset_key.to_user_string() for event in seen.asset_events}
        assert keys == {"data/aid", "records/aid", "model/adapter", "model/decoder", "scores/aid"}
        for event in seen.asset_events:
            instance.report_runless_asset_event(event)
        assert isinstance(tick(sensor, instance, seen.cursor), dg.SkipReason)
        assert tick(sensor, instance).asset_events == []


def test_a_click_after_a_shell_finds_nothing_to_do(line):
    dvc(line, "repro")
    with dg.instance_for_test() as instance:
        for event in tick(dvc_lock_sensor(line, read_stages(line)), instance).asset_events:
            instance.report_runless_asset_event(event)
        before = known_version(instance, dg.AssetKey(["scores", "aid"]))
        assets = stage_assets(read_stages(line), line, on_gpu=False)
        result = dg.materialize(
            assets, instance=instance, resources={"dvc": DvcResource(root=str(line))}
        )
        assert result.success
        ran = [
            event.materialization.metadata["command ran"].value
            for event in result.get_asset_materialization_events()
        ]
        assert not any(ran)
        assert known_version(instance, dg.AssetKey(["scores", "aid"])) == before


def test_changing_one_file_leaves_exactly_the_datasets_descendants_out_of_date(tmp_path):
    # docs/reference/promises-of-the-line.md, two data sets: the other one's line is untouched
    from tests.geomag_dagster.toy import LINE

    pipeline = {**LINE, "vars": [{"names": ["aid", "resisc45"]}]}
    make_project(tmp_path, pipeline)
    (tmp_path / "data" / "resisc45").mkdir()
    (tmp_path / "data" / "resisc45" / "labels.txt").write_text("a farm")
    dvc(tmp_path, "repro")
    (tmp_path / "data" / "resisc45" / "labels.txt").write_text("a mine")
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "validate@resisc45" in done.stdout
    assert "aid" not in done.stdout.replace("resisc45", "")


def test_known_versions_are_reported_once(line):
    with dg.instance_for_test() as instance:
        assert report_datasets(instance, line, ["aid", "unknown"]) == ["aid"]
        assert report_datasets(instance, line, ["aid", "unknown"]) == []
        version = known_version(instance, dg.AssetKey(["data", "aid"]))
        assert version == dataset_versions(line, ["aid"])["aid"]


def test_a_condition_fires_on_a_new_version_and_not_on_the_same_one_again(line):
    records = [
        asset
        for asset in stage_assets(
            read_stages(line), line, on_gpu=False, condition=on_changed_inputs()
        )
        if asset.op.name == "validate__aid"
    ]
    defs = dg.Definitions(
        assets=[*dataset_specs(["aid"]), *records],
        resources={"dvc": DvcResource(root=str(line))},
    )
    key = dg.AssetKey(["records", "aid"])
    with dg.instance_for_test() as instance:

        def requested(version: str, cursor):
            instance.report_runless_asset_event(dataset_event("aid", version))
            result = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
            return result.get_num_requested(key), result.cursor

        _, cursor = requested("v1", None)
        assert requested("v1", cursor)[0] == 0
        n_requested, cursor = requested("v2", cursor)
        assert n_requested == 1
        assert requested("v2", cursor)[0] == 0


def test_nothing_runs_by_itself_until_it_is_switched_on(line):
    sensors = automation(line, read_stages(line))
    assert {sensor.name for sensor in sensors} == {
        "incoming_drop",
        "new_data",
        "dvc_lock",
        "close_tracking",
        "declarative",
    }
    assert {sensor.default_status for sensor in sensors} == {dg.DefaultSensorStatus.STOPPED}
    schedule = weekly_schedule()
    assert (schedule.default_status, schedule.cron_schedule) == (
        dg.DefaultScheduleStatus.STOPPED,
        "0 3 * * 1",
    )
