"""The only place that reads a pickle: plain containers, text and numbers, never a class.

RRSIS-D's ``refs(unc).p`` is a list of dicts. Such a pickle needs no global at all, so every
request for one is refused before anything is imported or called (RRSIS-D protocol, traps). A
pickle can also ask for memory that it has no content for, nine bytes for 4 GB: its opcodes are
counted before it is loaded.
"""

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any, NoReturn

from geomag.errors import AnnotationError, UnsafePickleError, shown

MAX_BYTES = 1 << 28
"""Most bytes of a pickle: thirty times the largest annotation pickle."""
MAX_CONTAINERS = 4_000_000
"""Lists, dicts, tuples and sets, about 230 bytes each; RRSIS-D's file holds 87,010."""

_SPARE = 1_000
"""Memo entries that a pickle may skip."""
_ARGUMENTS = {ord(op.code): op.arg.n if op.arg else 0 for op in pickletools.opcodes}
"""Bytes of each opcode's argument; below 0, how it says itself how long it is."""
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_PAIRS = frozenset(pickle.GLOBAL + pickle.INST)
"""Opcodes with two lines of text."""
_CONTAINERS = frozenset(b"])}ltd\x85\x86\x87\x8f\x91")

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
            self._place, f"the pickle refers to an outside object {shown(pid)}", "plain values only"
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
    content, place = path.read_bytes(), str(path)
    try:
        _refuse_bomb(content, place)
        try:
            return _PlainUnpickler(content, encoding="ASCII", place=place).load()
        except UnicodeDecodeError:
            return _PlainUnpickler(content, encoding="latin-1", place=place).load()
    except _BROKEN as broken:
        raise AnnotationError(
            place, f"not a readable pickle ({broken})", remedy="fetch the file again"
        ) from broken


def _refuse_bomb(content: bytes, place: str) -> None:
    """Walk the opcodes, and refuse what would take memory without content.

    Raises:
        AnnotationError: On a memo index beyond the values so far, a length beyond the file's end
            or too many containers.
        ValueError: On a memo index that is no number.
    """
    at = kept = containers = 0
    while at < len(content):
        code = content[at]
        size = _ARGUMENTS.get(code)
        if size is None or code == pickle.STOP[0]:
            break  # what is no opcode, the unpickler names
        at += 1
        if code in _CONTAINERS:
            containers += 1
        if size == pickletools.UP_TO_NEWLINE:
            line = at
            for _ in range(2 if code in _PAIRS else 1):
                at = _end(content.find(b"\n", at) + 1, content, place)
            if code == pickle.PUT[0]:
                kept = _kept(kept, int(content[line : at - 1].decode("latin-1")), place)
        elif size < 0:
            head = at + _LENGTHS[size]
            at = _end(head + int.from_bytes(content[at:head], "little"), content, place)
        else:
            if code == pickle.BINPUT[0] or code == pickle.LONG_BINPUT[0]:
                kept = _kept(kept, int.from_bytes(content[at : at + size], "little"), place)
            at += size
    if containers > MAX_CONTAINERS:
        raise AnnotationError(place, f"{containers:,} containers", f"at most {MAX_CONTAINERS:,}")


def _end(at: int, content: bytes, place: str) -> int:
    """The end of an argument, which must lie in the file."""
    if not 0 < at <= len(content):
        raise AnnotationError(
            place, "not a readable pickle (cut off)", remedy="fetch the file again"
        )
    return at


def _kept(kept: int, index: int, place: str) -> int:
    """Count memo entries after one more at ``index``.

    Pickle's writers count up by one; an index far beyond would make the reader fill memory.
    """
    if index > kept + _SPARE:
        raise UnsafePickleError(
            place,
            f"memo entry {index:,} after {kept:,}",
            "entries in order",
            "do not load it; fetch the file again from its authors and compare the digests",
        )
    return kept + 1
