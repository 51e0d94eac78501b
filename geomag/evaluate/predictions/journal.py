"""Rows of predictions as they are made, on the disk before the next batch is computed.

A journal is a text file: its head, one JSON object of what the rows were made from, then a row a
line, as ``INDEX<tab>JSON``. INDEX is the record's place among the benchmark's test records image
by image, which is the order of a predictions file. While it grows it has a name that no reader
matches and is locked (`geomag.partial`). A killed run leaves it; the next one of the same identity
keeps its whole batches and goes on, and so repeats one batch at most. A finished shard is a
journal too.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from geomag.errors import ConfigError, PredictionError, of_system
from geomag.evaluate.predictions.plan import WHOLE, Shard
from geomag.partial import resumed_file
from geomag.resume import CODE, differing, of_other_code

KIND = "geomag predictions"
SYNC_S = 5.0
"""Seconds of work that a machine which loses its power may lose; a killed process loses none."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the rows of a journal were made from, and which of them it is to hold."""

    identity: Mapping[str, str]
    """Digests by name (`geomag.evaluate.predictions.identity`)."""
    n_records: int
    """Number of records of all shards together."""
    shard: Shard = WHOLE

    def line(self) -> bytes:
        """First line of the file."""
        tree: dict[str, Any] = {"kind": KIND, "identity": dict(self.identity)}
        tree |= {"n_records": self.n_records, "shard": str(self.shard)}
        return json.dumps(tree, sort_keys=True).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> "Head | None":
        """The head that a first line holds; None where it is not one, or was cut."""
        try:
            tree = json.loads(line) if line.endswith(b"\n") else {}
            if tree["kind"] != KIND:
                return None
            identity = {str(name): str(value) for name, value in tree["identity"].items()}
            return cls(identity, int(tree["n_records"]), Shard.parse(tree["shard"]))
        except (ValueError, KeyError, TypeError, AttributeError, ConfigError):
            return None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the JSON of a row lies in a file."""

    file: Path
    start: int
    size: int


class Journal:
    """The rows that are known of a prediction, and the file that new ones go to."""

    def __init__(self, file: BinaryIO, path: Path, rows: dict[int, Place]) -> None:
        self._file, self._path = file, path
        self._synced = time.monotonic()
        self.rows = rows
        """Places of the known rows by index."""

    def add(self, indices: Sequence[int], rows: Iterable[Mapping[str, Any]]) -> None:
        """Append a batch's rows, each as it comes."""
        for index, row in zip(indices, rows, strict=True):
            content = json.dumps(row, ensure_ascii=False, sort_keys=True).encode() + b"\n"
            head = f"{index}\t".encode()
            self.rows[index] = Place(self._path, self._file.tell() + len(head), len(content))
            self._file.write(head + content)
        self._file.flush()
        if time.monotonic() - self._synced > SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Wait until the disk has all rows."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def finish(self, path: Path) -> None:
        """Give the journal the name of a finished shard."""
        self.sync()
        self._path.replace(path)

    def contents(self) -> Iterator[bytes]:
        """JSON lines of all known rows, in order of their indices."""
        self._file.flush()
        yield from in_order(self.rows)


@contextmanager
def open_journal(
    path: Path, head: Head, batches: Sequence[Sequence[int]], log: Callable[[str], None]
) -> Iterator[Journal]:
    """Open the journal beside ``path``, with the whole batches that a killed run has left in it.

    Rows of other settings, weights or records are dropped with a word about it. The journal is
    removed when the block ends well; after an error it stays, if it has a row.

    Args:
        path: What the finished rows will be.
        head: What they are made from now.
        batches: Of indices, in the order they are computed.
        log: Takes what was found.

    Raises:
        ResumeError: If there are rows of the same settings and inputs that other code has made.
        ToolError: If the disk is full.
    """
    with resumed_file(path) as temporary, temporary.open("r+b") as file:
        try:
            rows = _resumed(file, temporary, head, batches, log)
            journal = Journal(file, temporary, rows)
            try:
                yield journal
            except BaseException:
                _leave(journal, file)
                raise
        except OSError as failed:
            if failed.filename is None or str(failed.filename) == str(temporary):
                raise of_system(failed, str(path)) from failed
            raise


def _leave(journal: Journal, file: BinaryIO) -> None:
    """Keep what was computed for the next run; a journal without a row is removed as empty."""
    if journal.rows:
        journal.sync()
    else:
        file.truncate(0)


def _resumed(
    file: BinaryIO,
    place: Path,
    head: Head,
    batches: Sequence[Sequence[int]],
    log: Callable[[str], None],
) -> dict[int, Place]:
    """Rows of whole batches that may be kept; the file is cut after them."""
    made = Head.parse(file.readline())
    found = [] if made is None else list(_rows(file, place))
    rows = _whole(found, batches)
    if made is not None and rows:
        other = differing(made.identity, head.identity)
        if other == [CODE]:
            raise of_other_code(str(place), made.identity, head.identity, remove=str(place))
        if other or (made.n_records, made.shard) != (head.n_records, head.shard):
            log(f"{len(found)} rows of another {', '.join(other) or 'shard'} are dropped")
            rows = {}
        else:
            log(f"{len(rows)} rows are known already, {len(found) - len(rows)} are made again")
    if not rows:
        file.seek(0)
        file.truncate()
        file.write(head.line())
    end = max((one.start + one.size for one in rows.values()), default=file.tell())
    file.seek(end)
    file.truncate()
    return rows


def _whole(
    found: Sequence[tuple[int, Place]], batches: Sequence[Sequence[int]]
) -> dict[int, Place]:
    """The rows of the first batches that are there to the last row."""
    kept: dict[int, Place] = {}
    for batch in batches:
        part = found[len(kept) : len(kept) + len(batch)]
        if [index for index, _ in part] != list(batch):
            break
        kept.update(part)
    return kept


def _rows(file: BinaryIO, place: Path) -> Iterator[tuple[int, Place]]:
    """Rows from where ``file`` stands, up to the first that was not written to its end."""
    start = file.tell()
    for line in file:
        index, _, content = line.partition(b"\t")
        is_whole = index.isdigit() and content[:1] == b"{" and content[-2:] == b"}\n"
        if not is_whole or b"\0" in content:  # zeros: a block that the disk never had
            return
        yield int(index), Place(place, start + len(index) + 1, len(content))
        start += len(line)


def read_journal(path: Path) -> tuple[Head, dict[int, Place]]:
    """Head and rows of a finished shard.

    Raises:
        PredictionError: If the file is no shard, is cut, or has a row twice.
    """
    remedy = "a file that `geomag predict --shard` wrote"
    with path.open("rb") as file:
        head = Head.parse(file.readline())
        if head is None:
            raise PredictionError(str(path), "no shard of predictions", remedy)
        found = list(_rows(file, path))
        rows = dict(found)
        end = max((one.start + one.size for one in rows.values()), default=file.tell())
        if end != path.stat().st_size or len(rows) != len(found):
            raise PredictionError(str(path), f"not whole after {len(rows)} rows", remedy)
    return head, rows


def in_order(rows: Mapping[int, Place]) -> Iterator[bytes]:
    """JSON lines of rows in order of their indices."""
    files: dict[Path, BinaryIO] = {}
    try:
        for _, one in sorted(rows.items()):
            if one.file not in files:
                files[one.file] = one.file.open("rb")
            files[one.file].seek(one.start)
            yield files[one.file].read(one.size)
    finally:
        for file in files.values():
            file.close()
