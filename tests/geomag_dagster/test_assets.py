import subprocess
import sys

import dagster as dg
import pytest

from geomag.versions import path_md5, read_lock
from geomag_dagster.assets import code_version, stage_assets
from geomag_dagster.dvc import DvcResource
from geomag_dagster.project import dataset_event
from geomag_dagster.stages import read_stages
from tests.geomag_dagster.toy import make_project

pytestmark = pytest.mark.integration


@pytest.fixture
def line(tmp_path):
    make_project(tmp_path)
    return tmp_path


def materialize(root, instance) -> dg.ExecuteInProcessResult:
    assets = stage_assets(read_stages(root), root, on_gpu=False)
    return dg.materialize(
        assets,
        instance=instance,
        resources={"dvc": DvcResource(root=str(root))},
        raise_on_error=False,
    )


def versions(instance, *keys: str) -> dict[str, str]:
    found = {}
    for key in keys:
        event = instance.get_latest_materialization_event(dg.AssetKey.from_user_string(key))
        found[key] = event.asset_materialization.tags["dagster/data_version"] if event else ""
    return found


KEYS = ("records/aid", "model/adapter", "model/decoder", "scores/aid")


def test_data_versions_are_the_md5s_of_dvc_lock_and_do_not_change_on_a_second_run(line):
    with dg.instance_for_test() as instance:
        assert materialize(line, instance).success
        first = versions(instance, *KEYS)
        locked = {
            out["path"]: out["md5"] for entry in read_lock(line).values() for out in entry["outs"]
        }
        assert list(first.values()) == [
            locked["artifacts/records/aid"],
            locked["artifacts/models/adapter"],
            locked["artifacts/models/decoder"],
            locked["artifacts/scores/aid.json"],
        ]
        assert materialize(line, instance).success
        assert versions(instance, *KEYS) == first


def test_lineage_names_the_version_of_the_dataset_that_was_read(line):
    with dg.instance_for_test() as instance:
        instance.report_runless_asset_event(dataset_event("aid", "0" * 32 + ".dir"))
        materialize(line, instance)
        event = instance.get_latest_materialization_event(dg.AssetKey(["records", "aid"]))
        tags = event.asset_materialization.tags
        assert tags["dagster/input_data_version/data/aid"] == "0" * 32 + ".dir"


def test_f34_bad_records_stop_everything_downstream(line):
    (line / "data" / "aid" / "labels.txt").write_text("bad")
    with dg.instance_for_test() as instance:
        assert not materialize(line, instance).success
        after = versions(instance, *KEYS)
        assert after["records/aid"]
        assert [after[key] for key in KEYS[1:]] == ["", "", ""]
        assert not (line / "artifacts" / "models").exists()


def test_f34_the_report_of_refused_records_is_shown_as_the_failed_check(line):
    (line / "data" / "aid" / "labels.txt").write_text("bad, refused")
    with dg.instance_for_test() as instance:
        assert not materialize(line, instance).success
        check = dg.AssetCheckKey(dg.AssetKey(["records", "aid"]), "records_are_valid")
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([check])[check]
        assert record.status.value == "FAILED"
        assert versions(instance, "records/aid") == {"records/aid": ""}


def test_data_that_nobody_added_fails_the_step_by_both_versions_and_has_none_downstream(line):
    folder = line / "data" / "aid"
    add_data(line)
    tracked = path_md5(folder)
    (folder / "labels.txt").write_text("a port")
    with dg.instance_for_test() as instance:
        refused = materialize(line, instance)
        assert not refused.success
        reason = refused.failure_data_for_node("validate__aid").user_failure_data
        assert f"read data/aid as {path_md5(folder)}, and data.dvc tracks {tracked}" in str(
            reason.description
        )
        assert "Run `dvc add data` to make them a version" in str(reason.description)
        assert {k: v.value for k, v in reason.metadata.items()} == {
            "read": path_md5(folder),
            "data.dvc": tracked,
        }
        assert set(versions(instance, *KEYS).values()) == {""}
        # the stage is up to date by now: it is refused all the same, until the files are a version
        assert not materialize(line, instance).success
        add_data(line)
        assert materialize(line, instance).success
        assert all(versions(instance, *KEYS).values())


def add_data(root):
    command = [sys.executable, "-m", "dvc", "--quiet", "add", "data"]
    subprocess.run(command, cwd=root, check=True)


def test_a_score_is_shown_as_numbers_and_as_a_table(line):
    with dg.instance_for_test() as instance:
        materialize(line, instance)
        event = instance.get_latest_materialization_event(dg.AssetKey(["scores", "aid"]))
        metadata = event.asset_materialization.metadata
        text = (line / "artifacts" / "models" / "adapter" / "weights").read_text()
        assert metadata["magcrop/mean_iou"].value == len(text) / 100
        row = metadata["scores"].value.records[0].data
        assert (row["arm"], row["metric"]) == ("magcrop", "mean_iou")
        assert metadata["dvc.md5"].value == versions(instance, "scores/aid")["scores/aid"]


def test_code_version_follows_the_command_and_the_code_and_not_the_data(line):
    stage = read_stages(line)["validate@aid"]
    before = code_version(stage, line)
    (line / "data" / "aid" / "labels.txt").write_text("other data")
    assert code_version(stage, line) == before
    with (line / "tool.py").open("a") as tool:
        tool.write("# edited")
    assert code_version(stage, line) != before
