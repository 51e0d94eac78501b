"""Broken files of each kind, and the command line run as a user meets it, without a new process."""

import contextlib
import io
import sys
from pathlib import Path

from geomag.cli.main import main

KINDS = {
    "utf16": '{"id": "3"}'.encode("utf-16"),
    "latin1": '{"id": "caf\xe9"}\n'.encode("latin-1"),
    "cut": b'{"id": ["',
    "deep": b"[" * 100_000,
    "digits": b'{"id": ' + b"9" * 5_000 + b"}\n",
    "zeros": bytes(1_000),
}
"""What stands in place of a text file, by what is wrong with it."""


def geomag(folder: Path, *arguments: object, monkeypatch) -> tuple[int, str]:
    """Exit code and what was printed; an error that the boundary lets through is raised here."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["geomag", *map(str, arguments)])
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
