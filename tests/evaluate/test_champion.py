"""The champion of a project: gate, registry, rollback, on real MLflow and DVC files."""

import subprocess
import sys

import pytest
import yaml

from geomag.config.schema import ScoreConfig
from geomag.data.records import read_records
from geomag.errors import PredictionError, ToolError, WeightsError
from geomag.evaluate.candidate import collect, keep, kept
from geomag.evaluate.champion import Registration, roll_back, run_gate
from geomag.evaluate.score.context import ScoringContext
from geomag.io import read_json
from geomag.tracking.registry import PromotionError, Registry
from geomag.versions import dataset_versions, path_md5
from tests.conftest import copy_store
from tests.evaluate.promotion_cases import (
    BENCHMARK,
    PER_IMAGE,
    ROWS,
    answer,
    make_line,
    track_data,
    write_parts,
)


@pytest.fixture
def line(tmp_path, empty_store, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("GEOMAG_PROFILE", raising=False)
    copy_store(empty_store, tmp_path)
    return make_line(tmp_path)


def gate(root, **options):
    def records(name):
        return read_records(root / "artifacts" / "records" / name / "records.jsonl")

    context = ScoringContext(config=ScoreConfig(resamples=200))
    entry = Registration({"git.commit": "c0ffee"})
    return run_gate(root, records, context, entry=entry, **options)


def worse(i):
    return i % 3 > 0


def better(i):
    return i % 3 > 0 or i % 2 == 0


def lopsided(i):
    # presence is always right, comparisons are right in one of three instead of two
    return bool(i % 2) or i % 3 == 0


@pytest.mark.integration
def test_the_first_is_promoted_the_same_is_kept_and_a_better_one_takes_over(line):
    answer(line, "one", worse)
    first = gate(line)
    assert (first.decision.outcome, first.decision.reason) == ("promote", "first")
    assert (first.champion, first.champion_version) == (first.candidate, "1")
    assert gate(line).decision.reason == "it is the champion already"
    answer(line, "two", better)
    assert gate(line, dry_run=True).champion == first.candidate
    second = gate(line)
    assert second.decision.outcome == "promote"
    assert "better: rsvqa_lr test average" in second.decision.reason
    version = Registry(line).champion()
    assert version.number == "2"
    assert version.tags["geomag.reason"] == second.decision.reason
    assert version.tags["geomag.previous"] == "1"
    assert version.tags["dvc.md5.adapter"] == collect(line, lambda _: ROWS).models["adapter"]
    assert version.tags["git.commit"] == "c0ffee"


@pytest.mark.integration
def test_f35_a_worse_slice_leaves_the_alias_and_the_reason_stands_on_the_version(line):
    answer(line, "one", worse)
    first = gate(line)
    answer(line, "two", lopsided)
    second = gate(line)
    assert second.decision.outcome == "keep"
    assert "rsvqa_lr test, comp comparison -0.3" in second.decision.reason
    assert (second.champion, second.version) == (first.candidate, "2")
    tags = Registry(line).find(second.candidate).tags
    assert (tags["geomag.outcome"], tags["geomag.reason"]) == ("keep", second.decision.reason)


@pytest.mark.integration
def test_a_changed_test_set_is_not_compared_and_a_person_may_accept(line):
    answer(line, "one", worse)
    first = gate(line)
    (line / "data" / BENCHMARK / ROWS[0].image).write_text("another picture")
    answer(line, "two", better)
    second = gate(line)
    assert second.decision.outcome == "undecided"
    assert "the test set of rsvqa_lr has changed" in second.decision.reason
    assert second.champion == first.candidate
    third = gate(line, accept="new test pictures")
    assert third.champion == third.candidate == second.candidate
    assert Registry(line).champion().tags["geomag.reason"].endswith("new test pictures")


@pytest.mark.integration
def test_f36_rollback_takes_the_one_before_and_the_gate_leaves_it_at_that(line):
    answer(line, "one", worse)
    first = gate(line)
    with pytest.raises(PromotionError, match="version 1 was the first"):
        roll_back(line)
    answer(line, "two", better)
    gate(line)
    assert roll_back(line) == ("2", "1")
    assert Registry(line).champion().candidate == first.candidate
    again = gate(line)
    assert again.decision.outcome == "keep"
    assert again.decision.reason == "version 2 was rolled back"
    assert Registry(line).find(again.candidate).tags["geomag.outcome"] == "rolled back"


@pytest.mark.integration
def test_rollback_to_a_champion_without_its_answers_is_refused(line):
    answer(line, "one", worse)
    first = gate(line)
    answer(line, "two", better)
    gate(line)
    copy = line / "artifacts" / "champion" / first.candidate / BENCHMARK / "magcrop.jsonl"
    copy.write_text(copy.read_text() + "\n")
    with pytest.raises(WeightsError, match="sha256 differs"):
        roll_back(line)
    assert Registry(line).champion().number == "2"


@pytest.mark.integration
def test_f36_of_two_promotions_at_once_one_wins(line):
    code = (
        "import sys; from pathlib import Path; from geomag.tracking.registry import Registry\n"
        "root, name = Path(sys.argv[1]), sys.argv[2]\n"
        "registry = Registry(root); number = registry.register(name, {}, {})\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "registry.promote(number, expected=None, reason=name); print(number)"
    )
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(line), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    assert [process.stdout.readline() for process in pair] == ["ready\n", "ready\n"]
    for process in pair:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120) for process in pair]
    assert sorted(process.returncode for process in pair) == [0, 1]
    winner = 0 if pair[0].returncode == 0 else 1
    assert Registry(line).champion().number == said[winner][0].strip()
    assert "another promotion came first" in said[1 - winner][1]


