"""Weight files looked at by their first bytes, before a model is built or a digest is taken."""

import json
import struct
from pathlib import Path

from geomag.errors import WeightsError
from geomag.parse import LFS_POINTER, LFS_REMEDY

_LONGEST_HEADER = 100_000_000
"""Bytes; the limit of safetensors itself."""


def check_weight_file(path: Path) -> None:
    """Refuse what stands in place of weights after a clone or a download that went wrong.

    Raises:
        WeightsError: On a Git LFS pointer, a web page, or a safetensors file whose header and
            size disagree.
    """
    size = path.stat().st_size
    with path.open("rb") as handle:
        start = handle.read(64)
        if start.startswith(LFS_POINTER):
            raise WeightsError(str(path), "a Git LFS pointer", "the weights", LFS_REMEDY)
        if start.lstrip()[:5].lower() in (b"<!doc", b"<html"):
            raise WeightsError(str(path), "a web page", "the weights", "download the file again")
        if path.suffix != ".safetensors":
            return
        length = struct.unpack("<Q", start[:8])[0] if size >= 8 else 0
        if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
            raise WeightsError(
                str(path), f"{size:,} bytes, and no header of safetensors", "whole weights"
            )
        handle.seek(8)
        wanted = 8 + length + _end_of_tensors(handle.read(length), path)
    if wanted != size:
        raise WeightsError(
            str(path), f"{size:,} bytes", f"{wanted:,}, as its header says", "download it again"
        )


def _end_of_tensors(header: bytes, path: Path) -> int:
    """Bytes of all tensors, from their offsets in the header."""
    try:
        tree = json.loads(header)
        rows = [row["data_offsets"] for name, row in tree.items() if name != "__metadata__"]
        return max((int(end) for _, end in rows), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as broken:
        raise WeightsError(str(path), "a header that is not safetensors'") from broken
