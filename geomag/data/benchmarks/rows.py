"""Rows of annotation files as types, which pydantic checks in one pass whatever their number.

A row is a `TypedDict`; keys that its type does not name are left out. As a pydantic model each
would take three to four times as long (docs/decisions/0121-rows-of-readers.md).
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import FailFast, TypeAdapter, ValidationError

from geomag.errors import AnnotationError, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

R = TypeVar("R")

_TYPES = {
    "bool_type": "bool",
    "float_type": "float",
    "int_type": "int",
    "list_type": "list",
    "string_type": "str",
}
"""What is wanted, by pydantic's name of the fault that something of another type stands there."""


def row_of(kind: type[R], value: Any, *, place: str) -> R:
    """One object as a row; a value is taken as it is or refused, never converted.

    Raises:
        AnnotationError: On a missing key or a wrong value, with what was found and what is wanted.
    """
    return rows_of(kind, [value], place=lambda _: place)[0]


def rows_of(kind: type[R], values: Sequence[Any], *, place: Callable[[int], str]) -> list[R]:
    """All objects of a table as rows; ``place`` names one by its position, for messages.

    Raises:
        AnnotationError: As `row_of`, for the first row that is wrong.
    """
    row: Any = kind
    try:
        rows: list[R] = _table(row).validate_python(values, strict=True)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        position, *path = first["loc"]
        raise _error(first, path, place(int(position))) from wrong
    return rows


@cache
def _table(kind: Any) -> TypeAdapter[list[Any]]:
    return TypeAdapter(Annotated[list[kind], FailFast()])


def _error(fault: "ErrorDetails", path: list[int | str], place: str) -> AnnotationError:
    value, kind, key = fault["input"], fault["type"], path[-1] if path else ""
    if kind == "missing":
        return AnnotationError(
            _named(place, path[:-1]), f"keys {sorted(map(str, value))}", f"a key {key!r}"
        )
    where = _named(place, path)
    if kind == "dict_type":
        return AnnotationError(where, f"a {type(value).__name__}", "an object with keys")
    if kind in _TYPES:
        return AnnotationError(where, shown(value), f"a value of type {_TYPES[kind]}")
    wanted = fault["ctx"]["expected"] if kind == "literal_error" else fault["msg"]
    return AnnotationError(where, shown(value), wanted)


def _named(place: str, path: list[int | str]) -> str:
    return place + "".join(f"[{one}]" if isinstance(one, int) else f", {one}" for one in path)
