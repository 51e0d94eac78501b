import shutil

import dagster as dg
import pytest

from geomag.tracking.registry import Registry
from geomag_dagster.definitions import build
from geomag_dagster.dvc import DvcResource
from geomag_dagster.promotion import CHAMPION, CHECK, promotion_assets
from geomag_dagster.stages import Stage
from tests.conftest import copy_store
from tests.evaluate.promotion_cases import BENCHMARK, answer, make_line, write_parts

STAGES = {
    "train": Stage(name="train", cmd="", outs=("artifacts/models/adapter",)),
    "score": Stage(name=f"score@{BENCHMARK}", cmd="", outs=(f"artifacts/scores/{BENCHMARK}.json",)),
}


@pytest.fixture
def line(tmp_path, empty_store, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    copy_store(empty_store, tmp_path)
    return make_line(tmp_path)


def run(root, instance) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        promotion_assets(STAGES, root),
        instance=instance,
        resources={"dvc": DvcResource(root=str(root))},
        raise_on_error=False,
    )


def seen(result: dg.ExecuteInProcessResult):
    """Version and metadata of the champion, and whether its check passed."""
    (event,) = [
        e.materialization
        for e in result.get_asset_materialization_events()
        if e.asset_key == CHAMPION
    ]
    (check,) = result.get_asset_check_evaluations()
    assert check.check_name == CHECK
    metadata = {key: value.value for key, value in event.metadata.items()}
    return event.tags["dagster/data_version"], metadata, check


@pytest.mark.integration
def test_the_asset_moves_the_alias_and_its_check_says_why_it_was_kept(line):
    answer(line, "one", lambda i: i % 3 > 0, write_parts(line, "one"))
    with dg.instance_for_test() as instance:
        version, metadata, check = seen(run(line, instance))
        assert (metadata["outcome"], metadata["reason"]) == ("promote", "first")
        assert check.passed
        answer(line, "two", lambda i: bool(i % 2) or i % 3 == 0)
        kept, metadata, check = seen(run(line, instance))
        assert kept == version == Registry(line).champion().candidate
        assert metadata["outcome"] == "keep"
        assert not check.passed
        assert check.severity is dg.AssetCheckSeverity.WARN
        assert check.metadata["reason"].value == metadata["reason"]
        assert metadata["reason"].startswith("worse: rsvqa_lr test, comp comparison")


@pytest.mark.integration
def test_a_gate_that_cannot_judge_fails_with_its_own_words(line):
    answer(line, "one", lambda i: True)
    shutil.rmtree(line / "artifacts" / "predictions")
    with dg.instance_for_test() as instance:
        result = run(line, instance)
        assert not result.success
        (failure,) = [e for e in result.all_events if e.is_step_failure]
        said = str(failure.step_failure_data.error)
        assert "no predictions. Remedy: run dvc repro" in said
        assert Registry(line).champion() is None


def test_retraining_ends_with_the_gate_and_the_whole_line_leaves_the_champion_alone():
    graph = build().resolve_asset_graph()
    (parent,) = graph.get(CHAMPION).parent_keys
    parents = {key.to_user_string() for key in graph.get(parent).parent_keys}
    assert {f"scores/{BENCHMARK}", "model/adapter", "model/base"} <= parents
    assert sum(key.startswith("scores/") for key in parents) == 10
    names = {job: {n.name for n in build().resolve_job_def(job).nodes} for job in JOBS}
    assert names["retrain"] - names["whole_line"] == {"model__candidate", "model__champion"}
    assert not {n for n in names["evaluate_only"] if "champion" in n}


JOBS = ("whole_line", "retrain", "evaluate_only")
