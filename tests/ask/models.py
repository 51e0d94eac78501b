"""A tiny model of the real classes that has learned when to draw, for tests of `geomag ask`.

Its language model is fitted to three prompts in seconds; its masks are those of a random decoder.
"""

from pathlib import Path

import torch
import yaml

from geomag.config.load import load_profile
from geomag.config.schema import Profile
from geomag.data.benchmarks import Task
from geomag.data.prompts import EVALUATION, frame, seg_tokens
from geomag.magcrop.granularity import (
    TASKS,
    GranularityClassifier,
    TaskClassifier,
    save_classifiers,
)
from geomag.magcrop.text_encoder import build_text_encoder
from geomag.model.assemble import save_trained, untrained
from geomag.model.tokenizer import add_new_tokens, train_tokenizer
from geomag.model.vlm import Vlm
from geomag.model.weights import sample_encoder, save_base
from geomag.sample.tiny import tiny_llava

ONE = "Mark the red ship in this image with a mask."
THREE = "Describe this image in detail with interleaved masks for the phrases."
NONE = "Is a dam present?"
NAMES = ("red ship", "grey dam", "old pier")


def write_project(root: Path) -> Path:
    """A project folder with trained-enough models; returns its profile's path."""
    torch.set_num_threads(1)
    (root / "dvc.yaml").write_text("stages: {}\n")
    path = root / "tiny.yaml"
    vlm = {"image_px": 56, "vision_width": 32, "vision_layers": 3, "vision_heads": 2}
    vlm |= {"text_width": 32, "text_layers": 2, "text_heads": 2}
    settings = {
        "name": "tiny",
        "vlm": vlm,
        "encoder": {"image_px": 64, "embed_dim": 8, "neck_width": 32},
        "adapter": {"n_seg": 2},
        "magcrop": {"min_px": 8},
        "prompt": {"probe": "where"},
    }
    path.write_text(yaml.safe_dump(settings))
    profile = load_profile(str(path))
    models = root / "artifacts" / "models"
    save_base(models / "base", _fitted_vlm(profile), sample_encoder(profile))
    torch.manual_seed(1)
    save_trained(untrained(models, profile), models, profile)
    encoder = build_text_encoder(profile.text_encoder)
    levels, tasks = GranularityClassifier(encoder.width), TaskClassifier(encoder.width)
    with torch.no_grad():
        levels.layers[-1].bias[:] = torch.tensor([-9.0, 0.0, 9.0])  # all of MagCrop runs
        tasks.layers[-1].bias[TASKS.index(Task.VQA)] = 9.0  # what has no wording is a question
    digest = encoder.digest
    save_classifiers(models / "granularity", levels, tasks, encoder_digest=digest, metrics={})
    return path


def _fitted_vlm(profile: Profile) -> Vlm:
    seg = "".join(seg_tokens(profile.adapter.n_seg))
    lessons = {
        ONE: f"It is {seg}.",
        THREE: " and ".join(f"<p> {name} </p> {seg}" for name in NAMES),
        EVALUATION[Task.VQA].format(x=NONE): "no",
    }
    texts = [frame(prompt) + answer for prompt, answer in lessons.items()]
    tokenizer = train_tokenizer(texts, vocab_size=400)
    llava = tiny_llava(profile.vlm, tokenizer, seed=0)
    rows = llava.get_input_embeddings().weight.shape[0]
    add_new_tokens(tokenizer, n_seg=profile.adapter.n_seg, rows=rows)
    vlm = Vlm(llava, tokenizer)
    end = int(tokenizer.eos_token_id)
    prompts = [vlm.prompt_ids(prompt) for prompt in lessons]
    answers = [[*vlm.ids(answer), end] for answer in lessons.values()]
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(llava.parameters(), lr=3e-3)
    for _ in range(250):
        # whatever the image says, the prompt decides
        visual = [torch.randn(16, vlm.width) * torch.rand(1) * 2 for _ in prompts]
        packed = vlm.pack(prompts, visual, answers)
        logits = vlm.lm_head(vlm.states(packed))[:, :-1]
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), packed.labels[:, 1:].flatten(), ignore_index=-100
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2
    vlm.requires_grad_(False)
    return vlm.eval()
