"""Bytes on disk against versions of DVC; every file is read once, however many cells rest on it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from geomag.evaluate.verify.links import Absence, Break, Finding
from geomag.io import file_digest
from geomag.versions import folder_md5s, listing, tracked_md5, tracked_tree, tree_md5

DATA = "data"


def not_on_disk(path: str) -> Absence:
    """What a fresh clone has not fetched yet."""
    return Absence(f"{path} is not on disk: dvc checkout, or dvc pull, brings it")


class Disk:
    """The files of a project as they are now."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._md5s = cache(self._read)
        self._pointer = cache(lambda: tracked_md5(root, DATA))
        self._tracked = cache(lambda: tracked_tree(root, DATA))

    def md5(self, path: str) -> str:
        """DVC's md5 of a file or folder as it lies there; empty if it does not."""
        found = self._md5s(path)
        if found is None:
            return ""
        return found[""] if "" in found else tree_md5(found.items())

    def compare(
        self, path: str, wanted: str, stage: str, remedy: str, *, may_lack: bool = True
    ) -> Iterator[Finding]:
        """Whether a path has the version that a stage of ``dvc.lock`` records for it.

        Args:
            path: File or folder, relative to the project root.
            wanted: DVC's md5.
            stage: Whose record that is.
            remedy: What to do if it differs.
            may_lack: Whether a path that is not on disk is merely absent, as after a fresh clone.
        """
        now = self.md5(path)
        if now == wanted:
            return
        if not now and may_lack:
            yield not_on_disk(path)
            return
        known = f"which stage {stage} of dvc.lock records"
        entries = listing(self.root, wanted) if wanted.endswith(".dir") else None
        yield from self._files(path, dict(entries or ()), known, remedy, is_known=bool(entries))
        found = f"md5 {now}" if now else "nothing"
        yield Break(path, found, f"md5 {wanted or 'unknown'}, {known}", remedy)

    def tracked(self, benchmark: str, remedy: str) -> Iterator[Finding]:
        """Whether ``data/<benchmark>`` is what ``data.dvc`` tracks."""
        if not self._pointer():
            yield Absence("data.dvc is not there: dvc.lock alone tells the version of data/")
            return
        if self._md5s(f"{DATA}/{benchmark}") is None:
            yield not_on_disk(f"{DATA}/{benchmark}")
            return
        tree = self._tracked()
        if tree is None or tree_md5(tree) != self._pointer():
            if (now := self.md5(DATA)) != self._pointer():
                found = f"md5 {self._pointer()}, whose listing DVC's cache does not have"
                yield Break("data.dvc", found, f"md5 {now}, of data/ on disk", remedy)
            return
        inside = {
            name.removeprefix(f"{benchmark}/"): md5
            for name, md5 in tree
            if name.startswith(f"{benchmark}/")
        }
        known = "which data.dvc tracks"
        yield from self._files(f"{DATA}/{benchmark}", inside, known, remedy, is_known=True)

    def _files(
        self, path: str, wanted: dict[str, str], known: str, remedy: str, *, is_known: bool
    ) -> Iterator[Break]:
        """The first file of a folder that differs from its listing."""
        now = self._md5s(path) or {}
        for name in sorted(now.keys() | wanted.keys()) if is_known else ():
            found, recorded = now.get(name), wanted.get(name)
            if found != recorded:
                place = f"{path}/{name}"
                told = f"md5 {recorded}, {known}" if recorded else f"no such file, {known}"
                yield Break(place, f"md5 {found}" if found else "no such file", told, remedy)
                return

    def _read(self, path: str) -> dict[str, str] | None:
        """md5 by relative path; of a file, under the empty path; None if nothing is there."""
        place = self.root / path
        if place.is_file():
            return {"": file_digest(place, "md5")}
        return dict(folder_md5s(place)) if place.is_dir() else None
