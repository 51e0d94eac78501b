"""What a killed writer leaves, and what the next one makes of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from geomag.io import atomic_path, visible, write_text
from geomag.manifest import publish
from geomag.partial import partial_folder
from geomag.versions import path_md5

ROOT = Path(__file__).parents[1]
KILLED = """
import os, sys
from pathlib import Path
from geomag.io import atomic_path
from geomag.manifest import publish

def die():
    os.kill(os.getpid(), 9)

kind, target = sys.argv[1], Path(sys.argv[2])
if kind == "file":
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        die()
with publish(target) as folder:
    (folder / "half.json").write_text("{")
    die()
"""
WAITS = KILLED.replace("os.kill(os.getpid(), 9)", "print('writing', flush=True); sys.stdin.read()")


def run(script: str, kind: str, target: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", script, kind, str(target)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, **pipes)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_f28_what_a_killed_writer_left_is_hidden_and_taken_over(tmp_path, kind):
    target = tmp_path / "magcrop.jsonl"
    assert run(KILLED, kind, target).wait() == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [".magcrop.jsonl.partial"]
    assert visible(tmp_path) == []
    assert list(tmp_path.glob("*.jsonl")) == []
    if kind == "file":
        write_text(target, "whole")
        assert target.read_text() == "whole"
    else:
        with publish(target) as folder:
            assert list(folder.iterdir()) == []
            (folder / "whole.json").write_text("{}")
        assert [path.name for path in target.iterdir()] == ["whole.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["magcrop.jsonl"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_live_writer_is_left_alone(tmp_path, kind):
    target = tmp_path / "magcrop.jsonl"
    other = run(WAITS, kind, target)
    assert other.stdout.readline() == "writing\n"
    if kind == "file":
        write_text(target, "mine")
    else:
        with publish(target) as folder:
            (folder / "mine").write_text("")
    live = tmp_path / ".magcrop.jsonl.partial"
    assert sorted(path.name for path in tmp_path.iterdir()) == [live.name, target.name]
    half = live if kind == "file" else live / "half.json"
    assert half.read_text() in ("half", "{")
    other.kill()
    other.communicate()


def test_of_two_writers_that_were_killed_together_nothing_stays(tmp_path):
    target = tmp_path / "magcrop.jsonl"
    both = [run(WAITS, "file", target) for _ in range(2)]
    for writer in both:
        assert writer.stdout.readline() == "writing\n"
    assert len(list(tmp_path.iterdir())) == 2
    for writer in both:
        writer.kill()
        writer.communicate()
    write_text(target, "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["magcrop.jsonl"]


def fail_while_writing(target: Path) -> None:
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError


def fail_while_filling(target: Path) -> None:
    with partial_folder(target):
        raise RuntimeError


@pytest.mark.parametrize("fail", [fail_while_writing, fail_while_filling])
def test_a_failed_writer_leaves_the_target_and_nothing_else(tmp_path, fail):
    target = tmp_path / "a.json"
    write_text(target, "before")
    with pytest.raises(RuntimeError):
        fail(target)
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_name_as_long_as_names_may_be_is_written(tmp_path):
    target = tmp_path / ("é" * 125 + ".json")
    write_text(target, "whole")
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_files_and_folders_get_the_usual_permissions(tmp_path):
    write_text(tmp_path / "a", "")
    with publish(tmp_path / "b") as folder:
        (folder / "c").write_text("")
    (tmp_path / "d").write_text("")
    (tmp_path / "e").mkdir()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "d").stat().st_mode
    assert (tmp_path / "b").stat().st_mode == (tmp_path / "e").stat().st_mode


def test_a_version_does_not_change_with_what_is_half_written(tmp_path):
    (tmp_path / "records.jsonl").write_text("{}\n")
    before = path_md5(tmp_path)
    (tmp_path / ".records.jsonl.partial").write_text("half")
    assert path_md5(tmp_path) == before
