"""Seconds of many questions about one image, the image read once or once for each."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from geomag.bench.sample_size import sample_model
from geomag.config import load_profile
from geomag.data.benchmarks import Granularity, Task
from geomag.data.prompts import EVALUATION
from geomag.model.geomag import GeoMag, Query
from geomag.model.look import plain_look
from geomag.model.probing import Probed, probe_all

IMAGE_PX = 400
_THINGS = ("ship", "small building", "road", "storage tank", "bridge", "field", "tree", "stadium")
NEW_TOKENS = 2


def bench_prefix(
    profile: str,
    *,
    n_questions: int = 32,
    runs: int = 7,
    log: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Answers and probes of ``n_questions``, shared and apart: median seconds and their ratio."""
    model = sample_model(load_profile(profile))
    image = np.random.default_rng(0).integers(0, 256, (IMAGE_PX, IMAGE_PX, 3), dtype=np.uint8)
    prompts = [
        EVALUATION[Task.VQA].format(x=f"Is a {_THINGS[n % len(_THINGS)]} present?")
        for n in range(n_questions)
    ]
    result: dict[str, Any] = {"bench": "prefix", "questions": n_questions}
    result["threads"] = torch.get_num_threads()
    for name, run in (("answer", _answers), ("probe", _probes)):
        apart = _median(partial(run, model, [image.copy() for _ in prompts], prompts), runs)
        shared = _median(partial(run, model, [image] * len(prompts), prompts), runs)
        result[name] = {"apart": apart, "shared": shared, "ratio": apart / shared}
        log(
            f"{name:<8}{n_questions} questions: apart {apart * 1000:.1f} ms, "
            f"shared {shared * 1000:.1f} ms, {apart / shared:.1f} times faster"
        )
    return result


def _answers(model: GeoMag, images: list[Any], prompts: list[str]) -> None:
    looks = {id(image): plain_look(image, model.profile) for image in images}
    queries = [
        Query(looks[id(image)], prompt, IMAGE_PX, IMAGE_PX)
        for image, prompt in zip(images, prompts, strict=True)
    ]
    model.answer(queries, max_new_tokens=NEW_TOKENS)


def _probes(model: GeoMag, images: list[Any], prompts: list[str]) -> None:
    queries = [Probed(i, p, Granularity.REGION) for i, p in zip(images, prompts, strict=True)]
    list(probe_all(model.vlm, queries, model.profile))


def _median(run: Callable[[], None], runs: int) -> float:
    run()
    spent = []
    for _ in range(runs):
        begun = time.perf_counter()
        run()
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent)
