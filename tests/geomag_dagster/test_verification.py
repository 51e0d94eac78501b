"""The nightly look at the record: green, failed with the first broken link, off by default."""

import dagster as dg
import pytest

from geomag_dagster.verification import VERIFY, nightly_verification, outdated, verify_job
from tests.evaluate.promotion_cases import BENCHMARK
from tests.evaluate.verify.cases import ANSWERS, recorded_line


@pytest.fixture
def line(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return recorded_line(tmp_path)


@pytest.mark.integration
def test_the_job_succeeds_on_a_whole_record_and_fails_with_the_first_broken_link(line):
    job = verify_job(line)
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
        (line / ANSWERS).write_text("")
        done = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not done.success
    (failure,) = [event for event in done.all_events if event.is_step_failure]
    said = failure.step_failure_data.user_failure_data.description
    assert said.startswith(f"predictions of {BENCHMARK} magcrop: {ANSWERS}: has changed")


def test_an_asset_that_dagster_knows_in_another_version_is_named(line):
    def event(md5):
        tags = {"dagster/data_version": md5}
        return dg.AssetMaterialization(asset_key=["model", "adapter"], tags=tags)

    with dg.DagsterInstance.ephemeral() as instance:
        assert list(outdated(instance, line)) == []
        instance.report_runless_asset_event(event("old"))
        (said,) = outdated(instance, line)
    assert said.startswith("model/adapter: Dagster knows old, dvc.lock ")


def test_it_does_not_run_by_itself_until_it_is_switched_on():
    schedule = nightly_verification()
    assert (schedule.job_name, schedule.default_status) == (
        VERIFY,
        dg.DefaultScheduleStatus.STOPPED,
    )
