"""What the profile reads: the benchmarks it chooses, and the pretrained weights it names."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from geomag.config import Profile
from geomag.data.benchmarks import BENCHMARKS, chosen_benchmarks
from geomag.data.layouts.marker import SAMPLE_MARKER
from geomag.doctor.finding import Finding, Level
from geomag.errors import GeoMagError, WeightsError
from geomag.io import read_json, visible
from geomag.manifest import SCHEME, resolve_path
from geomag.model.weight_files import check_weight_file
from geomag.versions import dataset_versions

INDEX = "model.safetensors.index.json"
"""Names the shards of a checkpoint that lies in several files."""


def data(profile: Profile, root: Path) -> Iterator[Finding]:
    """The chosen trees are there and known to DVC; `geomag data check` says if they are whole."""
    names = [one.name for one in chosen_benchmarks(profile.benchmarks)]
    if others := [name for name in BENCHMARKS if name not in names]:
        yield Finding(Level.OK, "data", f"not chosen: {', '.join(others)}")
    yield from _drawn(profile, root, names)
    missing = [name for name in names if not (root / "data" / name).is_dir()]
    if missing:
        can_draw = profile.data.source == "sample"
        remedy = "geomag data sample" if can_draw else "geomag data check, then dvc add data"
        level = Level.WARN if can_draw else Level.FAIL
        yield Finding(level, "data", f"missing: {', '.join(missing)}", remedy)
        return
    untracked = set(names) - set(dataset_versions(root, names))
    if untracked:
        found = f"not versioned: {', '.join(sorted(untracked))}"
        yield Finding(Level.WARN, "data", found, "dvc add data")
    else:
        yield Finding(Level.OK, "data", f"{len(names)} benchmarks, versioned by data.dvc")


def _drawn(profile: Profile, root: Path, names: list[str]) -> Iterator[Finding]:
    """Drawn scenes where the profile expects downloads: they would pass for the real ones."""
    drawn = [name for name in names if (root / "data" / name / SAMPLE_MARKER).is_file()]
    if drawn and profile.data.source == "downloads":
        found = f"drawn, not downloaded: {', '.join(drawn)}"
        remedy = f"move them away from {root / 'data'} and unpack the downloads there"
        yield Finding(Level.FAIL, "data", found, remedy)


def weights(profile: Profile, root: Path) -> Iterator[Finding]:
    """The pretrained parts that the profile names are there and whole, by their headers."""
    vlm = profile.vlm
    parts = [("text_encoder.path", profile.text_encoder.path)]
    if vlm.is_composed:
        parts += [("vlm.language", vlm.language), ("vlm.vision", vlm.vision)]
    else:
        parts += [("vlm.path", vlm.path)]
    for setting, path in [*parts, ("encoder.path", profile.encoder.path)]:
        what = setting.removesuffix(".path")
        if not path:
            yield Finding(Level.OK, what, "trained by the base stage")
            continue
        try:
            _check_whole(root / resolve_path(path), needs_config=setting == "vlm.path")
        except GeoMagError as wrong:
            yield Finding(Level.FAIL, what, _in_words(wrong, path), _remedy(wrong, setting, path))
        else:
            yield Finding(Level.OK, what, path)


def _check_whole(place: Path, *, needs_config: bool) -> None:
    """Refuse a file or folder of weights that no stage could load.

    Raises:
        WeightsError: If it is missing, empty, lacks a shard, or holds what is not whole weights.
    """
    if not place.exists():
        raise WeightsError("", "is missing")
    files = [place]
    if place.is_dir():
        files = [*visible(place, "*.safetensors"), *visible(place, "*.pt")]
        shards = read_json(place / INDEX)["weight_map"].values() if _has(place, INDEX) else ()
        if lost := sorted({*shards} - {file.name for file in files}):
            raise WeightsError("", f"lacks {', '.join(lost[:3])} of {INDEX}")
        if not files:
            raise WeightsError("", "has no .safetensors or .pt file in it")
    for file in files:
        check_weight_file(file)
        with file.open("rb") as handle:
            is_zip = handle.read(2) == b"PK"  # what torch.save writes; its directory comes last
        if not file.stat().st_size or (is_zip and not zipfile.is_zipfile(file)):
            raise WeightsError(file.name, "is cut", remedy="download it again")
    if needs_config and not _has(place, "config.json"):
        raise WeightsError("", "has no config.json")


def _has(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def _in_words(wrong: GeoMagError, path: str) -> str:
    """``models/x is missing``, or ``models/x, model.safetensors: a Git LFS pointer``."""
    if not wrong.place or wrong.place == path:
        return f"{path} {wrong.found}"
    wanted = f", {wrong.wanted} are wanted" if wrong.wanted.startswith("8") else ""
    return f"{path}, {Path(wrong.place).name}: {wrong.found}{wanted}"


def _remedy(wrong: GeoMagError, setting: str, path: str) -> str:
    if path.startswith(SCHEME):
        return "make setup"
    return wrong.remedy or f"put the weights there, or set {setting}"
