"""The laptop's line at a small size: random parts of the real classes, eight pictures, to answers.

The real parts are loaded in `tests/model/test_laptop_parts.py` (marker ``laptop``).
"""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from geomag.config import load_profile, override
from geomag.data.benchmarks import Split, Task, chosen_benchmarks
from geomag.data.images import read_rgb
from geomag.data.prompts import evaluation_prompt
from geomag.data.records import Record, read_records, write_records
from geomag.manifest import read_manifest
from geomag.model.assemble import trained
from geomag.model.model_input import plain_input
from geomag.model.query import Query
from geomag.model.weights import load_base
from geomag.train.model import identity, train_model
from geomag.train.projector import make_composed_base
from tests.model.parts import tiny_language, tiny_tower

RECORDS = "artifacts/records/ucm_captions/records.jsonl"
SAID = {"red": "the red ship", "white": "the large white storage tank"}


@pytest.fixture
def project(tmp_path):
    """Records of eight pictures, red or white, and the two parts as folders; test = training."""
    language, tokenizer = tiny_language()
    language.save_pretrained(tmp_path / "language")
    tokenizer.save_pretrained(tmp_path / "language")
    tiny_tower().save_pretrained(tmp_path / "vision")
    pictures = tmp_path / "data" / "ucm_captions" / "imgs"
    pictures.mkdir(parents=True)
    records, noise = [], np.random.default_rng(0)
    for number in range(8):
        colour = ("red", "white")[number % 2]
        pixels = noise.integers(0, 60, (32, 32, 3), dtype=np.uint8)
        pixels += np.array([190, 0, 0] if colour == "red" else [190, 190, 190], dtype=np.uint8)
        Image.fromarray(pixels).save(pictures / f"{number}.png")
        records += [
            Record(
                benchmark="ucm_captions",
                id=f"{split}{number}",
                split=split,
                task=Task.CAPTION,
                image=f"imgs/{number}.png",
                width=32,
                height=32,
                answers=(SAID[colour],) * 2,
                kind=colour,
            )
            for split in (Split.TRAIN, Split.TEST)
        ]
    write_records(tmp_path / RECORDS, records)
    return tmp_path


def small(project):
    return override(
        load_profile("laptop"),
        device="cpu",
        vlm={
            "language": str(project / "language"),
            "language_sha256": "",
            "vision": str(project / "vision"),
            "vision_sha256": "",
            "image_px": 32,
            "patch_px": 8,
        },
        base={"projector_steps": 20, "projector_lr": 1e-2},
        train={"steps": 100, "lr": 1e-2, "warmup": 5, "questions": 2, "log_every": 10},
        predict={"max_new_tokens": 8},
    )


def trainings(project, profile):
    """Base and joint training; returns the losses of both."""
    joint = []
    first = make_composed_base(
        profile,
        project / "artifacts" / "models" / "base",
        project / "work" / "base",
        root=project,
        code={},
        log=print,
    )
    train_model(
        profile,
        project,
        inputs=identity(profile, project, {}),
        log=print,
        on_metrics=lambda _step, means: joint.append(means["ce"]),
    )
    return [row["ce"] for row in first], joint


def said_about(project, profile, split):
    """The trained model's captions by record id."""
    records = list(read_records(project / RECORDS, splits=[split]))
    model = trained(project / "artifacts" / "models", profile)
    queries = [
        Query(
            plain_input(read_rgb(project / "data" / "ucm_captions" / r.image), profile),
            evaluation_prompt(r),
            r.height,
            r.width,
        )
        for r in records
    ]
    answers = model.answer(queries, max_new_tokens=8)
    return {r.id: answer.text for r, answer in zip(records, answers, strict=True)}


def test_eight_pictures_are_captioned_by_what_is_seen_in_them(project):
    profile = small(project)
    stage1, stage2 = trainings(project, profile)
    assert stage1[-1] < stage1[0] - 0.05
    assert stage2[-1] < 0.1
    said = said_about(project, profile, Split.TEST)
    assert said == {f"test{n}": SAID[("red", "white")[n % 2]] for n in range(8)}


def test_the_trained_projector_is_saved_with_the_adapter_and_the_base_keeps_its_own(project):
    profile = override(small(project), base={"projector_steps": 1}, train={"steps": 2, "warmup": 1})
    trainings(project, profile)
    models = project / "artifacts" / "models"
    saved = load_file(models / "adapter" / "adapter_model.safetensors")
    (name,) = [k for k in saved if k.endswith("multi_modal_projector.linear_1.weight")]
    vlm, _ = load_base(models / "base", profile)
    own = vlm.llava.model.multi_modal_projector.linear_1.weight
    assert not torch.equal(saved[name], own)
    assert torch.allclose(saved[name], own, atol=0.1)
    assert read_manifest(models / "base")["kind"] == "composed"
    manifest = json.loads((models / "base" / "manifest.json").read_text())
    assert manifest["language"]["path"] == str(project / "language")


def test_a_profile_about_one_benchmark_does_not_ask_for_the_others(project):
    assert [b.name for b in chosen_benchmarks(small(project).benchmarks)] == ["ucm_captions"]
    everything = small(project).changed(benchmarks=())
    assert len(chosen_benchmarks(everything.benchmarks)) == 10
