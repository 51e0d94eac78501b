"""What could not be delivered to the tracker yet, as files under ``work/mlflow-spool/``."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geomag.io import read_jsonl

Entry = dict[str, Any]
"""One thing to log: ``op`` names it, the rest are its values; the last ``op`` is ``end``."""


class Spool:
    """The entries of one run, a folder with ``entries.jsonl`` and the files they point at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, root: Path) -> "Spool":
        """A new, empty spool under the project ``root``; names sort by age."""
        folder = root / "work" / "mlflow-spool" / f"{time.time_ns()}-{os.getpid()}"
        folder.mkdir(parents=True)
        return cls(folder)

    @classmethod
    def waiting(cls, root: Path) -> "list[Spool]":
        """Spools whose last entry was written, oldest first."""
        folders = sorted((root / "work" / "mlflow-spool").glob("*-*"))
        return [spool for spool in map(cls, folders) if spool.is_complete()]

    def add(self, entry: Entry, content: bytes = b"") -> None:
        """Append one entry, with its file's bytes if it has one, and see it on disk."""
        if content:
            name = f"{len(list(self.folder.iterdir())):05d}"
            (self.folder / name).write_bytes(content)
            entry = {**entry, "content": name}
        with (self.folder / "entries.jsonl").open("a", encoding="utf-8") as out:
            out.write(json.dumps(entry, ensure_ascii=False) + "\n")
            out.flush()
            os.fsync(out.fileno())

    def entries(self) -> Iterator[tuple[Entry, bytes]]:
        """The entries in the order they were added, each with its file's bytes."""
        for entry in read_jsonl(self.folder / "entries.jsonl"):
            name = entry.pop("content", "")
            yield entry, (self.folder / name).read_bytes() if name else b""

    def is_complete(self) -> bool:
        """Whether the run it belongs to has ended."""
        path = self.folder / "entries.jsonl"
        if not path.is_file():
            return False
        last = path.read_text(encoding="utf-8").rstrip("\n").rpartition("\n")[2]
        try:
            return bool(json.loads(last)["op"] == "end")
        except (json.JSONDecodeError, KeyError, TypeError):
            return False

    def remove(self) -> None:
        """Forget a spool that was delivered."""
        shutil.rmtree(self.folder)
