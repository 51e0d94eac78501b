"""Text files as data: UTF-8, JSON, YAML, CSV and XML, each fault named by file, line or byte.

The one place where decoding and parsing errors become errors that a user can act on.
"""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from geomag.errors import AnnotationError, ConfigError, GeoMagError

_BOM = b"\xef\xbb\xbf"
LFS_POINTER = b"version https://git-lfs"
"""How the text begins that a clone without Git LFS leaves in place of a file."""
LFS_REMEDY = "git lfs pull, where it came from"
_AGAIN = "fetch the file again"


def decode(raw: bytes, place: str, *, start: int = 0) -> str:
    """UTF-8 bytes as text; a byte order mark is dropped.

    Args:
        raw: All of a file, or a line of it.
        place: The file, and the line if there is one, for messages.
        start: Bytes of the file before ``raw``.

    Raises:
        AnnotationError: Naming the first byte that is not UTF-8, or a Git LFS pointer.
    """
    if not start and raw.startswith(LFS_POINTER):
        raise AnnotationError(place, "a Git LFS pointer", "the file itself", LFS_REMEDY)
    try:
        return (raw if start else raw.removeprefix(_BOM)).decode("utf-8")
    except UnicodeDecodeError as foreign:
        skipped = len(raw) - len(foreign.object)
        raise AnnotationError(
            f"{place}, byte {start + skipped + foreign.start}",
            f"not UTF-8 (0x{foreign.object[foreign.start]:02x})",
            "UTF-8 text",
            "save the file as UTF-8",
        ) from foreign


def read_text(path: Path) -> str:
    """A whole text file in UTF-8, its lines ended by a line feed whatever ends them there.

    Raises:
        AnnotationError: If it is missing or not UTF-8.
    """
    text = decode(read_bytes(path), str(path))
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def read_bytes(path: Path) -> bytes:
    """A whole file; raises `AnnotationError` if it is missing or a folder."""
    try:
        return path.read_bytes()
    except FileNotFoundError as missing:
        raise AnnotationError(str(path), "no such file") from missing
    except (IsADirectoryError, NotADirectoryError) as folder:
        raise AnnotationError(str(path), "not a file", "a file") from folder


def parse_json(text: str, place: str) -> Any:
    """The value of a JSON text.

    Raises:
        AnnotationError: If it is not JSON, is nested too deeply or holds a number too long.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as broken:
        raise AnnotationError(place, f"not JSON ({broken})", remedy=_AGAIN) from broken
    except RecursionError as deep:
        raise AnnotationError(place, "JSON nested too deeply", remedy=_AGAIN) from deep
    except ValueError as huge:  # more digits than Python reads
        raise AnnotationError(place, f"not readable JSON ({huge})", remedy=_AGAIN) from huge


def read_yaml(path: Path) -> Any:
    """The value of a YAML file; None where it is empty.

    Raises:
        ConfigError: Naming the line that is not YAML.
        AnnotationError: If it is missing or not UTF-8.
    """
    text = read_text(path)
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise ConfigError(
            place,
            f"not YAML ({broken.problem or broken.context})",
            "settings as `key: value`",
            "look at the indentation, brackets and quotes of that line and the one before",
        ) from broken
    except (yaml.YAMLError, ValueError) as broken:  # a control character, a date like 2001-99-99
        raise ConfigError(str(path), f"not YAML ({broken!s:.200})") from broken
    except RecursionError as deep:
        raise ConfigError(str(path), "YAML nested too deeply") from deep


def read_csv(path: Path, columns: set[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a CSV with a head line, each with its place; cells are as they stand.

    Args:
        path: The file.
        columns: Names that its head line must have; it may have others.

    Raises:
        AnnotationError: On a missing or double column, a line with more or fewer cells than the
            head, or a cell without an end.
    """
    text = decode(read_bytes(path), str(path))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = next(reader, [])
        if not columns <= set(head) or len(set(head)) != len(head):
            wanted = f"the columns {', '.join(sorted(columns))}, each once"
            raise AnnotationError(str(path), f"columns {head}"[:200], wanted)
        for row in reader:
            place = f"{path}, line {reader.line_num}"
            if not row:
                continue
            if len(row) != len(head):
                raise AnnotationError(
                    place, "another number of cells than the head", f"{len(head)} cells"
                )
            yield place, dict(zip(head, row, strict=True))
    except csv.Error as broken:
        raise AnnotationError(
            f"{path}, line {reader.line_num}",
            f"not CSV ({broken})",
            "cells of at most 131,072 characters",
            "look for a quote that is not closed",
        ) from broken


def csv_columns(path: Path) -> set[str]:
    """The names in a CSV's head line; none where that is no line of a CSV."""
    try:
        return set(next(csv.reader(read_text(path).splitlines()[:1], strict=True), []))
    except csv.Error:
        return set()


def read_xml(path: Path) -> Any:
    """The root element of an XML file without document type or entities.

    Raises:
        AnnotationError: If it declares one, is not XML or in an encoding that nobody knows.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    raw = read_bytes(path)
    try:
        return fromstring(raw, forbid_dtd=True)
    except DefusedXmlException as unsafe:
        raise AnnotationError(
            str(path), f"declares a document type or entities ({unsafe})", "plain XML"
        ) from unsafe
    except ParseError as broken:
        raise AnnotationError(str(path), f"not XML ({broken})", remedy=_AGAIN) from broken
    except (LookupError, ValueError) as foreign:
        raise AnnotationError(
            str(path), f"not XML that can be read ({foreign})", "XML in UTF-8", "save it as UTF-8"
        ) from foreign


def mapping(value: Any, place: str, kind: type[GeoMagError] = AnnotationError) -> dict[str, Any]:
    """The value, which must be an object with keys."""
    if not isinstance(value, dict):
        raise kind(place, f"a {type(value).__name__}", "an object with keys")
    return value
