"""Scores of a working copy against a commit's: the five outcomes, by worked values."""

import json
import subprocess

import pytest

from geomag.evaluate.recorded import NoRecordError, compare_line


def score(accuracy: float, interval: list[float] | None = None) -> dict[str, object]:
    intervals = {} if interval is None else {"accuracy": interval}
    return {"metrics": {"accuracy": accuracy}, "intervals": intervals}


def write(root, **scores):
    folder = root / "artifacts" / "scores"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in scores.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


def git(root, *arguments):
    name = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", root, *name, *arguments], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path):
    """A repository whose commit holds one score of ten records, of two arms."""
    git(tmp_path, "init", "-q")
    arms = {"plain": score(0.5, [0.4, 0.6])}
    write(tmp_path, aid={**score(0.9, [0.85, 0.95]), "arms": arms}, ucm=score(0.3))
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "line")
    return tmp_path


def outcomes(root) -> dict[str, str]:
    found = compare_line(root).metrics
    return {f"{metric.benchmark} {metric.arm}": metric.outcome for metric in found}


def test_scores_of_the_commit_itself_are_equal(root):
    assert outcomes(root) == {"aid magcrop": "equal", "aid plain": "equal", "ucm magcrop": "equal"}


def test_a_value_in_the_recorded_interval_is_within_and_one_outside_is_different(root):
    write(root, aid={**score(0.86), "arms": {"plain": score(0.39)}})
    assert outcomes(root) == {
        "aid magcrop": "within", "aid plain": "different", "ucm magcrop": "equal",
    }  # fmt: skip


def test_another_value_without_a_recorded_interval_is_different(root):
    write(root, ucm=score(0.3001))
    assert outcomes(root)["ucm magcrop"] == "different"


def test_a_benchmark_on_one_side_only_is_said_to_be_so(root):
    write(root, sydney=score(0.7))
    (root / "artifacts" / "scores" / "ucm.json").unlink()
    found = outcomes(root)
    assert (found["sydney magcrop"], found["ucm magcrop"]) == ("not recorded", "not run")


def test_the_summary_counts_each_outcome(root):
    write(root, aid={**score(0.86), "arms": {"plain": score(0.39)}})
    assert compare_line(root).summary().endswith(": 1 equal, 1 within, 1 different")


def test_a_commit_that_is_not_there_is_refused_by_name(root):
    with pytest.raises(NoRecordError, match="v9: no commit"):
        compare_line(root, "v9")


def test_a_commit_without_scores_is_refused(tmp_path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "empty")
    with pytest.raises(NoRecordError, match="no scores under artifacts/scores"):
        compare_line(tmp_path)
