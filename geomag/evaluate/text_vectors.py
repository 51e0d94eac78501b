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

from geomag.config.schema import TextEncoderConfig
from geomag.io import read_json
from geomag.magcrop.text_encoder import build_text_encoder

MAX_TOKENS = 512


def encode(texts: Sequence[str], folder: Path) -> NDArray[np.float32]:
    """Vectors ``[N, D]`` of length 1.

    The mean runs over all tokens of the text, [CLS] and [SEP] included, and over no padding, so
    the batch a text is in does not change its vector (GeoPixelD protocol 7.3, DIOR-RSVG 3.8).
    """
    settings = TextEncoderConfig(path=str(folder), pooling="mean", max_tokens=MAX_TOKENS)
    states = build_text_encoder(settings).encode(texts)
    unit: NDArray[np.float32] = torch.nn.functional.normalize(states, dim=-1).numpy()
    return unit


def main(folder: str, texts: str, vectors: str) -> None:
    """Encode the JSON list in one file into the ``.npy`` of another."""
    np.save(vectors, encode(read_json(Path(texts)), Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:4])
