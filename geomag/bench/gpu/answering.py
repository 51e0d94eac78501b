"""Answers to many questions about each image, against a plain `transformers` generate loop."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from geomag.bench.gpu.clock import fastest
from geomag.bench.gpu.random_model import IMAGE_PX, Scale, profile_of, random_image, random_words
from geomag.bench.gpu.sections import Figures
from geomag.config.schema import Profile
from geomag.magcrop.compose import RgbImage
from geomag.magcrop.views import ImageView
from geomag.model.geomag import GeoMag
from geomag.model.model_input import plain_input
from geomag.model.query import Query
from geomag.model.vision import MEAN, STD, cut
from geomag.model.vlm import Vlm

WORDS = 24
"""Words of a question; with the frame and LLaVA's own pieces about 32 tokens."""


@dataclass(frozen=True, slots=True)
class Work:
    """Amount of work: images, questions and lengths of answers."""

    n_images: int
    n_questions: int
    """Questions about each image."""
    batches: tuple[int, ...]
    """Questions at once; a batch holds whole images where it can."""
    new_tokens: tuple[int, ...]
    """Lengths of the answers; the first is a word's, the last a sentence's."""
    n_plain: int
    """Questions that the plain loop is timed on."""


def work_of(scale: Scale) -> Work:
    """64 questions about 4 images; a handful where it is only tried."""
    if scale.small:
        return Work(2, 3, (3,), (2, 4), 2)
    return Work(4, 16, (8, 32), (4, 24), 8)


def measure_answering(figures: Figures, model: GeoMag, scale: Scale) -> None:
    """Questions and images a second, shared and batched against one by one; texts compared."""
    work, vlm, profile = work_of(scale), model.vlm, profile_of(scale)
    images = [random_image(n) for n in range(work.n_images)]
    asked = [
        (image, random_words(100 * i + q, WORDS))
        for i, image in enumerate(images)
        for q in range(work.n_questions)
    ]
    figures["questions_per_image"] = work.n_questions
    for length in work.new_tokens:
        few = asked[: work.n_plain]
        plain_s = fastest(partial(plain_loop, vlm, few, length), vlm.device, repeats=1) / len(few)
        figures[f"plain_{length}_questions_s"] = 1 / plain_s
        for batch in work.batches:
            ours_s = fastest(
                partial(ours, model, profile, asked, length, batch), vlm.device, repeats=1
            )
            name = f"ours_{length}_batch_{batch}"
            figures[f"{name}_questions_s"] = len(asked) / ours_s
            figures[f"{name}_images_s"] = work.n_images / ours_s
            figures[f"{name}_tokens_s"] = len(asked) * length / ours_s
            figures[f"{name}_to_plain"] = plain_s * len(asked) / ours_s
    figures["same_texts"] = same_texts(model, profile, asked, work)
    with in_float32(vlm):
        figures["same_texts_float32"] = same_texts(model, profile, asked, work)


def ours(
    model: GeoMag,
    profile: Profile,
    asked: Sequence[tuple[RgbImage, str]],
    new_tokens: int,
    batch: int,
) -> list[str]:
    """Texts by `GeoMag.answer`: an image's reading is shared within its batch."""
    model_inputs = {id(image): plain_input(image, profile) for image, _ in asked}
    queries = [Query(model_inputs[id(image)], text, IMAGE_PX, IMAGE_PX) for image, text in asked]
    return [
        answer.text
        for start in range(0, len(queries), batch)
        for answer in model.answer(queries[start : start + batch], max_new_tokens=new_tokens)
    ]


@torch.no_grad()
def plain_loop(vlm: Vlm, asked: Sequence[tuple[RgbImage, str]], new_tokens: int) -> list[str]:
    """Texts by `LlavaForConditionalGeneration.generate`, one question at a time, as published."""
    side = int(vlm.llava.config.vision_config.image_size)
    mean = torch.tensor(MEAN).view(3, 1, 1)
    std = torch.tensor(STD).view(3, 1, 1)
    texts = []
    for image, text in asked:
        pixels = (cut(torch.from_numpy(image), ImageView(None, side)) - mean) / std
        ids: list[int] = []
        for word in vlm.prompt_ids(text):  # `generate` wants a placeholder for each visual token
            ids += [word] * (vlm.llava.config.image_seq_length if word == vlm.image_id else 1)
        said = vlm.llava.generate(
            input_ids=torch.tensor([ids], device=vlm.device),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long, device=vlm.device),
            pixel_values=pixels[None].to(vlm.device, vlm.llava.dtype),
            max_new_tokens=new_tokens,
            do_sample=False,
        )[0, len(ids) :].tolist()
        end = vlm.tokenizer.eos_token_id
        texts.append(vlm.decode(said[: said.index(end)] if end in said else said))
    return texts


def same_texts(
    model: GeoMag, profile: Profile, asked: Sequence[tuple[RgbImage, str]], work: Work
) -> dict[str, float | list[int]]:
    """Share of equal texts, and at which word each of the others first differs.

    Random weights give flat logits, so in bfloat16 the best two words often change places by
    rounding; what the two ways compute is compared in float32.
    """
    few, length = asked[: work.n_plain], work.new_tokens[-1]
    mine = ours(model, profile, few, length, work.batches[-1])
    theirs = plain_loop(model.vlm, few, length)
    differs = [
        first_difference(one.split(), other.split())
        for one, other in zip(mine, theirs, strict=True)
        if one != other
    ]
    return {"share": 1 - len(differs) / len(few), "first_difference": differs, "of_words": length}


def first_difference(one: Sequence[str], other: Sequence[str]) -> int:
    """Index of the first word that differs; the shorter one's length where it is all of it.

    >>> first_difference(["a", "b"], ["a", "c"])
    1
    >>> first_difference(["a"], ["a", "c"])
    1
    """
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


@contextmanager
def in_float32(vlm: Vlm) -> Iterator[None]:
    """The model in float32 for a while; its own values come back exactly, for all are narrower."""
    tensors = [*vlm.parameters(), *vlm.buffers()]
    before = [tensor.dtype for tensor in tensors]
    try:
        for tensor in tensors:
            if tensor.is_floating_point():
                tensor.data = tensor.data.float()
        yield
    finally:
        for tensor, dtype in zip(tensors, before, strict=True):
            tensor.data = tensor.data.to(dtype)
