import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def test_the_folder_mlflow_has_no_python_and_the_package_answers_to_the_name():
    # an __init__.py there would be imported instead of MLflow by whatever starts in the root
    assert list((ROOT / "mlflow").rglob("*.py")) == []
    spec = importlib.util.find_spec("mlflow")
    assert spec is not None
    assert "site-packages" in (spec.origin or "")


@pytest.mark.integration
def test_the_wheel_holds_our_two_packages_and_their_settings(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {
        "geomag",
        "geomag_dagster",
    }
    assert "geomag/profiles/sample.yaml" in names
    assert "geomag/report/templates/report.html.j2" in names
    assert "geomag/py.typed" in names


def test_the_lock_satisfies_every_bound_of_pyproject():
    versions = locked()
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    wanted += PROJECT["optional-dependencies"]["docs"]
    for requirement in map(Requirement, [*wanted, *PROJECT["optional-dependencies"]["ray"]]):
        name = requirement.name.lower().replace("_", "-")
        assert name in versions, f"{name}: run make lock"
        assert Version(versions[name]) in requirement.specifier, f"{name}: run make lock"


def test_the_lock_names_no_path_and_no_build():
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"@|file:|\+cpu|\+cu", text)
    assert locked()["torch"] == "2.13.0"


def test_torchvision_is_not_needed():
    # beside the CPU build of torch it fails to import and takes transformers with it
    installed = {d.metadata["Name"].lower() for d in importlib.metadata.distributions()}
    assert "sam2" in installed
    if "+cpu" in importlib.metadata.version("torch"):
        assert "torchvision" not in installed


def test_workspace_and_instance_settings_name_what_exists():
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    (location,) = workspace["load_from"]
    assert importlib.util.find_spec(location["python_module"]["module_name"]) is not None
    instance = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    assert instance["telemetry"]["enabled"] is False
    assert instance["run_monitoring"]["free_slots_after_run_end_seconds"] > 0


def test_dvc_calls_nobody():
    config = (ROOT / ".dvc" / "config").read_text()
    assert "analytics = false" in config
    assert "check_update = false" in config


def test_make_knows_its_targets():
    done = subprocess.run(
        ["make", "--dry-run", "setup", "sample", "test", "lint", "docs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "geomag_dagster.run whole_line" in done.stdout
    assert "pytest" in done.stdout
    assert "mkdocs build --quiet --strict" in done.stdout


def test_licence_and_citation_say_what_pyproject_says():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0"
    assert cited["license"] == PROJECT["license"] == "Apache-2.0"
    assert cited["version"] == PROJECT["version"]
    text = (ROOT / "LICENSE").read_text()
    assert text.lstrip().startswith("Apache License\n")
    assert "END OF TERMS AND CONDITIONS" in text


def test_hooks_before_a_commit_run_what_make_lint_runs():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    run = " ".join(hook["entry"] for hook in repo["hooks"])
    recipe = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    tools = {word.removeprefix("$(VENV)/bin/") for word in recipe.split() if "/bin/" in word}
    assert tools == {"ruff", "mypy", "lint-imports"}
    assert all(f".venv/bin/{tool}" in run for tool in tools)
