"""A benchmark is one folder: one more needs no edit elsewhere, and nothing elsewhere names one."""

import ast
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from geomag.config import load_profile
from geomag.data import benchmarks
from geomag.data.benchmarks import BENCHMARKS, table
from geomag.data.benchmarks.registry import merger_for, reader_for
from geomag.data.validate.run import validate
from geomag.errors import AnnotationError

ROOT = Path(__file__).parents[3]
SPEC = """
from geomag.data.benchmarks.spec import Benchmark
from geomag.data.tasks import Granularity, Task

FERRIES_CLASSES = {"Open": "open ferry", "Closed": "closed ferry"}
SPEC = Benchmark(
    name="ferries",
    title="Ferries",
    task=Task.SCENE,
    granularity=Granularity.IMAGE,
    trains=False,
    licence="CC0",
    counts={"test": 3},
    classes=tuple(FERRIES_CLASSES.values()),
    class_counts={"open ferry": 2, "closed ferry": 1},
)
"""
READER = """
from geomag.data.benchmarks.ferries.spec import FERRIES_CLASSES
from geomag.data.benchmarks.scenes import Scenes

READER = Scenes("ferries", FERRIES_CLASSES)
"""
MERGE = """
from functools import partial

from geomag.data.benchmarks.ferries.reader import READER
from geomag.data.benchmarks.scenes import merge_scenes

merge = partial(merge_scenes, READER)
"""


@pytest.fixture
def ferries(tmp_path, monkeypatch):
    """The folder of a benchmark beside the ten, and its pictures under ``data/``."""
    folder = tmp_path / "more" / "ferries"
    folder.mkdir(parents=True)
    for name, text in (("__init__", ""), ("spec", SPEC), ("reader", READER), ("merge", MERGE)):
        (folder / f"{name}.py").write_text(text)
    monkeypatch.setattr(benchmarks, "__path__", [*benchmarks.__path__, str(folder.parent)])
    monkeypatch.setitem(BENCHMARKS, "ferries", table.discovered()["ferries"])
    for name, shade in (("Open/open_1", 10), ("Open/open_2", 90), ("Closed/closed_1", 200)):
        path = tmp_path / "data" / "ferries" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((32, 32), shade).convert("RGB").save(path)
    return tmp_path / "data"


def test_one_folder_more_is_one_benchmark_more(ferries):
    found = table.discovered()
    assert list(found) == [*(name for name in BENCHMARKS if name != "ferries"), "ferries"]
    assert reader_for("ferries").benchmark == "ferries"
    assert merger_for("ferries")


def test_its_facts_decide_what_is_checked(ferries, tmp_path):
    profile = load_profile("sample")
    report = validate("ferries", ferries, tmp_path / "records", profile)
    assert report.counts == {"test": 3}
    assert report.expected_origin == "published"
    (ferries / "ferries" / "Sunk").mkdir()
    with pytest.raises(AnnotationError, match="Sunk: not a class folder"):
        validate("ferries", ferries, tmp_path / "records", profile)


def test_a_folder_with_the_facts_of_another_is_refused(ferries, tmp_path, monkeypatch):
    shutil.copytree(tmp_path / "more" / "ferries", tmp_path / "more" / "boats")
    with pytest.raises(ValueError, match="the folder boats has the facts of ferries"):
        table.discovered()


def names_in(path: Path) -> set[str]:
    """Names of benchmarks that stand in a module's code, its docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    words = {
        word
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
        for word in re.findall(r"\w+", node.value)
    }
    return words & set(BENCHMARKS)


def test_no_module_elsewhere_names_a_benchmark():
    homes = ("geomag/data/benchmarks/", "geomag/sample/")  # the drawn world mimics the ten
    paths = [*(ROOT / "geomag").rglob("*.py"), *(ROOT / "geomag_dagster").rglob("*.py")]
    named = {
        path.relative_to(ROOT).as_posix(): found
        for path in paths
        if not path.relative_to(ROOT).as_posix().startswith(homes) and (found := names_in(path))
    }
    assert named == {}


def test_no_folder_names_another_benchmark():
    folders = [ROOT / "geomag/data/benchmarks" / name for name in BENCHMARKS]
    for folder in folders:
        found = {name for path in folder.glob("*.py") for name in names_in(path)}
        assert found <= {folder.name}, folder
