"""What could not be delivered to the tracker yet, as files under ``work/mlflow-spool/``."""

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

UNTOUCHED_S = 60
"""Age from which a queue without a first entry was left by a killed process."""
Entry = dict[str, Any]
"""One thing to log: ``op`` names it, the rest are its values; the last ``op`` is ``end``."""


class OfflineQueue:
    """The entries of one run, a folder with ``entries.jsonl`` and the files they point at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, root: Path) -> "OfflineQueue":
        """A new, empty queue under the project ``root``; names sort by age."""
        folder = root / "work" / "mlflow-spool" / f"{time.time_ns()}-{os.getpid()}"
        folder.mkdir(parents=True)
        return cls(folder)

    @classmethod
    def all(cls, root: Path) -> "list[OfflineQueue]":
        """Every queue of the project, oldest first."""
        return [cls(folder) for folder in sorted((root / "work" / "mlflow-spool").glob("*-*"))]

    @classmethod
    def waiting(cls, root: Path) -> "list[OfflineQueue]":
        """Queues that nobody writes to any more, oldest first."""
        return [queue for queue in cls.all(root) if queue.is_complete() or queue.is_abandoned()]

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
        """The entries in the order they were added, each with its file's bytes.

        A process that was killed as it wrote may leave half a line, which ends them.
        """
        for entry in self._read():
            name = entry.pop("content", "")
            yield entry, (self.folder / name).read_bytes() if name else b""

    def is_complete(self) -> bool:
        """Whether the run it belongs to has ended."""
        return any(entry["op"] == "end" for entry in self._read())

    def is_abandoned(self) -> bool:
        """Whether the process that wrote it is gone and never ended the run."""
        first = next(self._read(), None)
        if first is not None:
            return not is_alive(first.get("tags", {}).get("owner", ""))
        since, _, pid = self.folder.name.partition("-")
        is_old = time.time_ns() - int(since) > UNTOUCHED_S * 10**9
        return is_old and not is_alive(f"{socket.gethostname()}:{pid}")

    def __str__(self) -> str:
        rows = list(self._read())
        stage = rows[0]["tags"].get("dvc.stage", rows[0]["stage"]) if rows else "no stage"
        since = datetime.fromtimestamp(int(self.folder.name.partition("-")[0]) / 1e9)
        state = "its process is at work"
        if self.is_complete():
            state = "the run has ended"
        elif self.is_abandoned():
            state = "its process was killed"
        return f"{stage}, {len(rows)} entries since {since:%Y-%m-%d %H:%M}: {state}"

    def _read(self) -> Iterator[Entry]:
        path = self.folder / "entries.jsonl"
        if path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:
                    return

    def remove(self) -> None:
        """Forget a queue that was delivered."""
        shutil.rmtree(self.folder)


def is_alive(owner: str) -> bool:
    """Whether the process of an ``owner`` tag may still run; another host's is taken to."""
    host, _, pid = owner.rpartition(":")
    if not pid.isdigit():
        return False
    return host != socket.gethostname() or Path(f"/proc/{pid}").exists()
