"""Files and folders that commands are told to write: what is there stays unless said otherwise."""

import json
import os

import pytest
from typer.testing import CliRunner

from geomag.cli.main import app
from geomag.errors import OutputError
from geomag.outputs import check_file, check_folder


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("link", [os.symlink, os.link, None], ids=["symbolic", "hard", "itself"])
def test_an_input_is_never_an_output_file_even_when_told_to_overwrite(tmp_path, link):
    source = tmp_path / "a.jsonl"
    source.write_text("mine")
    target = source
    if link:
        link(source, target := tmp_path / "b.jsonl")
    with pytest.raises(OutputError, match="is the input"):
        check_file(target, "--json", inputs=[source], overwrite=True)


def test_a_file_of_an_input_folder_is_an_input_and_a_new_file_in_it_is_not(tmp_path):
    (tmp_path / "image.png").write_text("mine")
    with pytest.raises(OutputError, match="is a file of the input"):
        check_file(tmp_path / "image.png", "--json", inputs=[tmp_path], overwrite=True)
    check_file(tmp_path / "score.json", "--json", inputs=[tmp_path])


def test_what_exists_is_replaced_on_request_only(tmp_path):
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(OutputError, match=r"exists.*--overwrite"):
        check_file(tmp_path / "a.json", "--json")
    check_file(tmp_path / "a.json", "--json", overwrite=True)
    with pytest.raises(OutputError, match="is a folder"):
        check_file(tmp_path, "--json", overwrite=True)


def test_a_folder_that_holds_something_is_filled_on_request_only(tmp_path):
    check_folder(tmp_path, "--out")
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(OutputError, match=r"not empty.*--overwrite"):
        check_folder(tmp_path, "--out")
    check_folder(tmp_path, "--out", overwrite=True)
    with pytest.raises(OutputError, match="holds the input"):
        check_folder(tmp_path, "--out", inputs=[tmp_path / "a.json"])
    with pytest.raises(OutputError, match="not a folder"):
        check_folder(tmp_path / "a.json", "--out", overwrite=True)


@pytest.mark.parametrize(
    "command",
    [
        ("bench", "masks", "--count", "1", "--json", "{file}"),
        ("bench", "probe", "--json", "{file}"),
        ("experiment", "windows", "rrsis_d", "--json", "{file}"),
        ("experiment", "pool", "{source}", "--json", "{file}"),
        ("experiment", "4k", "--draw-only", "--scenes", "0", "--out", "{folder}"),
        ("trace", "a/b/c/d/e", "--json", "{file}"),
        ("verify", "--json", "{file}"),
        ("promote", "--json", "{file}"),
        ("reproduce", "a/b/c/d/e", "--json", "{file}"),
        ("reproduce", "a/b/c/d/e", "--out", "{folder}"),
        ("score", "rrsis_d", "{source}", "--json", "{file}"),
        ("score", "rrsis_d", "{source}", "--json", "{source}", "--overwrite"),
        ("score", "rrsis_d", "{source}", "--samples", "{folder}"),
        ("compare", "{source}", "{source}", "--benchmark", "rrsis_d", "--json", "{file}"),
        ("convert", "csv", "{source}", "{file}"),
        ("convert", "csv", "{source}", "{source}", "--overwrite"),
        ("report", "--out", "{folder}"),
        ("predict", "rrsis_d", "--out", "{file}"),
        ("predict", "rrsis_d", "--data", "{folder}", "--records", "{folder}/magcrop.jsonl"),
        ("train", "granularity", "--out", "{folder}"),
        ("data", "validate", "rrsis_d", "--out", "{folder}"),
        ("data", "leakage", "rrsis_d", "--out", "{folder}"),
        ("data", "own", "{source}", "--layout", "rrsis_d", "--out", "{folder}"),
        ("data", "sample", "--benchmark", "aid", "--out", "{folder}/.."),
    ],
    ids=" ".join,
)
def test_no_command_touches_what_a_user_has_there(tmp_path, monkeypatch, command):
    folder = tmp_path / "mine" / "aid"
    folder.mkdir(parents=True)
    names = ("file.json", "report.json", "leakage.json", "magcrop.jsonl", "source.csv")
    for name in names:
        (folder / name).write_text(json.dumps("mine"))
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(tmp_path)
    places = {"file": folder / "file.json", "source": folder / "source.csv", "folder": folder}
    done = run(*(word.format(**places) for word in command))
    assert isinstance(done.exception, Exception), done.output
    assert type(done.exception).__name__ in {"OutputError", "ConfigError", "ToolError"}
    assert "traceback" not in done.output.lower()
    assert {path.name for path in folder.iterdir()} == set(names)
    assert all((folder / name).read_text() == '"mine"' for name in names)
