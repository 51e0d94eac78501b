import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from geomag.data.benchmarks import BENCHMARKS
from geomag_dagster.assets import dataset_specs, stage_assets
from geomag_dagster.definitions import build
from geomag_dagster.stages import read_stages

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "mlflow", "great_expectations", "ray", "dvc", "pandas")


def test_definitions_load_without_the_heavy_libraries():
    code = (
        "import sys; from geomag_dagster.definitions import build;"
        "build().resolve_asset_graph();"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def built():
    return build()


@pytest.fixture(scope="module")
def graph(built):
    return built.resolve_asset_graph()


def test_the_code_location_loads_whole(built):
    dg.Definitions.validate_loadable(built)  # one name twice among jobs and ops shows only here


def test_every_output_of_every_stage_is_an_asset_and_the_graphs_agree(graph):
    names = {key.to_user_string() for key in graph.get_all_asset_keys()}
    benchmarks = BENCHMARKS.values()
    wanted = {f"{kind}/{b.name}" for kind in ("data", "records", "scores") for b in benchmarks}
    wanted |= {f"crops/{b.name}" for b in benchmarks if b.crops}
    wanted |= {f"predictions/{b.name}/{arm}" for b in benchmarks for arm in b.arms}
    wanted |= {f"model/{part}" for part in ("base", "granularity", "adapter", "decoder")}
    assert names == wanted | {"leakage", "report/tables", "model/candidate", "model/champion"}
    parents = graph.get(dg.AssetKey(["predictions", "aid", "magcrop"])).parent_keys
    assert {key.to_user_string() for key in parents} == {
        "data/aid",
        "records/aid",
        "model/base",
        "model/granularity",
        "model/adapter",
        "model/decoder",
    }


def test_every_asset_says_what_it_is_who_owns_it_and_which_code_made_it(graph):
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.group_name != "default", key
        assert node.owners, key
        assert "dvc" in node.kinds, key
        assert node.description, key
        if node.is_materializable:
            assert node.code_version, key


@pytest.mark.parametrize(
    ("job", "first", "n_steps"),
    [
        ("whole_line", "base", 44),
        ("retrain", "model__champion", 46),
        ("evaluate_only", "report", 25),
    ],
)
def test_jobs_hold_their_part_of_the_line(built, job, first, n_steps):
    names = {node.name for node in built.resolve_job_def(job).nodes}
    assert first in names
    assert len(names) == n_steps


def test_a_selection_string_resolves(graph):
    # hydra-core 1.3 pulls an antlr that breaks this and nothing else (dagster-io/dagster#27487)
    selected = dg.AssetSelection.from_string('key:"scores/aid"+ or group:"model"').resolve(graph)
    assert {key.to_user_string() for key in selected} == {
        "scores/aid",
        "report/tables",
        "model/candidate",
        "model/champion",
        "model/base",
        "model/adapter",
        "model/decoder",
    }


def test_a_gpu_profile_asks_for_one_gpu_by_op_tag_and_pool():
    stages = read_stages(ROOT)
    assets = {a.op.name: a.op for a in stage_assets(stages, ROOT, on_gpu=True)}
    assert assets["train"].tags["geomag/gpus"] == "1"
    assert assets["train"].pool == "gpu"
    assert assets["train"].retry_policy.max_retries == 1
    assert assets["score__aid"].tags["geomag/gpus"] == "0"
    assert assets["score__aid"].pool is None


def test_benchmarks_are_external_assets_that_dagster_does_not_make(graph):
    specs = dataset_specs(["aid"])
    assert [spec.key.to_user_string() for spec in specs] == ["data/aid"]
    assert not graph.get(specs[0].key).is_executable
