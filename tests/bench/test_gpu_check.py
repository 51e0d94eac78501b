"""The check of one GPU, tried on the CPU at tiny widths: every section ends and reports itself."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from geomag.bench.gpu.answering import in_float32
from geomag.bench.gpu.check import MEASURES
from geomag.bench.gpu.decoding import bytes_read
from geomag.bench.gpu.random_model import Scale, random_model
from geomag.bench.gpu.sections import Section, run_sections

ROOT = Path(__file__).parents[2]
SCALE = Scale(device="cpu", layers=2, small=True)


@pytest.fixture(scope="module")
def model():
    return random_model(SCALE)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_section_that_fails_or_is_late_keeps_its_figures_and_the_next_goes_on(tmp_path):
    def fails(figures):
        figures["a"] = 1
        raise ValueError("no such kernel")

    def sleeps(figures):
        figures["b"] = 2
        time.sleep(60)

    sections = [
        Section("fails", 5, fails),
        Section("sleeps", 0.2, sleeps),
        Section("ends", 5, lambda figures: figures.update(c=3)),
    ]
    assert run_sections(sections, tmp_path / "out", seconds=30) == 2
    first, second, third = lines(tmp_path / "out")
    assert (first["a"], first["error"]) == (1, "ValueError: no such kernel")
    assert (second["b"], second["error"]) == (2, "stopped after 0 s")
    assert third["c"] == 3
    assert "error" not in third


def test_sections_after_the_time_of_all_are_named_and_not_run(tmp_path):
    late = Section("late", 5, lambda figures: figures.update(ran=True))
    assert run_sections([late], tmp_path / "out", seconds=0.5) == 1
    (row,) = lines(tmp_path / "out")
    assert row["error"] == "no time was left"
    assert "ran" not in row


def test_a_half_precision_model_comes_back_from_float32_as_it_was(model):
    vlm = model.vlm
    weight = vlm.language_model.layers[0].mlp.up_proj.weight
    weight.data = weight.data.bfloat16()
    before = weight.detach().clone()
    with in_float32(vlm):
        assert weight.dtype is torch.float32
    assert weight.dtype is torch.bfloat16
    assert torch.equal(weight, before)
    weight.data = weight.data.float()


def test_a_step_reads_all_layers_and_the_head_but_not_the_table_of_words(model):
    layer = 4 * 64 * 64 + 3 * 64 * 128 + 2 * 64 + 2 * 2 * 8 * 64  # attention, MLP, norms, LoRA
    rows = 5 * 64  # of the new tokens, beside the head
    assert bytes_read(model.vlm) == 4 * (2 * layer + 64 + 32_064 * 64 + rows)


@pytest.mark.integration
def test_the_script_reports_every_section_at_tiny_size(tmp_path):
    out = tmp_path / "figures.jsonl"
    command = [ROOT / "scripts" / "gpu_check.sh", "--out", out, "--device", "cpu", "--layers", "2"]
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(
        [*command, "--small"], env=environment, capture_output=True, text=True, check=False
    )
    rows = {row["section"]: row for row in lines(out)}
    assert list(rows) == ["environment", *MEASURES]
    assert [row.get("error") for row in rows.values()] == [None] * len(rows), done.stderr
    assert done.returncode == 0
    assert done.stdout.splitlines() == out.read_text().splitlines()
    assert rows["environment"]["card"] == "cpu"
    assert rows["environment"]["copy_bandwidth_gb_s"] > 0.1
    assert rows["probe"]["n_tokens"] == 16 + 64
    assert 0 < rows["probe"]["probe_to_prefill_1"] < 20
    assert rows["answering"]["same_texts_float32"]["share"] == 1.0
    assert rows["answering"]["ours_4_batch_3_to_plain"] > 0
    assert rows["decoding"]["adapter_merged_batch_1_step_s"] > 0
    assert rows["encoding"]["float32_batch_1_images_s"] > 0
    assert rows["encoding"]["bfloat16_all_mask_pixels_differ"] < 0.05
    training = rows["training"]
    assert training["plain_fits"] == training["checkpointing_fits"] == [2, 4]
    assert training["checkpointing_micro_2_estimate_gb"] < training["plain_micro_2_estimate_gb"]
    assert 8 < training["plain_micro_2_loss"] < 16  # log(32,064) = 10.4, and the masks
    assert [rows["whole"][f"{kind}_masks"] for kind in ("caption", "vqa", "referring")] == [0, 0, 1]
    assert rows["whole"]["referring_tokens"] == 4
    assert rows["kernels"]["two_updates"][-1]["op"] == "all"


def test_without_a_cuda_device_the_script_says_what_to_try(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    command = [ROOT / "scripts" / "gpu_check.sh", "--out", tmp_path / "x"]
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("torch sees no CUDA device; try --device cpu --small\n")
