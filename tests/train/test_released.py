"""The base models that `sample` pins: of the profile's sizes, and taught."""

import hashlib
import json

import pytest
import torch

from geomag.config import load_profile
from geomag.manifest import RELEASED, resolve_path
from geomag.model.pins import pin_base
from geomag.model.weights import load_base
from geomag.sample.pretrain.sam import PointSegmentation
from geomag.sample.pretrain.scenes import draw_base_scene
from geomag.sample.pretrain.vlm import Lessons

UNSEEN = 999
"""A seed that no training has used."""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    profile = load_profile("sample")
    folder = tmp_path_factory.mktemp("released") / "base"
    pin_base(folder, profile)
    return profile, *load_base(folder, profile)


def scenes(n: int, **sides):
    return [draw_base_scene(UNSEEN, index, **sides) for index in range(n)]


def test_their_sizes_are_the_profile_s(base):
    profile, vlm, sam = base
    text, vision = vlm.llava.config.text_config, vlm.llava.config.vision_config
    assert (text.hidden_size, text.num_hidden_layers) == (
        profile.vlm.text_width,
        profile.vlm.text_layers,
    )
    assert (vision.image_size, vision.hidden_size) == (
        profile.vlm.image_px,
        profile.vlm.vision_width,
    )
    assert sam.size.image_px == profile.encoder.image_px
    assert sam.size.neck_width == profile.encoder.neck_width
    assert vlm.llava.dtype == torch.float32


@torch.no_grad()
def test_the_language_model_looks_at_what_a_question_names(base):
    profile, vlm, _ = base
    unseen = scenes(24, vlm_px=profile.vlm.image_px, encoder_px=48)
    lessons = Lessons(vlm, unseen, alignment=1.0, seed=1)
    batch = lessons.batch(0, 24)
    found = lessons.losses(batch, batch)
    assert float(found["alignment"]) < 1.0  # untrained: above 3
    assert float(found["place"]) < 0.8  # four times the mean square of sines and cosines


@torch.no_grad()
def test_the_decoder_draws_what_a_click_lies_on(base):
    profile, _, sam = base
    unseen = scenes(24, vlm_px=32, encoder_px=profile.encoder.image_px)
    clicks = PointSegmentation(sam, [s.segmentation for s in unseen], seed=1)
    batch = clicks.batch(0, 16)
    found = clicks.losses(batch, batch)
    assert float(found["dice"]) < 0.4  # untrained: 0.9


def test_the_release_is_whole_and_names_its_files_digests():
    folder = resolve_path(RELEASED)
    named = json.loads((folder / "complete.json").read_text(encoding="utf-8"))["files"]
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "complete.json"
    }
    assert found == named
