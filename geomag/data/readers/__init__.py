"""One reader per benchmark; each reads the real download layout."""

from geomag.data.readers.registry import Reader, read_benchmark, reader_for

__all__ = ["Reader", "read_benchmark", "reader_for"]
