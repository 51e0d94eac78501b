"""Tokenizers: prompts in a checkpoint's own frame, new tokens, and the tiny VLM's own."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geomag.data.prompts import IMAGE_TOKEN, PHRASE_TOKENS, frame, seg_tokens
from geomag.errors import WeightsError
from geomag.io import read_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPARE_ROWS = 64
"""Rows of the token tables beyond the tokenizer's own, for ``<image>`` and what an adapter adds."""


def train_tokenizer(texts: Iterable[str], *, vocab_size: int = 1200) -> "PreTrainedTokenizerBase":
    """Byte-level BPE on ``texts``: any user text can be encoded, frequent words are one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    core.decoder = decoders.ByteLevel()
    special = ["<unk>", "<s>", "</s>", "<pad>", IMAGE_TOKEN]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        unk_token="<unk>",  # noqa: S106
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        extra_special_tokens={"image_token": IMAGE_TOKEN},
    )


def framed(tokenizer: "PreTrainedTokenizerBase", prompt: str) -> str:
    """``prompt`` in the turn markers that the checkpoint was trained in, with the image before it.

    The tokenizer's own chat template where that one has a place for an image (llava-interleave),
    else LLaVA-1.5's (`geomag.data.prompts.frame`), whose template says the same.
    """
    template = tokenizer.chat_template
    if not isinstance(template, str) or IMAGE_TOKEN not in template:
        return frame(prompt)
    content = [{"type": "image"}, {"type": "text", "text": prompt}]
    said: Any = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    return str(said)


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", prompt: str) -> list[int]:
    """Token ids of an unframed prompt as the checkpoint learned to read one.

    In its frame, where ``<image>`` is one placeholder id, and begun with the tokenizer's own
    special tokens: ``<s>`` for a Llama, nothing for Qwen and the tiny models.
    """
    text = framed(tokenizer, prompt)
    begins = bool(tokenizer.bos_token) and text.startswith(str(tokenizer.bos_token))
    return list(tokenizer.encode(text, add_special_tokens=not begins))


def add_new_tokens(tokenizer: "PreTrainedTokenizerBase", *, n_seg: int, rows: int) -> list[int]:
    """Give ids to the [SEG] tokens, ``<p>`` and ``</p>`` inside the embedding's spare rows.

    Args:
        tokenizer: Changed in place.
        n_seg: N of Eq 1.
        rows: Rows of the embedding table; LLaVA-1.5-7B's is padded to 32,064.

    Returns:
        The new ids, [SEG] first.

    Raises:
        WeightsError: If the table has no spare rows for them, or one of them is a token of
            the checkpoint's own.
    """
    names = [*seg_tokens(n_seg), *PHRASE_TOKENS]
    _refuse_words(tokenizer, names)
    tokenizer.add_tokens(names, special_tokens=True)
    ids: list[int] = [int(i) for i in tokenizer.convert_tokens_to_ids(names)]
    if max(ids) >= rows:
        raise WeightsError(
            "embedding table",
            f"{rows} rows, but the new tokens need id {max(ids)}",
            remedy="use a checkpoint with a padded vocabulary",
        )
    return ids


def _refuse_words(tokenizer: "PreTrainedTokenizerBase", names: list[str]) -> None:
    """Refuse new tokens that the checkpoint has for something of its own.

    Ours stand together, behind all others: one that is there alone was not added by us.

    Raises:
        WeightsError: Naming the token and its id.
    """
    vocabulary = tokenizer.get_vocab()
    ids = [vocabulary[name] for name in names if name in vocabulary]
    if ids == list(range(min(ids, default=0), min(ids, default=0) + len(names))) or not ids:
        return
    known = next(name for name in names if name in vocabulary)
    raise WeightsError(
        f"tokenizer, {known}",
        f"a token of the checkpoint already, id {vocabulary[known]}",
        "one that is new, whose row is free to learn",
        "use a checkpoint without it",
    )


def load_tokenizer(folder: Path) -> Any:
    """Load a tokenizer from a local folder; never from a network.

    Its chat template is that of ``chat_template.json`` where the tokenizer itself has none, as in
    the folders of LLaVA, whose processor had it.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    beside = folder / "chat_template.json"
    if tokenizer.chat_template is None and beside.is_file():
        tokenizer.chat_template = read_json(beside).get("chat_template")
    return tokenizer
