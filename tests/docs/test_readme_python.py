"""The README's lines of Python, run as they stand in a project with trained models."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.ask.models import write_project

pytestmark = pytest.mark.integration
README = Path(__file__).parents[2] / "README.md"


def test_the_first_screens_lines_of_python_answer_and_draw(tmp_path, monkeypatch, capsys):
    text = README.read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert text[: text.index(block)].count("\n") < 30  # the first screen
    assert len([line for line in block.splitlines() if line.strip()]) <= 6
    profile = write_project(tmp_path)
    (tmp_path / "params.yaml").write_text(f"profile: {profile}\n")
    (picture,) = re.findall(r'"(data/[^"]+)"', block)
    (tmp_path / picture).parent.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / picture)
    monkeypatch.chdir(tmp_path)
    exec(block, {})
    said = capsys.readouterr().out.split()
    assert 0 <= float(said[-1]) <= 1
    assert said[-3:-1] == ["vqa", "pixel"]  # the tiny classifier finds every prompt pixel-level
    assert Image.open(tmp_path / "answer.png").size == (80, 60)
