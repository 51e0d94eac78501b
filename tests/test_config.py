"""Settings: what a profile may say, and how it is told that it may not."""

import re
from pathlib import Path

import pytest
import yaml
from dvc.utils.serialize import load_yaml, modify_yaml

from geomag.config import (
    flat_params,
    load_profile,
    override,
    parse_profile,
    profile_digest,
    profile_text,
    project_root,
)
from geomag.config.load import PROFILES_DIR
from geomag.errors import ConfigError

SAMPLE = load_profile("sample")


@pytest.mark.parametrize("name", ["sample", "paper"])
def test_a_profile_says_all_of_itself_and_reads_back_as_the_same(name):
    profile = load_profile(name)
    assert parse_profile(yaml.safe_load(profile_text(profile)), place="text") == profile


@pytest.mark.parametrize("name", ["sample", "paper"])
def test_a_profile_survives_a_change_by_dvc(name, tmp_path):
    path = tmp_path / f"{name}.yaml"
    path.write_text((PROFILES_DIR / path.name).read_text())
    with modify_yaml(path) as tree:  # what `dvc exp run -S` does
        tree["train"]["seed"] = 6
    assert load_yaml(path)["train"]["seed"] == 6
    assert load_profile(str(path)) == override(load_profile(name), train={"seed": 6})


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"trian": {}}, "place, key 'trian': unknown setting. Wanted: did you mean 'train'?"),
        (
            {"train": {"step": 5}},
            "place, train, key 'step': unknown setting. Wanted: did you mean 'steps'?",
        ),
        ({"train": {"steps": "many"}}, "place, train, steps: 'many'"),
        ({"train": {"steps": True}}, "place, train, steps: True"),
        ({"train": {"steps": 0}}, "train.steps must be > 0, got 0"),
        ({"train": {"batch": 16, "micro_batch": 5}}, "train.batch 16 is not a multiple of"),
        ({"adapter": {"dropout": 1.5}}, "adapter.dropout must be in [0, 1], got 1.5"),
        ({"granularity": {"tau": -0.1}}, "granularity.tau must be in [0, 1], got -0.1"),
        ({"magcrop": {"answer_agreement": 1.01}}, "magcrop.answer_agreement must be in [0, 1]"),
        ({"magcrop": {"tile_px": 0}}, "magcrop.tile_px must be > 0, got 0"),
        ({"magcrop": {"probe": "gaze"}}, "place, magcrop, probe: 'gaze'"),
        ({"train": [1]}, "place, train: [1]"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_place(section, said):
    tree = {**yaml.safe_load(profile_text(SAMPLE)), **section}
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse_profile(tree, place="place")


def test_an_override_changes_what_it_names_and_the_digest_of_its_section():
    longer = override(SAMPLE, train={"steps": SAMPLE.train.steps + 1})
    assert longer.train.steps == SAMPLE.train.steps + 1
    assert longer.magcrop == SAMPLE.magcrop
    assert profile_digest(longer, "magcrop") == profile_digest(SAMPLE, "magcrop")
    assert profile_digest(longer, "train") != profile_digest(SAMPLE, "train")
    assert flat_params(longer)["train.steps"] == longer.train.steps


def test_which_profile_is_meant(tmp_path, monkeypatch):
    monkeypatch.delenv("GEOMAG_PROFILE", raising=False)
    assert load_profile(root=tmp_path).name == "sample"
    (tmp_path / "params.yaml").write_text("profile: paper\n")
    assert load_profile(root=tmp_path).name == "paper"
    monkeypatch.setenv("GEOMAG_PROFILE", "sample")
    assert load_profile(root=tmp_path).name == "sample"
    own = tmp_path / "own.yaml"
    own.write_text(profile_text(override(SAMPLE, name="own")))
    assert load_profile(str(own), root=tmp_path).name == "own"
    with pytest.raises(ConfigError, match=r"profile 'smaple'.*'paper', 'sample'"):
        load_profile("smaple")


def test_the_project_is_the_nearest_folder_upward_with_a_line(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert project_root(inner) == inner
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    assert project_root(inner) == tmp_path
    assert isinstance(project_root(), Path)