@pytest.mark.integration
def test_f37_without_mlflow_nothing_is_lost_and_the_next_try_goes_on(line, monkeypatch):
    answer(line, "one", worse)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(ToolError, match=r"MLflow: does not answer .* run geomag promote again"):
        gate(line)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert gate(line).decision.reason == "first"


def replace_test_pictures(root):
    for image in {row.image for row in ROWS}:
        (root / "data" / BENCHMARK / image).write_text("another picture")


def test_answers_to_pictures_that_no_version_tracks_are_refused(line):
    track_data(line)
    replace_test_pictures(line)
    answer(line, "one", worse)  # dvc.lock records what was read, data.dvc what was there before
    with pytest.raises(PredictionError) as refused:
        collect(line, lambda _: ROWS)
    read, tracked = path_md5(line / "data" / BENCHMARK), dataset_versions(line, [BENCHMARK])
    assert f"data/rsvqa_lr: version {read} was answered" in str(refused.value)
    assert f"{tracked[BENCHMARK]}, as data.dvc has it" in str(refused.value)
    track_data(line)
    assert collect(line, lambda _: ROWS).data == {BENCHMARK: read}


def test_pictures_that_changed_after_they_were_answered_are_refused(line):
    track_data(line)
    answer(line, "one", worse)
    collect(line, lambda _: ROWS)
    replace_test_pictures(line)
    with pytest.raises(PredictionError, match=rf"data/{BENCHMARK}/.*: md5 \w+\. Wanted: md5 \w+"):
        collect(line, lambda _: ROWS)


def test_records_that_changed_after_they_were_answered_are_refused(line):
    answer(line, "one", worse)
    records = line / "artifacts" / "records" / BENCHMARK / "records.jsonl"
    records.write_text(records.read_text() + "\n")
    with pytest.raises(PredictionError, match=f"artifacts/records/{BENCHMARK}: version"):
        collect(line, lambda _: ROWS)


def test_a_candidate_without_answers_to_a_benchmark_of_its_line_is_refused(line):
    answer(line, "one", worse)
    with pytest.raises(PredictionError, match="no predictions of aid, resisc45"):
        collect(line, lambda _: ROWS, ["rsvqa_lr", "aid", "resisc45"])


def test_answers_of_other_weights_are_refused(line):
    answer(line, "one", worse)
    lock = line / "dvc.lock"
    assert collect(line, lambda _: ROWS).predictions.keys() == {BENCHMARK}
    trained = collect(line, lambda _: ROWS).models["adapter"]
    head, _, tail = lock.read_text().rpartition(trained)
    lock.write_text(f"{head}{'0' * 32}.dir{tail}")
    with pytest.raises(PredictionError, match=r"run dvc repro predict@rsvqa_lr-magcrop"):
        collect(line, lambda _: ROWS)


def test_answers_that_dvc_did_not_record_are_refused(line):
    answer(line, "one", worse)
    path = line / "artifacts" / "predictions" / BENCHMARK / "magcrop.jsonl"
    path.write_text(path.read_text().replace("no", "yes"))
    with pytest.raises(PredictionError, match=r"not what dvc\.lock records"):
        collect(line, lambda _: ROWS)


def test_a_kept_candidate_is_read_back_whole(line):
    answer(line, "one", worse)
    found = collect(line, lambda _: ROWS)
    copy = keep(found, line)
    assert copy.file(BENCHMARK).read_bytes() == found.file(BENCHMARK).read_bytes()
    assert copy.digest == found.digest
    answer(line, "two", better)
    assert kept(line, found.digest).facts() == found.facts()


def test_more_training_records_do_not_change_the_test_set(line):
    answer(line, "one", worse)
    before = collect(line, lambda _: ROWS).tests
    more = [*ROWS, *(r for r in ROWS[:PER_IMAGE])]
    train = [r.__class__.from_json({**r.to_json(), "split": "train"}, place="") for r in more[-4:]]
    assert collect(line, lambda _: [*ROWS, *train]).tests == before
    assert collect(line, lambda _: ROWS[1:]).tests != before


@pytest.mark.integration
def test_the_command_promotes_prints_rows_and_rolls_back(line):
    answer(line, "one", worse, write_parts(line, "one"))

    def geomag(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "geomag", *arguments],
            cwd=line,
            capture_output=True,
            text=True,
            check=False,
        )

    arms = {f"{name}-magcrop": {"benchmark": name, "arm": "magcrop"} for name in ("aid", BENCHMARK)}
    (line / "params.yaml").write_text(yaml.safe_dump({"profile": "sample", "predictions": arms}))
    partial = geomag("promote")
    assert partial.returncode == 2
    assert "no predictions of aid" in partial.stderr
    (line / "params.yaml").write_text("profile: sample")
    assert geomag("promote").returncode == 0
    answer(line, "two", better)
    refused = geomag("promote")
    assert refused.returncode == 2
    assert "which was judged. Remedy: dvc checkout" in refused.stderr
    assert Registry(line).champion().number == "1"
    answer(line, "two", better, write_parts(line, "two"))
    done = geomag("promote", "--json", "decision.json")
    assert done.returncode == 0, done.stderr
    tree = read_json(line / "decision.json")
    assert (tree["outcome"], tree["version"], tree["champion_version"]) == ("promote", "2", "2")
    assert tree["rows"][0]["benchmark"] == BENCHMARK
    assert "rsvqa_lr test" in done.stdout
    assert "promote: better" in done.stdout
    back = geomag("promote", "--rollback")
    assert "version 1 is the champion again, version 2 was rolled back" in back.stdout
    refused = geomag("promote", "--rollback")
    assert refused.returncode == 2
    assert "version 1 was the first" in refused.stderr
