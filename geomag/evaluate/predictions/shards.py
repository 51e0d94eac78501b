"""Finished shards: found by whoever predicts the whole, or put together by themselves."""

from collections.abc import Callable, Sequence
from pathlib import Path

from geomag.errors import PredictionError
from geomag.evaluate.predictions.journal import Head, Place, in_order, read_journal
from geomag.evaluate.predictions.plan import Shard
from geomag.io import atomic_path, visible
from geomag.resume import differing

SUFFIX = ".shard"
"""No reader of predictions matches it."""


def shard_file(folder: Path, arm: str, shard: Shard) -> Path:
    """Where a shard of an arm lies.

    >>> shard_file(Path("aid"), "plain", Shard(2, 4)).as_posix()
    'aid/plain.2-of-4.shard'
    """
    return folder / f"{arm}.{shard.number}-of-{shard.count}{SUFFIX}"


def shard_files(folder: Path, arm: str) -> list[Path]:
    """Finished shards of an arm, however many it was divided into."""
    return visible(folder, f"{arm}.*-of-*{SUFFIX}")


def finished_rows(
    folder: Path, arm: str, head: Head, log: Callable[[str], None]
) -> dict[int, Place]:
    """Rows of the finished shards that were made from the same as ``head``; others are left out."""
    rows: dict[int, Place] = {}
    for file in shard_files(folder, arm):
        made, found = read_journal(file)
        if other := differing(made.identity, head.identity):
            log(f"{file.name} is of another {', '.join(other)} and left out")
        else:
            rows.update(found)
            log(f"{file.name}: {len(found)} rows")
    return rows


def merge_shards(files: Sequence[Path], out: Path) -> int:
    """Put shards together to the predictions file of one pass; returns its number of rows.

    Raises:
        PredictionError: If a file is no shard, one is missing or there twice, or they were made
            from different things.
    """
    read = {file: read_journal(file) for file in files}
    (first, (head, _)), *others = read.items()
    for file, (other, _) in others:
        what = differing(other.identity, head.identity)
        if other.shard.count != head.shard.count:
            what = [f"division ({other.shard}, and {first.name} is {head.shard})", *what]
        if what:
            raise PredictionError(
                str(file), f"of another {', '.join(what)}", f"shards of one prediction, as {first}"
            )
    owner: dict[int, Path] = {}
    for file, (one, _) in read.items():
        if one.shard.number in owner:
            raise PredictionError(
                str(file),
                f"shard {one.shard}, which {owner[one.shard.number]} is already",
                "each shard once",
            )
        owner[one.shard.number] = file
    count = head.shard.count
    if missing := [str(Shard(n, count)) for n in range(1, count + 1) if n not in owner]:
        raise PredictionError(
            ", ".join(map(str, files)),
            f"no shard {', '.join(missing)}",
            f"all {count} shards",
            f"run `geomag predict` with --shard {missing[0]}",
        )
    rows = {index: place for _, found in read.values() for index, place in found.items()}
    if len(rows) != head.n_records:
        found = f"{len(rows)} rows for {head.n_records} records"
        raise PredictionError(", ".join(map(str, files)), found, "a row for each record")
    write_rows(rows, out)
    return len(rows)


def write_rows(rows: dict[int, Place], out: Path) -> None:
    """Write the JSON lines of rows in order, atomically."""
    with atomic_path(out) as temporary, temporary.open("wb") as written:
        written.writelines(in_order(rows))
