"""The README's lines of Python, and the notebook, run as they stand in a project with models."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from jupyter_client import KernelManager
from nbclient import NotebookClient
from PIL import Image

from tests.ask.models import write_project

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "ask.ipynb"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(f"profile: {write_project(root)}\n")
    return root


def add_pictures(root: Path, text: str) -> None:
    """A picture of noise wherever a text names one under ``data``."""
    names = re.findall(r'"(data/[^"]+)"', text)
    assert names
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name)


def test_the_first_screens_lines_of_python_answer_and_draw(project, monkeypatch, capsys):
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert text[: text.index(block)].count("\n") < 30  # the first screen
    assert len([line for line in block.splitlines() if line.strip()]) <= 6
    add_pictures(project, block)
    monkeypatch.chdir(project)
    exec(block, {})
    said = capsys.readouterr().out.split()
    assert 0 <= float(said[-1]) <= 1
    assert said[-3:-1] == ["vqa", "pixel"]  # the tiny classifier finds every prompt pixel-level
    assert Image.open(project / "answer.png").size == (80, 60)


def outputs_of(notebook, kind: str) -> list[str]:
    """Contents of one MIME type, cell by cell."""
    made = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    return [one["data"][kind] for one in made if kind in one.get("data", {})]


def test_the_notebook_shows_answer_heatmap_and_mask_of_a_picture_and_a_geotiff(project, tmp_path):
    notebook = nbformat.read(NOTEBOOK, 4)
    committed = nbformat.read(NOTEBOOK, 4)
    add_pictures(project, "\n".join(cell.source for cell in notebook.cells))
    kernel = KernelManager(transport="ipc", ip=str(tmp_path / "k"))  # no port on this machine
    try:
        client = NotebookClient(
            notebook, km=kernel, timeout=120, resources={"metadata": {"path": str(project)}}
        )
        client.execute()
    finally:
        kernel.shutdown_kernel(now=True)
    printed = [
        one.text
        for cell in notebook.cells
        for one in cell.get("outputs", [])
        if one.get("name") == "stdout"
    ]
    assert "| referring | pixel | ('the red ship',)" in printed[0]
    assert printed[-1].split() == ["answer.json", "mask.tif", "overlay.png"]
    for run in (notebook, committed):
        assert len(outputs_of(run, "image/png")) == 4
        (table,) = outputs_of(run, "text/html")
        assert "area_m2" in table
    assert not re.search(r"/(home|tmp|root|work)/", NOTEBOOK.read_text())
