"""LoRA on the language model only, new rows only, off means base (protocols/model#tokens)."""

import pytest
import torch
from peft import PeftModel
from transformers import LlavaForConditionalGeneration

from geomag.bench.full_size import llava_7b
from geomag.config.schema import AdapterConfig
from geomag.errors import WeightsError
from geomag.model.adapter import adapter_parameters, attach_adapter, load_adapter, save_adapter
from geomag.model.tokenizer import add_new_tokens, train_tokenizer
from tests.model.tiny import TEXTS, tiny_vlm

PROMPT = "USER: <image>\nMark the red ship. ASSISTANT:"


def logits(vlm, seed=0):
    visual = torch.randn(5, 32, generator=torch.Generator().manual_seed(seed))
    return vlm.lm_head(vlm.states(vlm.pack([vlm.ids(PROMPT)], [visual])))


def shaken(vlm):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in adapter_parameters(vlm).values():
            tensor.add_(torch.randn(tensor.shape, generator=generator) * 0.3)
    return vlm


def test_only_the_language_model_and_the_new_rows_train():
    vlm = tiny_vlm()
    ids = attach_adapter(vlm, AdapterConfig(rank=4, n_seg=3))
    names = list(adapter_parameters(vlm))
    assert len(ids) == 5  # three [SEG], <p>, </p>
    assert not [n for n in names if "vision" in n or "projector" in n]
    lora = [n for n in names if "lora" in n]
    assert len(lora) == 3 * 2 * 2  # layers x (q, v) x (A, B)
    rows = {n: tuple(p.shape) for n, p in adapter_parameters(vlm).items() if "lora" not in n}
    assert sorted(rows.values()) == [(5, 32), (5, 32)]


def test_disabled_adapter_is_the_base_model_exactly():
    base = logits(tiny_vlm())
    vlm = tiny_vlm()
    attach_adapter(vlm, AdapterConfig())
    shaken(vlm)
    assert not torch.allclose(logits(vlm), base)
    with vlm.base_weights():
        assert torch.equal(logits(vlm), base)


def test_a_saved_adapter_loads_in_ours_and_in_stock_peft(tmp_path):
    vlm = tiny_vlm()
    attach_adapter(vlm, AdapterConfig())
    wanted = logits(shaken(vlm).eval())
    save_adapter(vlm, tmp_path)
    again = tiny_vlm()
    load_adapter(again, tmp_path, AdapterConfig())
    assert torch.equal(logits(again), wanted)
    stock = tiny_vlm()
    PeftModel.from_pretrained(stock.llava, str(tmp_path))
    assert torch.equal(logits(stock), wanted)


def test_what_is_written_does_not_say_where_the_project_lies(tmp_path):
    vlm = tiny_vlm()
    vlm.llava.config._name_or_path = "/some/where/artifacts/models/base/vlm"
    attach_adapter(vlm, AdapterConfig())
    save_adapter(vlm, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    assert all(b"/some/where" not in p.read_bytes() for p in tmp_path.iterdir())


def test_a_table_without_spare_rows_is_refused():
    vlm = tiny_vlm()
    vlm.tokenizer = train_tokenizer(TEXTS, vocab_size=400)
    vlm.llava.resize_token_embeddings(len(vlm.tokenizer))
    with pytest.raises(WeightsError, match="new tokens need id"):
        attach_adapter(vlm, AdapterConfig(n_seg=3))


def test_at_7b_the_adapter_has_4194304_parameters():
    with torch.device("meta"):
        llava = LlavaForConditionalGeneration(llava_7b())
    small = tiny_vlm()
    small.llava = llava
    attach_adapter(small, AdapterConfig(rank=8))
    lora = sum(p.numel() for n, p in adapter_parameters(small).items() if "lora" in n)
    rows = sum(p.numel() for n, p in adapter_parameters(small).items() if "lora" not in n)
    assert lora == 4_194_304
    assert rows == 5 * 2 * 4096


def test_an_adapter_of_another_tokenizer_s_rows_is_refused(tmp_path):
    vlm = tiny_vlm()
    attach_adapter(vlm, AdapterConfig())
    save_adapter(vlm, tmp_path)
    other = tiny_vlm(n_seg=1)  # gives [SEG0], <p> and </p> the ids of three [SEG]
    with pytest.raises(WeightsError, match=r"trainable_token_indices\.embed_tokens: rows .*n_seg"):
        load_adapter(other, tmp_path, AdapterConfig(n_seg=1))


def test_a_checkpoint_that_has_one_of_the_new_tokens_already_is_refused():
    tokenizer = train_tokenizer(TEXTS, vocab_size=400)
    tokenizer.add_tokens(["<p>"])
    with pytest.raises(WeightsError, match=r"<p>: a token of the checkpoint already, id \d+"):
        add_new_tokens(tokenizer, n_seg=3, rows=2_000)
    ours = train_tokenizer(TEXTS, vocab_size=400)
    ids = add_new_tokens(ours, n_seg=3, rows=2_000)
    assert add_new_tokens(ours, n_seg=3, rows=2_000) == ids
