"""Errors a user can act on: where it is, what was found, what was wanted, what to do.

A `GeoMagError` ends a command with exit code 2 and one message, without a traceback.
Anything else is our fault and ends it with exit code 1.
"""

import errno
import reprlib
from dataclasses import dataclass

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, 60, 60
_SHOWN = 100


def shown(value: object) -> str:
    """How a value found in data stands in a message: short, whatever its size.

    `repr` takes for ever on lists that hold each other many times, and refuses huge numbers.

    >>> shown(["a"] * 1000), shown("x" * 1000)[-9:]
    ("['a', 'a', 'a', 'a', 'a', 'a', ...]", "xxxxxxxx'")
    """
    try:
        return _SHORT.repr(value)[:_SHOWN]
    except ValueError:  # more digits than Python spells
        return f"{type(value).__name__} with very many digits"


@dataclass(eq=False)
class GeoMagError(Exception):
    """The user's input is wrong, and this says how to mend it.

    >>> str(GeoMagError("instances.json, annotation 7", "no segmentation", remedy="fetch it"))
    'instances.json, annotation 7: no segmentation. Remedy: fetch it'
    """

    place: str
    """File, record and field, as the user would look for it."""
    found: str
    """What stands there."""
    wanted: str = ""
    """What should stand there."""
    remedy: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        parts = [f"{self.place}: {self.found}"]
        if self.wanted:
            parts.append(f"Wanted: {self.wanted}")
        if self.remedy:
            parts.append(f"Remedy: {self.remedy}")
        return ". ".join(parts)


class ConfigError(GeoMagError):
    """A profile or parameter has an unknown key, a wrong type or a value out of range."""


class AnnotationError(GeoMagError):
    """A benchmark's files break their own format; names the file and the record."""


class UnsafePathError(AnnotationError):
    """A path in data points outside its root, or is a link."""


class UnsafePickleError(AnnotationError):
    """A pickle asks for a class or a function; refused before anything runs."""


class ImageError(GeoMagError):
    """An image cannot be read, is too large, or has a band layout we cannot use."""


class PredictionError(GeoMagError):
    """A predictions file has duplicate or unknown ids, or a mask of another size."""


class WeightsError(GeoMagError):
    """Weights are missing, incomplete, of another model, or fail their digest."""


class ResumeError(GeoMagError):
    """A checkpoint belongs to another configuration, data version or code version."""


class OutputError(GeoMagError):
    """An output would replace or remove what is not ours, or an input."""


class ToolError(GeoMagError):
    """Something the machine should have (Java, a GPU, disk space) is missing."""


_REMEDIES = {
    errno.ENOSPC: "free some space and run it again; nothing was left half-written",
    errno.EDQUOT: "free some of your quota and run it again; nothing was left half-written",
    errno.EROFS: "name a place that can be written",
    errno.EACCES: "name a place that you may use, or ask for the right",
    errno.EPERM: "name a place that you may use, or ask for the right",
    errno.ENOTDIR: "a file stands where a folder should: move it away",
    errno.EEXIST: "a file stands where a folder should: move it away",
    errno.EISDIR: "a folder stands where a file should: name the file",
    errno.EMFILE: "raise the limit with ulimit -n",
    errno.ENAMETOOLONG: "name something shorter",
}


def of_system(error: OSError, place: str = "") -> ToolError:
    """What the operating system said, as an error that a user can act on.

    Args:
        error: From any read or write.
        place: What was read or written, where the error does not say it.
    """
    named = place or (str(error.filename) if error.filename is not None else "a file")
    if error.filename2 is not None and not place:
        named = f"{named} -> {error.filename2}"
    said = error.strerror or str(error) or type(error).__name__
    return ToolError(named, said, remedy=_REMEDIES.get(error.errno or 0, ""))
