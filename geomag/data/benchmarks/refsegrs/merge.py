"""A drop joined to RefSegRS."""

from pathlib import Path

from geomag.data.benchmarks.merge_lines import conflict, read_lines, write_joined_lines
from geomag.data.benchmarks.refsegrs.reader import READER
from geomag.errors import AnnotationError


def merge(base: Path, drop: Path, out: Path) -> tuple[str, ...]:
    """Lines of ``output_phrase_<split>.txt`` by their id, which one split has once."""
    names = [path.relative_to(base).as_posix() for path in READER.sources(base)]
    known = {id_: (name, line) for name in names for id_, line in _by_id(base / name)}
    written = []
    for name in names:
        lines = read_lines(base / name)
        for id_, line in _by_id(drop / name) if (drop / name).is_file() else ():
            if id_ not in known:
                known[id_] = name, line
                lines.append(line)
            elif known[id_] != (name, line):
                raise conflict(f"{name} of the drop", f"id {id_}", known[id_][0])
        write_joined_lines(base / name, out / name, lines)
        written.append(name)
    if not any((drop / name).is_file() for name in names):
        raise AnnotationError(str(drop), f"none of {', '.join(names)}", "the layout of refsegrs")
    return tuple(written)


def _by_id(path: Path) -> list[tuple[str, str]]:
    """Id and line; one that is no record is left to the reader, which names it."""
    return [(line.partition(" ")[0], line) for line in read_lines(path)]
