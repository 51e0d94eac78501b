"""The tiny VLM's tokenizer, trained on the sample's own words, and the new tokens of section 5."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geomag.data.prompts import IMAGE_TOKEN, PHRASE_TOKENS, seg_tokens
from geomag.errors import WeightsError

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


def add_new_tokens(tokenizer: "PreTrainedTokenizerBase", *, n_seg: int, rows: int) -> list[int]:
    """Give ids to the [SEG] tokens, ``<p>`` and ``</p>`` inside the embedding's spare rows.

    Args:
        tokenizer: Changed in place.
        n_seg: N of Eq 1.
        rows: Rows of the embedding table; LLaVA-1.5-7B's is padded to 32,064.

    Returns:
        The new ids, [SEG] first.

    Raises:
        WeightsError: If the table has no spare rows for them.
    """
    names = [*seg_tokens(n_seg), *PHRASE_TOKENS]
    tokenizer.add_tokens(names, special_tokens=True)
    ids: list[int] = [int(i) for i in tokenizer.convert_tokens_to_ids(names)]
    if max(ids) >= rows:
        raise WeightsError(
            "embedding table",
            f"{rows} rows, but the new tokens need id {max(ids)}",
            remedy="use a checkpoint with a padded vocabulary",
        )
    return ids


def load_tokenizer(folder: Path) -> Any:
    """Load a tokenizer from a local folder; never from a network."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)
