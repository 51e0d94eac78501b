"""Encode texts with a BERT-class model: mean of the last hidden states, unit length.

Run as ``python -m geomag.evaluate.text_vectors FOLDER TEXTS.json VECTORS.npy``: the scoring path
itself stays without torch (`geomag.evaluate.score_vectors` calls this and keeps the result).
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer, BertModel

from geomag.io import read_json

MAX_TOKENS = 512
BATCH = 64


def encode(texts: Sequence[str], folder: Path) -> NDArray[np.float32]:
    """Vectors ``[N, D]`` of length 1.

    The mean runs over all tokens of the text, [CLS] and [SEP] included, and over no padding, so
    the batch a text is in does not change its vector (GeoPixelD protocol 7.3, DIOR-RSVG 3.8).
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(texts), BATCH):
            batch = tokenizer(
                list(texts[start : start + BATCH]),
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            )
            states = model(**batch).last_hidden_state
            kept = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
            mean = (states * kept).sum(dim=1) / kept.sum(dim=1)
            parts.append(torch.nn.functional.normalize(mean, dim=-1).numpy())
    return np.concatenate(parts).astype(np.float32)


def main(folder: str, texts: str, vectors: str) -> None:
    """Encode the JSON list in one file into the ``.npy`` of another."""
    np.save(vectors, encode(read_json(Path(texts)), Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:4])
