"""Where a benchmark is published, and its files from the hub where they lie there."""

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

from geomag.data.benchmarks import Benchmark
from geomag.errors import AnnotationError, OutputError
from geomag.fetch.hub import MARKER, fetch
from geomag.fetch.sources import data_of
from geomag.io import inside
from geomag.manifest import publish


def where(spec: Benchmark) -> str:
    """One line: place, licence, and whether `geomag fetch` takes it from there."""
    taken = "fetched from the hub" if spec.hub else "to be fetched by you"
    return f"{spec.name}: {spec.published} ({spec.licence}); {taken}"


def fetch_data(spec: Benchmark, data: Path, downloads: Path, *, log: Callable[[str], None]) -> bool:
    """Fetch a benchmark that is on the hub, and unpack its archives into ``data/NAME``.

    Args:
        spec: The benchmark.
        data: Folder of the benchmarks.
        downloads: Keeps what was fetched, archives and all.
        log: Takes progress lines.

    Returns:
        Whether it is on the hub.

    Raises:
        OutputError: If the benchmark's folder has something in it.
        AnnotationError: If an archive would write outside its folder.
    """
    log(where(spec))
    source = data_of(spec)
    if source is None:
        return False
    out = data / spec.name
    if out.exists() and any(out.iterdir()):
        raise OutputError(
            str(out), "something lies there", "an empty place", "move it away, or leave it"
        )
    kept = downloads / spec.name
    fetch(source, kept, log=log)
    with publish(out) as folder:
        for file in sorted(path for path in kept.rglob("*") if path.is_file()):
            name = file.relative_to(kept)
            if file.suffix == ".zip":
                unpack(file, folder / name.parent)
            elif file.name not in (MARKER, ".gitattributes", "README.md"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(file.read_bytes())
    log(f"{out}: unpacked; now geomag data check {spec.name}")
    return True


def unpack(archive: Path, out: Path) -> None:
    """Unpack a zip file; nothing is written outside ``out``.

    Raises:
        AnnotationError: On a broken archive, a path out of it, or a link in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                place = f"{archive}, {entry.filename}"
                target = inside(out, entry.filename.rstrip("/") or ".", place=place)
                if stat.S_ISLNK(entry.external_attr >> 16):
                    raise AnnotationError(place, "a link", "plain files and folders")
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(entry) as read, target.open("wb") as write:
                    while chunk := read.read(1 << 20):
                        write.write(chunk)
    except zipfile.BadZipFile as broken:
        raise AnnotationError(str(archive), "no whole zip file", "", "fetch it again") from broken
