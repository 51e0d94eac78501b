"""Links whose both ends are files: data, weights, answers, scores and the report."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from geomag.errors import WeightsError
from geomag.evaluate.trace import FileLink, Trace, why_broken
from geomag.evaluate.verify.chain import chain, inputs
from geomag.evaluate.verify.disk import Disk, not_on_disk
from geomag.evaluate.verify.links import Absence, Break, Finding
from geomag.io import file_digest, read_json
from geomag.manifest import read_manifest, resolve_path
from geomag.versions import stage_paths

MODELS = "artifacts/models"
REDO = "dvc checkout {path} for the recorded bytes, or dvc repro to make anew what rests on it"
DATA_REMEDY = "dvc checkout data for the tracked bytes, or dvc add data and dvc repro"


def data(disk: Disk, found: Trace, stage: str) -> Iterator[Finding]:
    """What was asked about: ``data.dvc``, ``dvc.lock`` and the files on disk are one version."""
    benchmark = found.cell["id"].split("/")[1]
    yield from disk.tracked(benchmark, DATA_REMEDY)
    for path, md5 in found.data.items():
        remedy = DATA_REMEDY if path.startswith("data/") else REDO.format(path=path)
        yield from disk.compare(path, md5, stage, remedy)


def training(disk: Disk, lock: Mapping[str, Any], stage: str) -> Iterator[Finding]:
    """Everything that the stages behind the answers have read and written, but the weights."""
    for one in chain(lock, stage)[1:]:
        paths = {**inputs(lock, one, code=False), **stage_paths(lock, one, "outs")}
        for path, md5 in paths.items():
            if not path.startswith(MODELS):
                remedy = DATA_REMEDY if path.startswith("data/") else REDO.format(path=path)
                yield from disk.compare(path, md5, one, remedy)


def weights(disk: Disk, found: Trace, stage: str) -> Iterator[Finding]:
    """Each part is whole, of the version that answered, and on the base that it was trained on."""
    base = disk.root / MODELS / "base"
    for part, md5 in found.models.items():
        path = f"{MODELS}/{part}"
        if not md5:
            continue  # `disagreements` has said that the stage is not known
        if not (disk.root / path).is_dir():
            yield not_on_disk(path)
            continue
        yield from _manifest(disk.root, path, base)
        yield from disk.compare(path, md5, stage, REDO.format(path=path))
    if (base / "manifest.json").is_file():
        yield from _pins(disk.root, f"{MODELS}/base/manifest.json")


def _manifest(root: Path, path: str, base: Path) -> Iterator[Finding]:
    try:
        facts = read_manifest(root / path, verify=True)
        known = read_manifest(base)["digest"] if base.is_dir() else ""
    except WeightsError as wrong:
        place = wrong.place.removeprefix(f"{root}/")
        wanted = wrong.wanted or "the bytes that complete.json lists"
        yield Break(place, wrong.found, wanted, REDO.format(path=path))
        return
    pinned = facts.get("base", known)
    if known and pinned != known:
        yield Break(f"{path}/complete.json", f"base {pinned}", f"base {known}", "dvc repro train")


def _pins(root: Path, path: str) -> Iterator[Finding]:
    """The pretrained weights that the base only names are those that it was sealed with."""
    for part, pin in read_json(root / path).items():
        folder = root / resolve_path(pin["path"])
        for name, digest in pin["sha256"].items():
            if not (folder / name).is_file():
                yield Absence(f"{part} weights {pin['path']}/{name} are not on disk")
            elif (now := file_digest(folder / name)) != digest:
                place, wanted = f"{pin['path']}/{name}", f"sha256 {digest[:16]}, pinned in {path}"
                remedy = "put the pinned file back, or dvc repro base for other weights"
                yield Break(place, f"sha256 {now[:16]}", wanted, remedy)


def predictions(disk: Disk, found: Trace) -> Iterator[Finding]:
    """The answers are those of the report, of ``dvc.lock`` and of the score file."""
    yield from _recorded(disk.root, found.predictions)
    arm, score = found.cell["id"].split("/")[3], disk.root / found.scores.path
    answers = disk.root / found.predictions.path
    if score.is_file() and answers.is_file():
        told, now = scored_answers(read_json(score), arm), file_digest(answers)
        if told != now:
            yield Break(
                found.predictions.path,
                f"sha256 {now[:16]}",
                f"sha256 {told[:16] or 'unknown'}, which {found.scores.path} was made of",
                REDO.format(path=found.predictions.path),
            )


def scored_answers(scores: Mapping[str, Any], arm: str) -> str:
    """sha256 of an arm's answers as a score file names it; empty if it does not."""
    of_arm = scores.get("arms", {}).get(arm, scores)
    return str(of_arm.get("protocol", {}).get("predictions_sha256", ""))


def scores(disk: Disk, lock: Mapping[str, Any], found: Trace) -> Iterator[Finding]:
    """The score file is that of the report and of ``dvc.lock``, made of what there is now."""
    yield from _recorded(disk.root, found.scores)
    stage = f"score@{found.cell['id'].split('/')[1]}"
    for path, md5 in inputs(lock, stage, code=False).items():
        yield from disk.compare(path, md5, stage, REDO.format(path=path))


def _recorded(root: Path, link: FileLink) -> Iterator[Finding]:
    why = why_broken(link, root)
    if why and not (root / link.path).is_file():
        yield Absence(f"{link.path} {why}")
    elif why:
        wanted = f"sha256 {link.sha256[:16]} and md5 {link.md5 or 'in dvc.lock'}"
        yield Break(link.path, why, wanted, REDO.format(path=link.path))


def table(disk: Disk, lock: Mapping[str, Any]) -> Iterator[Finding]:
    """The report on disk is the one that its stage wrote."""
    outs = stage_paths(lock, "report", "outs")
    if not outs:
        yield Absence("dvc.lock has no stage report: dvc repro report")
    for path, md5 in outs.items():
        yield from disk.compare(path, md5, "report", REDO.format(path=path))
