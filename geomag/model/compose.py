"""A VLM composed of two pretrained parts: a language model and a vision encoder, as LLaVA.

LLaVA-1.5 is no more than that: CLIP, Llama and a two-layer projector between them. Any Llama- or
Qwen2-class language model and any encoder of `geomag.model.towers` make one of the same classes,
so the probe, the adapter, training and prediction do not know the difference. Its projector is
fresh, and `geomag.train.projector` teaches it (LLaVA's stage 1).
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerBase,
)

from geomag.config.schema import Profile
from geomag.data.prompts import IMAGE_TOKEN
from geomag.errors import WeightsError
from geomag.io import file_digest, read_json
from geomag.manifest import resolve_path
from geomag.model.efficientnet import EfficientNetLiteConfig, EfficientNetLiteModel
from geomag.model.state import load_strictly
from geomag.model.tokenizer import SPARE_ROWS, load_tokenizer
from geomag.model.vlm import Vlm

LANGUAGE_TYPES = ("llama", "mistral", "qwen2")
"""Decoders whose attention the Eq 4 probe can take apart (`geomag.magcrop.heatmap`)."""


def compose(profile: Profile) -> Vlm:
    """The two parts that ``vlm.language`` and ``vlm.vision`` name, joined by a fresh projector.

    The token tables are untied and get spare rows, for ``<image>`` and what the adapter adds. The
    projector is drawn under ``base.seed``.

    Raises:
        WeightsError: If a part is missing, of a class we cannot join, or not the one pinned.
    """
    settings = profile.vlm
    language, tokenizer = load_language(_pinned(settings.language, settings.language_sha256))
    tower = load_tower(_pinned(settings.vision, settings.vision_sha256))
    _check_sizes(profile, tower.config)
    return join(language, tokenizer, tower, seed=profile.base.seed)


def join(
    language: nn.Module, tokenizer: PreTrainedTokenizerBase, tower: nn.Module, *, seed: int
) -> Vlm:
    """LLaVA of a causal language model with its tokenizer, and a vision encoder.

    Args:
        language: ``LlamaForCausalLM`` or a class like it.
        tokenizer: Gets ``<image>``, in place.
        tower: Any encoder of `geomag.model.towers`.
        seed: Of the projector's first weights.
    """
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_TOKEN]})
    rows = -(-(len(tokenizer) + SPARE_ROWS) // 64) * 64
    text: Any = language.config.to_dict()
    text.pop("quantization_config", None)
    text.update(vocab_size=rows, tie_word_embeddings=False)
    has_class_token = any(
        name.endswith(("class_embedding", "cls_token")) for name, _ in tower.named_parameters()
    )
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=type(language.config)(**text),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
        image_seq_length=(tower.config.image_size // tower.config.patch_size) ** 2,
        vision_feature_layer=-2 if has_class_token else -1,
        vision_feature_select_strategy="default" if has_class_token else "full",
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        llava = LlavaForConditionalGeneration(config)
    state = dict(language.model.state_dict())
    state["embed_tokens.weight"] = with_spare_rows(language.get_input_embeddings().weight, rows)
    head = with_spare_rows(language.get_output_embeddings().weight, rows)
    load_strictly(llava.model.language_model, state, place="language model")
    load_strictly(llava.lm_head, {"weight": head}, place="language model's head")
    load_strictly(llava.model.vision_tower, tower.state_dict(), place="vision encoder")
    return Vlm(llava.eval(), tokenizer)


def with_spare_rows(table: Tensor, rows: int) -> Tensor:
    """A token table ``[V, D]`` with the mean of its rows behind them, ``[rows, D]``."""
    table = table.detach().float()
    return torch.cat([table, table.mean(0, keepdim=True).expand(rows - len(table), -1)])


def load_language(path: Path) -> tuple[nn.Module, PreTrainedTokenizerBase]:
    """A causal language model in float32 with its tokenizer, from a ``.gguf`` file or a folder.

    Raises:
        WeightsError: If nothing is there, or the Eq 4 probe does not know its class.
    """
    if path.suffix == ".gguf":
        model, tokenizer = _from_gguf(path)
    elif (path / "config.json").is_file():
        options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True}
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **options)
        tokenizer = load_tokenizer(path)
    else:
        raise WeightsError(str(path), "no language model", "a .gguf file or a Hugging Face folder")
    if (kind := model.config.model_type) not in LANGUAGE_TYPES:
        raise WeightsError(str(path), f"a model of type {kind}", f"one of {LANGUAGE_TYPES}")
    return model, tokenizer


def load_tower(path: Path) -> nn.Module:
    """A vision encoder in float32: EfficientNet-Lite0's ``.pth``, or a folder of transformers.

    Raises:
        WeightsError: If nothing is there, or a folder does not say how it wants its pixels.
    """
    if path.suffix == ".pth" and path.is_file():
        return _efficientnet(torch.load(path, map_location="cpu", weights_only=True))
    if not (path / "config.json").is_file():
        raise WeightsError(str(path), "no vision encoder", "a .pth file or a Hugging Face folder")
    config = AutoConfig.from_pretrained(path, local_files_only=True)
    own: Any = getattr(config, "vision_config", config)  # CLIP and SigLIP come with a text tower
    kind: Any = AutoModel._model_mapping[type(own)]
    tower: nn.Module = kind.from_pretrained(
        path, config=own, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    if not hasattr(tower.config, "image_mean"):
        preprocessor = path / "preprocessor_config.json"
        if not preprocessor.is_file():
            raise WeightsError(
                str(preprocessor), "no such file", "image_mean and image_std of the encoder"
            )
        said = read_json(preprocessor)
        tower.config.image_mean, tower.config.image_std = said["image_mean"], said["image_std"]
    return tower.eval()


def _efficientnet(state: dict[str, Tensor]) -> EfficientNetLiteModel:
    """EfficientNet-Lite0 with the weights of a published checkpoint, its classifier left out."""
    tower = EfficientNetLiteModel(EfficientNetLiteConfig())
    own = {name: tensor for name, tensor in state.items() if not name.startswith("_fc.")}
    load_strictly(tower, own, place="EfficientNet-Lite0")
    tower.eval()
    return tower


def _from_gguf(path: Path) -> tuple[nn.Module, PreTrainedTokenizerBase]:
    """Weights brought back to float32, as a plain model that can be saved."""
    from transformers import AutoTokenizer

    try:
        options: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **options)
        model = AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, **options)
    except ImportError as missing:
        raise WeightsError(
            str(path), f"cannot be read ({missing})", remedy="pip install gguf accelerate"
        ) from missing
    return model, tokenizer


def _check_sizes(profile: Profile, config: Any) -> None:
    """Hold the encoder's patch against the profile's, by which views are planned."""
    if config.patch_size != profile.vlm.patch_px:
        raise WeightsError(
            profile.vlm.vision,
            f"patches of {config.patch_size} px",
            f"vlm.patch_px {profile.vlm.patch_px}",
            f"set vlm.patch_px to {config.patch_size}",
        )


def _pinned(path: str, digest: str) -> Path:
    """A part's file or folder, held against the digest of its weights that the profile pins."""
    found = resolve_path(path)
    if not found.exists():
        raise WeightsError(path, "nothing is there", remedy="see docs/setup.md, the laptop profile")
    if digest and found.is_file() and (own := file_digest(found)) != digest:
        raise WeightsError(path, f"sha256 {own}", digest, "install the pinned version")
    return found
