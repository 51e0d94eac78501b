"""A framed prompt begins as its checkpoint's own tokenizer begins one, wherever it is read."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from geomag.data.benchmarks import Granularity, Split, Task
from geomag.data.prompts import frame
from geomag.data.records import Record
from geomag.inference.probing import Probed, probe_all
from geomag.model.model_input import plain_input
from geomag.model.packing import QuestionIds, pack_questions
from geomag.model.query import Query
from geomag.model.tokenizer import load_tokenizer
from geomag.model.vlm import Vlm
from geomag.train.joint import JointTraining
from geomag.train.samples import prepare
from tests.model.tiny import llama_vlm, tiny_vlm
from tests.model.whole import geomag_of

PROMPTS = ("Mark the red ship.", "Is a small building present?", "")
IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def vlm() -> Vlm:
    return llama_vlm()


@pytest.fixture(scope="module")
def model():
    return geomag_of(llama_vlm(), prompt={"wordings": "evaluation"})


def test_a_llama_s_prompt_is_the_frame_of_its_checkpoint(vlm):
    names = vlm.tokenizer.convert_ids_to_tokens(vlm.prompt_ids("Mark it."))
    assert names[0] == "<s>"
    assert names.count("<s>") == names.count("<image>") == 1
    text = "".join(names[: names.index("<image>")]).replace("▁", " ")
    assert " ".join(text.split()) == "<s> USER:"
    for prompt in PROMPTS:  # what LLaVA's own processor hands to its model
        assert vlm.prompt_ids(prompt) == vlm.tokenizer(frame(prompt)).input_ids


def test_an_answer_begins_no_sequence(vlm):
    assert vlm.tokenizer.bos_token_id not in vlm.ids("yes")


def test_a_saved_tokenizer_begins_its_prompts_alike(vlm, tmp_path):
    vlm.tokenizer.save_pretrained(tmp_path)
    again = Vlm(vlm.llava, load_tokenizer(tmp_path))
    for prompt in PROMPTS:
        assert again.prompt_ids(prompt) == vlm.prompt_ids(prompt)


def test_a_tiny_tokenizer_adds_nothing():
    tiny = tiny_vlm()
    for prompt in PROMPTS:
        assert tiny.prompt_ids(prompt) == tiny.ids(frame(prompt))


def test_packed_questions_have_one_beginning(vlm):
    ids = QuestionIds(vlm)
    questions = [ids.question(prompt, "yes") for prompt in PROMPTS]
    for prompt, question in zip(PROMPTS, questions, strict=True):
        assert [*ids.head, vlm.image_id, *question.question] == vlm.prompt_ids(prompt)
        assert question.answer == [*vlm.ids("yes"), vlm.tokenizer.eos_token_id]
    embeds = pack_questions(vlm, ids.head, [torch.zeros(4, vlm.width)], [questions]).packed.embeds[
        0
    ]
    assert is_beginning(vlm, embeds).nonzero()[:, 0].tolist() == [0]


def test_prediction_probe_and_training_read_the_same_beginning(model):
    model_input = plain_input(IMAGE, model.profile)
    queries = [Query(model_input, prompt, 60, 80) for prompt in PROMPTS]
    apart = [Query(plain_input(IMAGE, model.profile), prompt, 60, 80) for prompt in PROMPTS]
    for asked in (queries, apart):  # one image's reading shared, and an image each
        with first_readings(model.vlm) as seen:
            model.answer(asked, max_new_tokens=2)
        assert all(seen), "prediction"
    for image in (IMAGE, IMAGE.copy()):
        probed = [Probed(IMAGE, PROMPTS[0], Granularity.REGION)]
        probed.append(Probed(image, PROMPTS[1], Granularity.REGION))
        with first_readings(model.vlm) as seen:
            list(probe_all(model.vlm, probed, model.profile))
        assert all(seen), "probe"
    record = Record(
        benchmark="rsvqa_lr",
        id="0",
        split=Split.TRAIN,
        task=Task.VQA,
        image="a.png",
        width=80,
        height=60,
        text="Is a ship present?",
        answers=("yes",),
    )
    samples = {"rsvqa_lr": list(prepare(model, [((record,), model_input)]))}
    job = JointTraining.of_samples(model, samples, model.profile.train, model.profile.prompt)
    with first_readings(model.vlm) as seen:
        batch = job.batch(0, 4)
        job.losses(batch, batch)
    assert all(seen), "training"


def is_beginning(vlm, embeds):
    """Which rows of ``[..., D]`` are the embedding of ``<s>``."""
    begins = vlm.llava.get_input_embeddings().weight[vlm.tokenizer.bos_token_id]
    return (embeds == begins).all(-1)


@contextmanager
def first_readings(vlm):
    """Whether each row that the language model read from nothing began with ``<s>``, and once."""
    seen = []

    def hook(_module, args, kwargs):
        cache = kwargs.get("cache")
        if cache is not None and cache.get_seq_length():
            return
        for embeds in args[0] if args else kwargs["hidden_states"]:
            first = int(embeds.any(-1).long().argmax())  # padding is zeros
            seen.append(is_beginning(vlm, embeds).nonzero()[:, 0].tolist() == [first])

    first_layer = vlm.language_model.layers[0]
    handle = first_layer.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()
    assert seen
