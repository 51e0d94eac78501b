"""Tokenizers of the published classes and sizes whose words are those of our prompts.

The published vocabularies are downloads. These have the same numbers of entries, the same special
tokens under the same ids and the same classes; what our prompts do not say is filler.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import BertTokenizer, LlamaTokenizer, PreTrainedTokenizerBase, Qwen2Tokenizer

from geomag.data.benchmarks import BENCHMARKS
from geomag.data.prompts import IMAGE_TOKEN, TRAINING, frame
from geomag.rehearse.published import VlmFolder

BERT_WORDS = 30_522
_LEARNED = 4_000
"""Most entries that are learned from our prompts; the rest is filler."""
INTERLEAVE_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ '\n' + content['text'] }}{% endfor %}{{'<|im_end|>'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""Frame of llava-interleave, as its ``chat_template.json`` spells it."""
QWEN_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def prompt_texts() -> list[str]:
    """All that our prompts say, class names included; box texts give the digits."""
    texts = [frame(wording) for wordings in TRAINING.values() for wording in wordings]
    texts += [", ".join(spec.classes) for spec in BENCHMARKS.values() if spec.classes]
    return [*texts, "[0.17, 0.30, 0.86, 0.84] 1 2 4 5 6 7 8 9 yes no a large red ship near the"]


def llama_tokenizer(words: int) -> PreTrainedTokenizerBase:
    """The class of LLaVA-1.5: ``<s>`` begins a sequence, ``<image>`` and ``<pad>`` come last."""
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    core = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))  # noqa: S106
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    ids, merges = _learned(core, words, special=special)
    tokenizer: PreTrainedTokenizerBase = LlamaTokenizer(
        vocab=ids, merges=merges, add_bos_token=True, extra_special_tokens=_image_token()
    )
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    return tokenizer


def qwen_tokenizer(words: int) -> PreTrainedTokenizerBase:
    """The class of llava-interleave: byte-level, ``<|im_end|>`` ends an answer."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    ids, merges = _learned(core, words, alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer: PreTrainedTokenizerBase = Qwen2Tokenizer(
        vocab={**ids, **{name: words + n for n, name in enumerate(QWEN_SPECIAL)}},
        merges=merges,
        eos_token=QWEN_SPECIAL[2],
        pad_token=QWEN_SPECIAL[0],
        unk_token=None,
        additional_special_tokens=[QWEN_SPECIAL[1]],
        extra_special_tokens=_image_token(),
    )
    return tokenizer


def vlm_tokenizer(folder: VlmFolder) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint, its special tokens at the ids that its configuration says."""
    make = {"llama": llama_tokenizer, "qwen": qwen_tokenizer}[folder.tokenizer]
    tokenizer = make(folder.words)
    found = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    assert found == folder.config.image_token_index, found
    return tokenizer


def bert_tokenizer(words: int = BERT_WORDS) -> BertTokenizer:
    """BERT's class, lower case, ``[PAD]`` first."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    text = " ".join(prompt_texts()).lower()
    pieces = sorted({*text.split(), *text} - {" ", "\n"})
    names = [*special, *pieces, *(f"##{c}" for c in sorted({*text} - {" ", "\n"}))]
    return BertTokenizer(vocab={name: i for i, name in enumerate(_filled(names, words))})


def _learned(
    core: Tokenizer, words: int, *, special: Sequence[str] = (), alphabet: Sequence[str] = ()
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Ids by entry, as many as wanted, and the merges of those that were learned."""
    trainer = trainers.BpeTrainer(
        vocab_size=min(words, _LEARNED),
        special_tokens=list(special),
        initial_alphabet=list(alphabet),
        show_progress=False,
    )
    core.train_from_iterator(prompt_texts(), trainer)
    tree: dict[str, Any] = json.loads(core.to_str())["model"]
    known = sorted(tree["vocab"], key=tree["vocab"].__getitem__)
    ids = {name: number for number, name in enumerate(_filled(known, words))}
    return ids, [(left, right) for left, right in tree["merges"]]


def _filled(names: list[str], words: int) -> Iterator[str]:
    """The names in order and filler behind them, ``words`` together."""
    yield from names
    yield from (f"filler{number}" for number in range(len(names), words))


def _image_token() -> dict[str, str]:
    return {"image_token": IMAGE_TOKEN}
