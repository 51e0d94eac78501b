"""Encode texts with a BERT-class model in numpy: mean of the last hidden states, unit length.

The scoring path has no torch: loading it and its companions costs more than all else in a score of
short texts. Equal to the torch classes to 1e-5 (a test). protocols/gcg#metrics,
protocols/roc#metrics.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomag.errors import WeightsError
from geomag.io import read_json

MAX_TOKENS = 512
Weights = Mapping[str, NDArray[np.float32]]
States = NDArray[np.float32]


def encode(texts: Sequence[str], folder: Path) -> NDArray[np.float32]:
    """Vectors ``[N, D]`` of length 1.

    The mean runs over all tokens of the text, [CLS] and [SEP] included. Texts are encoded one by
    one: in a batch, the last bits of a vector would depend on the texts beside it, and a score on
    which vectors were kept from an earlier one.
    """
    config, weights = read_json(folder / "config.json"), _weights(folder)
    vectors = np.zeros((len(texts), int(config["hidden_size"])), dtype=np.float32)
    for row, encoding in enumerate(_tokenizer(folder).encode_batch(list(texts))):
        vectors[row] = _forward(np.array([encoding.ids]), weights, config)[0].mean(axis=0)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    return vectors


def _tokenizer(folder: Path) -> Any:
    from tokenizers import BertWordPieceTokenizer, Tokenizer

    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    elif (folder / "vocab.txt").is_file():
        tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"))
    else:
        raise WeightsError(str(folder), "no tokenizer.json and no vocab.txt", "one of them")
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _weights(folder: Path) -> Weights:
    """Parameters by BertModel's names; older files have a prefix and name norms otherwise."""
    from safetensors.numpy import load_file

    return {
        name.removeprefix("bert.").replace(".gamma", ".weight").replace(".beta", ".bias"): values
        for name, values in load_file(folder / "model.safetensors").items()
    }


def _forward(ids: NDArray[np.int64], weights: Weights, config: Mapping[str, Any]) -> States:
    """Last hidden states ``[B, T, D]`` of token ids ``[B, T]`` without padding."""
    if config.get("hidden_act", "gelu") != "gelu":
        raise WeightsError("config.json, hidden_act", repr(config["hidden_act"]), "gelu")
    eps = float(config.get("layer_norm_eps", 1e-12))
    try:
        table = "embeddings.{}_embeddings.weight".format
        x = weights[table("word")][ids] + weights[table("token_type")][0]
        x = _norm(x + weights[table("position")][: ids.shape[1]], weights, "embeddings", eps)
        for k in range(int(config["num_hidden_layers"])):
            layer = f"encoder.layer.{k}"
            mixed = _attention(x, weights, f"{layer}.attention", int(config["num_attention_heads"]))
            x = _norm(x + mixed, weights, f"{layer}.attention.output", eps)
            wide = _gelu(_linear(x, weights, f"{layer}.intermediate.dense"))
            x = _norm(
                x + _linear(wide, weights, f"{layer}.output.dense"), weights, f"{layer}.output", eps
            )
    except KeyError as missing:
        raise WeightsError("model.safetensors", f"no {missing}", "a BERT-class encoder") from None
    return x


def _linear(x: States, weights: Weights, name: str) -> States:
    flat = x.reshape(-1, x.shape[-1]) @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return flat.reshape(*x.shape[:-1], -1)


def _norm(x: States, weights: Weights, name: str, eps: float) -> States:
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(eps))
    name = f"{name}.LayerNorm"
    return np.asarray(centred / scale * weights[f"{name}.weight"] + weights[f"{name}.bias"])


def _gelu(x: States) -> States:
    from scipy.special import erf

    return np.asarray(np.float32(0.5) * x * (1 + erf(x * np.float32(0.5**0.5))))


def _attention(x: States, weights: Weights, name: str, heads: int) -> States:
    batch, n_tokens, width = x.shape
    q, k, v = (
        _linear(x, weights, f"{name}.self.{part}")
        .reshape(batch, n_tokens, heads, width // heads)
        .transpose(0, 2, 1, 3)
        for part in ("query", "key", "value")
    )
    logits = q @ k.transpose(0, 1, 3, 2) * np.float32((width // heads) ** -0.5)
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    mixed = (grown / grown.sum(axis=-1, keepdims=True)) @ v
    joined = mixed.transpose(0, 2, 1, 3).reshape(batch, n_tokens, width)
    return _linear(joined, weights, f"{name}.output.dense")
