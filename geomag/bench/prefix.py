"""Many questions about one image, the image read once or once for each: seconds and TFLOP."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from geomag.bench.full_size import count_flops
from geomag.bench.full_size import full_size as build_full_size
from geomag.config import Profile, load_profile
from geomag.data.benchmarks import Granularity, Task
from geomag.data.prompts import EVALUATION
from geomag.inference.probing import Probed, probe_all
from geomag.model.geomag import GeoMag
from geomag.model.model_input import plain_input
from geomag.model.query import Query

IMAGE_PX = 400
_THINGS = ("ship", "small building", "road", "storage tank", "bridge", "field", "tree", "stadium")
NEW_TOKENS = 2
TEXT_TOKENS, HEAD_TOKENS = 64, 5
"""Tokens of a prompt, and of its part before the image."""


def bench_prefix(
    model: GeoMag,
    profile: Profile,
    *,
    n_questions: int = 32,
    runs: int = 7,
    full_size: bool = True,
    log: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Answers and probes of ``n_questions``, shared and apart: seconds, TFLOP at 7B, ratios."""
    image = np.random.default_rng(0).integers(0, 256, (IMAGE_PX, IMAGE_PX, 3), dtype=np.uint8)
    prompts = [
        EVALUATION[Task.VQA].format(x=f"Is a {_THINGS[n % len(_THINGS)]} present?")
        for n in range(n_questions)
    ]
    result: dict[str, Any] = {"bench": "prefix", "questions": n_questions}
    result["threads"] = torch.get_num_threads()
    for name, run in (("answer", _answers), ("probe", _probes)):
        apart = _fastest(
            partial(run, model, profile, [image.copy() for _ in prompts], prompts), runs
        )
        shared = _fastest(partial(run, model, profile, [image] * len(prompts), prompts), runs)
        result[name] = {"apart": apart, "shared": shared, "ratio": apart / shared}
        log(
            f"{name:<8}{n_questions} questions: apart {apart * 1000:.1f} ms, "
            f"shared {shared * 1000:.1f} ms, {apart / shared:.1f} times faster"
        )
    if full_size:
        found = count_prefill(build_full_size(load_profile("paper")), n_questions)
        result["prefill at 7B"] = found
        log(
            f"prefill at 7B: apart {found['apart']:.1f} TFLOP, shared {found['shared']:.1f} TFLOP, "
            f"{found['ratio']:.1f} times less"
        )
    return result


def _answers(model: GeoMag, profile: Profile, images: list[Any], prompts: list[str]) -> None:
    model_inputs = {id(image): plain_input(image, profile) for image in images}
    queries = [
        Query(model_inputs[id(image)], prompt, IMAGE_PX, IMAGE_PX)
        for image, prompt in zip(images, prompts, strict=True)
    ]
    model.answer(queries, max_new_tokens=NEW_TOKENS)


def _probes(model: GeoMag, profile: Profile, images: list[Any], prompts: list[str]) -> None:
    queries = [Probed(i, p, Granularity.REGION) for i, p in zip(images, prompts, strict=True)]
    list(probe_all(model.vlm, queries, profile))


def _fastest(run: Callable[[], None], runs: int) -> float:
    """Seconds of the fastest run after one unmeasured; of one thread its own, as `answer.clock`."""
    now = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    run()
    spent = []
    for _ in range(runs):
        begun = now()
        run()
        spent.append(now() - begun)
    return min(spent)


@torch.no_grad()
def count_prefill(model: GeoMag, n_questions: int) -> dict[str, float]:
    """TFLOP of the prompts of ``n_questions`` about one image; ``model`` may be on meta."""
    n_image = (model.vlm.image_px // model.vlm.patch_px) ** 2
    weight = model.vlm.llava.get_input_embeddings().weight
    device, dtype = weight.device, weight.dtype
    text = model.vlm.llava.config.text_config
    heads, size = text.num_key_value_heads, text.hidden_size // text.num_attention_heads

    def read(rows: int, length: int, before: int) -> None:
        past = torch.empty(rows, heads, before, size, device=device, dtype=dtype)
        model.vlm.language_model(
            inputs_embeds=torch.empty(rows, length, model.vlm.width, device=device, dtype=dtype),
            attention_mask=torch.zeros(1, 1, length, before + length, device=device, dtype=dtype),
            position_ids=torch.zeros(rows, length, dtype=torch.long, device=device),
            cache=DynamicCache([(past, past)] * text.num_hidden_layers),
        )

    whole, question = n_image + TEXT_TOKENS, TEXT_TOKENS - HEAD_TOKENS
    apart = n_questions * count_flops(lambda: read(1, whole, 0)) / 1e12
    image = count_flops(lambda: read(1, n_image + HEAD_TOKENS, 0))
    shared = (image + count_flops(lambda: read(n_questions, question, whole - question))) / 1e12
    return {"apart": apart, "shared": shared, "ratio": apart / shared}
