"""The only place that reads a pickle: plain containers, text and numbers, never a class.

RRSIS-D's ``refs(unc).p`` is a list of dicts. Such a pickle needs no global at all, so every
request for one is refused before anything is imported or called (RRSIS-D protocol, traps).
"""

import io
import pickle
from pathlib import Path
from typing import Any, NoReturn

from geomag.errors import AnnotationError, UnsafePickleError

MAX_BYTES = 1 << 30
"""Larger than any annotation pickle by a factor of a hundred."""

_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    MemoryError,
)


class _PlainUnpickler(pickle.Unpickler):
    """Knows no class, no function and no persistent object."""

    def __init__(self, content: bytes, *, encoding: str, place: str) -> None:
        super().__init__(io.BytesIO(content), encoding=encoding)
        self._place = place

    def find_class(self, module: str, name: str) -> NoReturn:
        raise UnsafePickleError(
            self._place,
            f"the pickle asks for {module}.{name}",
            "lists, dicts, text and numbers only",
            "do not load it; fetch the file again from its authors and compare the digests",
        )

    def persistent_load(self, pid: Any) -> NoReturn:
        raise UnsafePickleError(
            self._place, f"the pickle refers to an outside object {pid!r}", "plain values only"
        )


def load_plain_pickle(path: Path) -> Any:
    """Read a pickle of plain values; text is decoded as ASCII, else as Latin-1.

    Raises:
        UnsafePickleError: If it asks for any class or function; nothing has run by then.
        AnnotationError: If the file is missing, too large or no pickle.
    """
    if not path.is_file():
        raise AnnotationError(str(path), "no such file")
    if path.stat().st_size > MAX_BYTES:
        raise AnnotationError(str(path), f"{path.stat().st_size} bytes", f"at most {MAX_BYTES}")
    content = path.read_bytes()
    try:
        return _load(content, "ASCII", str(path))
    except UnicodeDecodeError:
        return _load(content, "latin-1", str(path))


def _load(content: bytes, encoding: str, place: str) -> Any:
    try:
        return _PlainUnpickler(content, encoding=encoding, place=place).load()
    except UnicodeDecodeError:
        raise
    except _BROKEN as broken:
        raise AnnotationError(
            place, f"not a readable pickle ({broken})", remedy="fetch the file again"
        ) from broken
