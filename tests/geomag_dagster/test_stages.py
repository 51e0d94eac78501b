import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from geomag.data.benchmarks import BENCHMARKS
from geomag_dagster.stages import feeders, overlap, read_stages

ROOT = Path(__file__).parents[2]


def write(root: Path, tree: dict) -> Path:
    (root / "dvc.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    return root


def test_lists_mappings_and_matrices_are_spelled_out(tmp_path):
    (tmp_path / "params.yaml").write_text("names: [a, b]\nprofile: small\n")
    stages = read_stages(
        write(
            tmp_path,
            {
                "stages": {
                    "one": {"foreach": "${names}", "do": {"cmd": "x ${item}", "outs": ["${item}"]}},
                    "two": {
                        "foreach": {"k": {"v": 3}},
                        "do": {"cmd": "y ${item.v} ${key}", "params": [{"${profile}.yaml": ["p"]}]},
                    },
                    "three": {"matrix": {"m": ["u", "v"], "n": [1]}, "cmd": "z ${item.m}${item.n}"},
                }
            },
        )
    )
    assert [(s.name, s.cmd) for s in stages.values()] == [
        ("one@a", "x a"),
        ("one@b", "x b"),
        ("two@k", "y 3 k"),
        ("three@u-1", "z u1"),
        ("three@v-1", "z v1"),
    ]
    assert stages["one@b"].outs == ("b",)
    assert stages["two@k"].params == (("small.yaml", ("p",)),)


def test_metrics_and_plots_are_outputs(tmp_path):
    stage = {"cmd": "x", "metrics": [{"m.json": {"cache": False}}], "plots": ["p.csv"]}
    stages = read_stages(write(tmp_path, {"stages": {"s": stage}}))
    assert stages["s"].outs == ("m.json", "p.csv")


def test_an_unknown_template_names_the_stage(tmp_path):
    write(tmp_path, {"stages": {"s": {"cmd": "x ${nowhere.to}"}}})
    with pytest.raises(ValueError, match=r"stage s: no value for '\$\{nowhere\.to\}'"):
        read_stages(tmp_path)


def test_a_folder_of_outputs_feeds_whoever_reads_the_folder(tmp_path):
    stages = read_stages(
        write(
            tmp_path,
            {
                "stages": {
                    "p": {"cmd": "x", "outs": ["out/a/1.jsonl"]},
                    "q": {"cmd": "x", "outs": ["out/ab/1.jsonl"]},
                    "r": {"cmd": "x", "deps": ["out/a"], "outs": ["r"]},
                }
            },
        )
    )
    assert feeders(stages) == {"p": set(), "q": set(), "r": {"p"}}
    assert not overlap("out/a", "out/ab")


def test_lists_in_params_are_those_of_the_benchmark_table():
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert params["benchmarks"] == list(BENCHMARKS)
    assert params["probed"] == [b.name for b in BENCHMARKS.values() if b.crops]
    arms = {f"{b.name}-{arm}": (b, arm) for b in BENCHMARKS.values() for arm in b.arms}
    assert list(params["predictions"]) == list(arms)
    for key, (benchmark, arm) in arms.items():
        probed = benchmark.crops and arm == "magcrop"
        assert params["predictions"][key] == {
            "benchmark": benchmark.name,
            "arm": arm,
            "windows": f"artifacts/crops/{benchmark.name}"
            if probed
            else "geomag/data/benchmarks/table.py",
        }


def test_training_reads_every_benchmark_that_trains_and_no_other():
    train = read_stages(ROOT)["train"]
    trained = {b.name for b in BENCHMARKS.values() if b.trains}
    assert {d for d in train.deps if d.startswith("data/")} == {f"data/{n}" for n in trained}
    records = {d for d in train.deps if d.startswith("artifacts/records/")}
    assert records == {f"artifacts/records/{n}" for n in trained}


@pytest.mark.integration
def test_our_reading_of_dvc_yaml_is_dvcs_own(tmp_path):
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "dag", "--mermaid"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    names = dict(re.findall(r'(node\d+)\["(.+?)"\]', done.stdout))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(node\d+)-->(node\d+)", done.stdout)}
    stages = read_stages(ROOT)
    assert set(names.values()) == set(stages)
    ours = {(up, down) for down, ups in feeders(stages).items() for up in ups}
    assert ours == edges


def test_every_parameter_section_exists_in_every_profile():
    stages = read_stages(ROOT)
    for profile in ("sample", "laptop", "paper"):
        tree = yaml.safe_load((ROOT / "geomag" / "profiles" / f"{profile}.yaml").read_text())
        for stage in stages.values():
            for _, sections in stage.params:
                assert set(sections) <= set(tree), f"{stage.name} under {profile}"
