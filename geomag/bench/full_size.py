"""The paper profile's model at its real size on the meta device: every shape, not one weight.

LLaVA-1.5-7B (llava-hf/llava-1.5-7b-hf), BERT-base-uncased and SAM2 hiera-large are built by the
same classes that load the real checkpoints, so what is counted here is what would run.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    BertConfig,
    BertModel,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from geomag.config.schema import Profile
from geomag.data.prompts import IMAGE_TOKEN
from geomag.magcrop.granularity import GranularityClassifier
from geomag.model.adapter import attach_adapter
from geomag.model.assemble import build_geomag
from geomag.model.geomag import GeoMag
from geomag.model.sam2_parts import HIERA_LARGE, Sam2Parts
from geomag.model.vlm import Vlm

LLAVA_WORDS = 32_000
LLAVA_ROWS = 32_064
"""LLaVA-1.5-7B's tables: 32,000 words, ``<image>``, ``<pad>``, and 62 rows that pad them."""
BERT_WIDTH = 768


def llava_7b() -> LlavaConfig:
    """Sizes of llava-hf/llava-1.5-7b-hf."""
    vision = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=336,
        patch_size=14,
    )
    text = LlamaConfig(
        hidden_size=4096,
        intermediate_size=11_008,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=32,
        vocab_size=LLAVA_ROWS,
        max_position_embeddings=4096,
        pad_token_id=LLAVA_WORDS + 1,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=LLAVA_WORDS,
        image_seq_length=576,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
    )


def stand_in_tokenizer() -> PreTrainedTokenizerBase:
    """Ids as LLaVA-1.5's tokenizer has them; its words are numbers, for its own are not here."""
    words = ["<unk>", "<s>", "</s>", *(f"w{i}" for i in range(3, LLAVA_WORDS))]
    ids = {word: i for i, word in enumerate([*words, IMAGE_TOKEN, "<pad>"])}
    core = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))  # noqa: S106
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        unk_token="<unk>",  # noqa: S106
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        extra_special_tokens={"image_token": IMAGE_TOKEN},
    )


def full_size(profile: Profile) -> GeoMag:
    """The whole model of the paper profile, adapter attached, in evaluation mode, on meta."""
    with on_meta():
        llava = LlavaForConditionalGeneration(llava_7b()).to(getattr(torch, profile.vlm.dtype))
        vlm = Vlm(llava, stand_in_tokenizer())
        sam = Sam2Parts(HIERA_LARGE).requires_grad_(False)
        attach_adapter(vlm, profile.adapter)
        model = build_geomag(profile, vlm, sam)
    model.eval()
    return model


def text_side(profile: Profile) -> tuple[BertModel, GranularityClassifier]:
    """BERT-base and the Task Granularity Classifier on meta."""
    with on_meta():
        classifier = GranularityClassifier(BERT_WIDTH, profile.granularity.hidden)
        return BertModel(BertConfig(hidden_size=BERT_WIDTH)).eval(), classifier


@contextmanager
def on_meta() -> Iterator[None]:
    """Tensors are made without memory."""
    with torch.device("meta"), _NumbersStay():
        yield


class _NumbersStay(TorchFunctionMode):
    """SAM2's trunk reads its drop-path rates back from a `linspace`, which meta cannot give."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.linspace:
            kwargs.setdefault("device", "cpu")
        return func(*args, **kwargs)


def count_flops(run: Callable[[], Any]) -> int:
    """Floating point operations of matrix products and convolutions; 1 MAC is 2."""
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def n_parameters(module: nn.Module) -> int:
    """All parameters, shared ones once."""
    return sum(p.numel() for p in module.parameters())
