"""The how-to page on adding a benchmark, run as it is printed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from geomag import extend
from geomag.errors import ConfigError
from geomag.io import read_json, read_jsonl

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "add-a-benchmark.md"
FILE = re.compile(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = dict(FILE.findall(PAGE.read_text()))


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(folder, words, plugins):
    command = [sys.executable, "-m", *words]
    env = {"PATH": "/usr/bin:/bin", "GEOMAG_PLUGINS": plugins}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_files_are_as_short_as_promised():
    assert set(FILES) == {"clouds/labels.csv", "clouds.py", "answers.json", "skybot.py"}
    assert len(FILES["clouds.py"].splitlines()) <= 60
    assert len(FILES["skybot.py"].splitlines()) <= 40


def test_the_pages_own_commands_convert_score_and_compare(folder):
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    export, *lines = block.strip().splitlines()
    plugins = export.removeprefix("export GEOMAG_PLUGINS=")
    said = []
    for line in lines:
        done = run(folder, shlex.split(line), plugins)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[0] == "3 predictions: mine.jsonl\n"
    assert [row["model"] for row in read_jsonl(folder / "mine.jsonl")] == ["skybot"] * 3
    found = read_json(folder / "score.json")
    # 4 for 3, 8 for 8, and an answer without a number: ten off
    assert found["metrics"] == {"near": pytest.approx(2 / 3), "error": pytest.approx(11 / 3)}
    assert found["counts"]["unparsed"] == 1
    # the train split says 8: five, nothing, and eight off
    floor = found["baselines"]["majority_per_type"]
    assert floor == {"near": pytest.approx(1 / 3), "error": pytest.approx(13 / 3)}
    low, high = found["intervals"]["error"]
    assert 0 <= low <= 11 / 3 <= high <= 10
    assert "3 records, 3 images" in said[2]


def test_wrong_input_is_named_as_our_own_readers_do(folder):
    labels = folder / "clouds" / "labels.csv"
    labels.write_text(labels.read_text().replace("480,8", "480,many"))
    (folder / "mine.jsonl").write_text("")
    words = ["geomag", "score", "clouds", "mine.jsonl", "--data", "clouds"]
    done = run(folder, words, "clouds.py")
    assert done.returncode == 2
    assert "labels.csv, line 3, tenths: 'many'. Wanted: a number from 0 to 10" in done.stderr
    done = run(folder, words, "absent.py")
    assert done.returncode == 2
    assert "GEOMAG_PLUGINS, absent.py: no such file" in done.stderr


def test_a_name_that_is_taken_is_refused():
    from geomag.data.benchmarks import BENCHMARKS

    with pytest.raises(ConfigError, match="'aid' is there already"):
        extend.add_benchmark(BENCHMARKS["aid"], lambda root: ())
    with pytest.raises(ConfigError, match="'csv' is there already"):
        extend.add_format("csv", lambda source: iter(()))
