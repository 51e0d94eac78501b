"""What each profile's folders are filled from: repository, revision, licence, files, digests."""

from dataclasses import dataclass, field
from typing import Literal

from geomag.data.benchmarks import Benchmark
from geomag.errors import ConfigError

_LLAVA_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "LICENSE*")
_BERT_FILES = ("config.json", "model.safetensors", "tokenizer*.json", "vocab.txt", "LICENSE*")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSource:
    """A repository of the hub at one revision."""

    repo: str
    revision: str
    """A commit, whose files never change."""
    licence: str
    kind: Literal["model", "dataset"] = "model"
    files: tuple[str, ...] = ()
    """Patterns of the files that are wanted; empty: all."""
    sha256: dict[str, str] = field(default_factory=dict)
    """Digests by file name that are known here, beside those that the hub itself gives."""


LLAVA_7B = HubSource(
    repo="llava-hf/llava-1.5-7b-hf",
    revision="95f2cf316249a98c11183f471ab76065c3e5f494",
    licence="Llama 2 community licence",
    files=_LLAVA_FILES,
)
LLAVA_INTERLEAVE = HubSource(
    repo="llava-hf/llava-interleave-qwen-0.5b-hf",
    revision="08647831752d66cc51831ff4f2a476de6ba2af9c",
    licence="Tongyi Qianwen research licence: no commercial use",
    files=_LLAVA_FILES,
)
BERT = HubSource(
    repo="google-bert/bert-base-uncased",
    revision="86b5e0934494bd15c9632b12f734a8a67f723594",
    licence="Apache 2.0",
    files=_BERT_FILES,
)
SAM2_LARGE = HubSource(
    repo="facebook/sam2.1-hiera-large",
    revision="665f8e2ad61cf5f53d65644ff27c8ee525124610",
    licence="Apache 2.0",
    files=("*.pt", "LICENSE*"),
    sha256={
        "sam2.1_hiera_large.pt": "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318"
    },
)
SAM2_BASE_PLUS = HubSource(
    repo="facebook/sam2.1-hiera-base-plus",
    revision="b7320756a13354e7530a63935656d35b2f91a290",
    licence="Apache 2.0",
    files=("*.pt", "LICENSE*"),
    sha256={
        "sam2.1_hiera_base_plus.pt": (
            "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5"
        )
    },
)
WEIGHTS: dict[str, dict[str, HubSource]] = {
    "paper": {
        "vlm.path": LLAVA_7B,
        "encoder.path": SAM2_LARGE,
        "text_encoder.path": BERT,
    },
    "small": {"vlm.path": LLAVA_INTERLEAVE, "encoder.path": SAM2_BASE_PLUS},
}
"""Sources by profile, and by the setting that names the folder."""


def weights_of(profile: str) -> dict[str, HubSource]:
    """Sources of a profile's checkpoints.

    Raises:
        ConfigError: If the profile pins nothing on the hub.
    """
    if profile not in WEIGHTS:
        raise ConfigError(
            "profile", f"{profile!r} takes nothing from the hub", f"one of {', '.join(WEIGHTS)}"
        )
    return WEIGHTS[profile]


def data_of(spec: Benchmark) -> HubSource | None:
    """The hub repository of a benchmark; None if it is published elsewhere alone."""
    if not spec.hub:
        return None
    repo, _, revision = spec.hub.partition("@")
    return HubSource(repo=repo, revision=revision or "main", licence=spec.licence, kind="dataset")
