"""Where a BERT-class text encoder lies."""

from pathlib import Path

from geomag.errors import WeightsError
from geomag.manifest import resolve_path


def encoder_folder(path: str) -> Path:
    """The folder of an encoder: a path, or ``package:`` and its place in an installed package.

    Raises:
        WeightsError: When it is not there.
    """
    folder = resolve_path(path)
    if not (folder / "model.safetensors").is_file():
        raise WeightsError(
            str(folder),
            "no model.safetensors",
            "a BERT-class encoder in Hugging Face layout",
            remedy="put the encoder there, or set text_encoder.path",
        )
    return folder
