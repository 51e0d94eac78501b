"""LoRA on the language model and the rows of the new tokens, by stock peft.

See protocols/model#tokens.
"""

from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from torch import Tensor

from geomag.config.schema import AdapterConfig
from geomag.errors import WeightsError
from geomag.model.tokenizer import add_new_tokens
from geomag.model.vlm import Vlm

_TARGETS = {
    # a list of names would also hit CLIP's projections
    "qv": r".*language_model\.layers\.\d+\.self_attn\.(q_proj|v_proj)",
    "all_linear": r".*language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj",
}


def attach_adapter(vlm: Vlm, config: AdapterConfig) -> list[int]:
    """Put a fresh adapter on the VLM, freeze the rest, and return the new tokens' ids.

    Only the new rows of both token tables train (`trainable_token_indices`), not the tables. The
    projector trains with them where ``adapter.projector`` says so, as a copy: with adapters off
    the base's own is back.
    """
    new_ids = new_token_ids(vlm, config)
    settings = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        bias="none",
        target_modules=_TARGETS[config.targets],
        trainable_token_indices={"embed_tokens": new_ids, "lm_head": new_ids},
        modules_to_save=["multi_modal_projector"] if config.projector else None,
    )
    vlm.requires_grad_(False)
    vlm.peft = get_peft_model(vlm.llava, settings)
    return new_ids


def new_token_ids(vlm: Vlm, config: AdapterConfig) -> list[int]:
    """Ids of [SEG] group, ``<p>`` and ``</p>``; adds them to the tokenizer if they are new."""
    rows = vlm.llava.get_input_embeddings().weight.shape[0]
    return add_new_tokens(vlm.tokenizer, n_seg=config.n_seg, rows=rows)


def adapter_parameters(vlm: Vlm) -> dict[str, Tensor]:
    """Trainable tensors of the adapter by name."""
    return {name: p for name, p in vlm.peft.named_parameters() if p.requires_grad}


def save_adapter(vlm: Vlm, folder: Path) -> None:
    """Write the adapter as stock peft reads it: ``adapter_model.safetensors`` and its config.

    The base is named relative to the models' folder, and peft's model card left out: both would
    say where the project lies, and equal trainings in two folders would have two digests.
    """
    vlm.peft.peft_config["default"].base_model_name_or_path = "../base"
    vlm.peft.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()


def load_adapter(vlm: Vlm, folder: Path, config: AdapterConfig) -> None:
    """Put a saved adapter on the VLM, for inference.

    Raises:
        WeightsError: If its rows are those of other tokens than the tokenizer's.
    """
    ids = new_token_ids(vlm, config)
    check_token_rows(PeftConfig.from_pretrained(str(folder)), ids, folder)
    vlm.requires_grad_(False)
    vlm.peft = PeftModel.from_pretrained(vlm.llava, str(folder), is_trainable=False)
    vlm.eval()


def check_token_rows(saved: Any, ids: list[int], folder: Path) -> None:
    """Hold the rows that an adapter has trained against the new tokens' ids.

    Args:
        saved: Its configuration.
        ids: Of the tokenizer that will read and write the tokens.
        folder: Where it lies.

    Raises:
        WeightsError: If they differ: another tokenizer, or another number of [SEG] tokens.
    """
    rows = getattr(saved, "trainable_token_indices", None) or {}
    for table, trained in sorted(rows.items()):
        if sorted(trained) != sorted(ids):
            raise WeightsError(
                f"{folder / 'adapter_config.json'}, trainable_token_indices.{table}",
                f"rows {sorted(trained)}",
                f"{sorted(ids)}, the [SEG] tokens, <p> and </p> of the base model's tokenizer",
                "take the tokenizer that it was trained with, or set adapter.n_seg to its own",
            )
