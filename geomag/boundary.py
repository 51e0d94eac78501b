"""Where errors of the system become messages: the last frame before the user.

What a file holds is named where it is read (`geomag.parse`). Here are the errors that any read or
write may end with: no space, no right, a file in place of a folder, a locked database, no memory.
"""

import errno
import sqlite3

from geomag.errors import GeoMagError, ToolError, of_system


def told(error: BaseException) -> GeoMagError | None:
    """The error as one that a user can act on; None where it is our fault."""
    if isinstance(error, GeoMagError):
        return error
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        return of_system(error)
    if isinstance(error, sqlite3.Error):
        return ToolError(
            "SQLite", str(error), remedy="look at the free space and who uses the file"
        )
    if isinstance(error, MemoryError):
        return ToolError(
            "memory",
            str(error) or "not enough of it",
            remedy="free some, or give smaller inputs, batches or tiles",
        )
    if isinstance(error, UnicodeEncodeError):
        return GeoMagError(
            f"a text with {error.object[error.start : error.end]!a}",
            "half of a character, which no UTF-8 file can hold",
            "whole characters",
            "replace it in the input",
        )
    return None
