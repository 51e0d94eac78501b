"""Heatmaps by content: what was probed once, with the same weights and settings, is not again.

The key is a digest of the pixels, the prompt, the weights and what the probe depends on
(protocols/model#training). A map of a crop is keyed by the crop's own pixels, so another window
rule finds the maps of whole images again. The folder may be removed at any time.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomag.io import atomic_path, value_digest
from geomag.magcrop.compose import RgbImage

Map = NDArray[np.float32]


class HeatCache:
    """Maps ``[gh, gw]`` in a folder, one file each, whole or absent.

    Args:
        folder: Made when the first map is kept.
        facts: What every map depends on beside image and prompt: weights, layer, loss.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        self._folder = folder
        self._facts = value_digest(dict(facts))

    def key(self, image: RgbImage, prompt: str) -> str:
        """Digest of one probe's inputs."""
        pixels = np.ascontiguousarray(image)
        content = hashlib.sha256(f"{self._facts} {pixels.shape} {prompt}\0".encode())
        content.update(pixels.data)
        return content.hexdigest()[:32]

    def keys(self, batch: Sequence[tuple[RgbImage, str]]) -> list[str]:
        """Digests of the probes of one batch, each with those beside it.

        A map's last bits depend on its batch: what other batches have left is not the same.
        """
        alone = [self.key(image, prompt) for image, prompt in batch]
        together = value_digest(alone)
        return [value_digest([one, together]) for one in alone]

    def get(self, key: str) -> Map | None:
        """A kept map; None where there is none, or a file that is no map."""
        try:
            found = np.load(self._path(key), allow_pickle=False)
        except (FileNotFoundError, ValueError, EOFError, OSError):
            return None
        is_map = isinstance(found, np.ndarray) and found.ndim == 2 and found.dtype == np.float32
        return found if is_map and bool(np.isfinite(found).all()) else None

    def put(self, key: str, heatmap: Map) -> None:
        """Keep a map; a killed writer leaves none."""
        with atomic_path(self._path(key)) as temporary, temporary.open("wb") as out:
            np.save(out, heatmap.astype(np.float32), allow_pickle=False)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key[2:]}.npy"
