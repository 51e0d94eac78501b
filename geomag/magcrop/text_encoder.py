"""The frozen BERT of the Task Granularity Classifier: texts in, one vector each out (paper 3.2.1).

Its width is read from its own configuration: 768 for BERT-base, 384 for MiniLM.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, BertModel

from geomag.config.schema import TextEncoderConfig
from geomag.errors import WeightsError
from geomag.io import file_digest
from geomag.magcrop.encoder_folder import encoder_folder
from geomag.progress import track

Pooling = Literal["cls", "mean", "pooler"]
BATCH = 128


class TextEncoder(nn.Module):
    """Vectors of texts, each text encoded once."""

    def __init__(
        self, model: nn.Module, tokenizer: Any, *, pooling: Pooling, max_tokens: int, digest: str
    ) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.max_tokens = max_tokens
        self.digest = digest
        """First 16 hex digits of the sha256 of the weights; a classifier fits one encoder only."""
        self._known: dict[str, Tensor] = {}

    @property
    def width(self) -> int:
        """Length of a vector."""
        return int(self.model.config.hidden_size)

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Vectors ``[N, width]`` float32; a text's vector does not depend on its batch.

        Texts longer than ``max_tokens`` are cut.
        """
        new = sorted(set(texts) - set(self._known), key=lambda text: (len(text), text))
        with track("encoding texts", len(new)) as progress:
            for start in range(0, len(new), BATCH):
                batch = new[start : start + BATCH]
                self._known.update(zip(batch, self._encode(batch).cpu(), strict=True))
                progress.advance(len(batch))
        if not texts:
            return torch.zeros(0, self.width)
        return torch.stack([self._known[text] for text in texts])

    def _encode(self, texts: list[str]) -> Tensor:
        device = next(self.model.parameters()).device
        tokens = self.tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        ).to(device)
        out = self.model(**tokens)
        if self.pooling == "pooler":
            return out.pooler_output.float()  # type: ignore[no-any-return]
        states = out.last_hidden_state.float()
        if self.pooling == "cls":
            return states[:, 0]  # type: ignore[no-any-return]
        real = tokens["attention_mask"][..., None].to(states.dtype)
        return (states * real).sum(dim=1) / real.sum(dim=1)  # type: ignore[no-any-return]


def build_text_encoder(config: TextEncoderConfig) -> TextEncoder:
    """Load the encoder that the settings name, from disk only.

    Raises:
        WeightsError: If it is not there, or lacks a weight that is used.
    """
    folder = encoder_folder(config.path)
    # with its pooler even where unused: without it, loading reports the checkpoint's as unexpected
    model, report = BertModel.from_pretrained(
        folder, local_files_only=True, output_loading_info=True
    )
    missing = sorted(
        key
        for key in report["missing_keys"]
        if config.pooling == "pooler" or not key.startswith("pooler.")
    )
    if missing:
        raise WeightsError(str(folder), f"missing {missing[:5]}", "a whole BERT-class encoder")
    return TextEncoder(
        model,
        AutoTokenizer.from_pretrained(folder, local_files_only=True),
        pooling=config.pooling,
        max_tokens=config.max_tokens,
        digest=file_digest(folder / "model.safetensors")[:16],
    )
