"""A model that could be the champion: versions of its parts, what it answered, and to what.

Weights stay in DVC, known by md5. The answers of a promoted candidate are copied to
``artifacts/champion/<digest>/``, so that later challengers can be compared with them.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from geomag.data.benchmarks import BENCHMARKS
from geomag.data.records import Record
from geomag.errors import PredictionError
from geomag.io import file_digest, value_digest
from geomag.manifest import publish, read_manifest, write_manifest
from geomag.versions import (
    dataset_versions,
    path_md5,
    read_lock,
    stage_paths,
    tracked_tree,
    untracked_inputs,
)

PARTS = ("base", "granularity", "adapter", "decoder")
ARM = "magcrop"
"""The headline arm; the other is an ablation and cannot be promoted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model, as the gate and the registry know it."""

    folder: Path
    """Holds ``<benchmark>/magcrop.jsonl``."""
    models: Mapping[str, str]
    """DVC's md5 of each of `PARTS`."""
    predictions: Mapping[str, str]
    """sha256 of the answers by benchmark."""
    tests: Mapping[str, str]
    """Digest of the records and pictures of the test splits, by benchmark."""
    data: Mapping[str, str]
    """DVC's md5 of ``data/<benchmark>``; training data included."""

    @property
    def digest(self) -> str:
        """16 hex digits over the parts, the answers and what was asked."""
        return value_digest([dict(self.models), dict(self.predictions), dict(self.tests)])

    def file(self, benchmark: str) -> Path:
        """The answers to one benchmark."""
        return self.folder / benchmark / f"{ARM}.jsonl"

    def facts(self) -> dict[str, Any]:
        """Every field but the folder, as JSON."""
        return {key: value for key, value in asdict(self).items() if key != "folder"}


def collect(
    root: Path, records: Callable[[str], Iterable[Record]], expected: Sequence[str] = ()
) -> Candidate:
    """The candidate under ``artifacts/``, refused if its answers are of other models or data.

    Args:
        root: Project root.
        records: All records of a benchmark by its name.
        expected: Benchmarks that must have been predicted.

    Raises:
        PredictionError: When a benchmark of the line was not predicted, or ``dvc.lock`` knows of
            other answers, or of answers of other weights, records or pictures than there are now.
    """
    folder = root / "artifacts" / "predictions"
    names = [name for name in BENCHMARKS if (folder / name / f"{ARM}.jsonl").is_file()]
    if lacking := [name for name in expected if name not in names]:
        said = f"no predictions of {', '.join(lacking)}"
        raise PredictionError(str(folder), said, "those of all benchmarks", "run dvc repro")
    if not names:
        raise PredictionError(str(folder), "no predictions", remedy="run dvc repro")
    lock = read_lock(root)
    models = _models(lock)
    for name in names:
        _check_lineage(root, name, lock, models)
        _check_inputs(root, name, lock)
    pictures = dict(tracked_tree(root) or ())
    return Candidate(
        folder=folder,
        models=models,
        predictions={name: file_digest(folder / name / f"{ARM}.jsonl") for name in names},
        tests={name: tests_digest(name, records(name), root / "data", pictures) for name in names},
        data=dataset_versions(root, names),
    )


def tests_digest(
    name: str, records: Iterable[Record], data: Path, tracked: Mapping[str, str]
) -> str:
    """16 hex digits over the test splits: every field of the records, every picture's bytes.

    New training records leave it as it is, which the md5 of ``data/<benchmark>`` would not.

    Args:
        name: Benchmark.
        records: Of all splits.
        data: Folder of the benchmarks.
        tracked: md5 by path relative to ``data``, from DVC's listing; may be empty.

    Raises:
        PredictionError: If a picture on disk is not the one that DVC tracks.
    """
    total, seen = hashlib.sha256(), dict[str, str]()
    for record in records:
        if record.split not in BENCHMARKS[name].test_splits:
            continue
        path = f"{name}/{record.image}"
        if path not in seen:
            seen[path] = file_digest(data / path, "md5")
            if seen[path] != tracked.get(path, seen[path]):
                raise _other_test_set(f"data/{path}", f"md5 {seen[path]}", f"md5 {tracked[path]}")
        total.update(json.dumps([record.to_json(), seen[path]], sort_keys=True).encode())
    return total.hexdigest()[:16]


def keep(candidate: Candidate, root: Path) -> Candidate:
    """Copy the answers to ``artifacts/champion/<digest>``, whole or not at all; once is enough."""
    folder = root / "artifacts" / "champion" / candidate.digest
    if not (folder / "complete.json").is_file():
        with publish(folder) as aside:
            for name in candidate.predictions:
                target = aside / name / f"{ARM}.jsonl"
                target.parent.mkdir()
                shutil.copyfile(candidate.file(name), target)
            write_manifest(aside, candidate=candidate.facts())
    return kept(root, candidate.digest)


def kept(root: Path, digest: str) -> Candidate:
    """The candidate that `keep` copied.

    Raises:
        WeightsError: If the copy is absent, or a file of it has changed.
    """
    folder = root / "artifacts" / "champion" / digest
    facts = read_manifest(folder, verify=True)["candidate"]
    known = {f.name for f in fields(Candidate)} - {"folder"}
    return Candidate(folder=folder, **{key: facts[key] for key in known})


def _models(lock: Mapping[str, Any]) -> dict[str, str]:
    outs = {path: md5 for stage in lock for path, md5 in stage_paths(lock, stage, "outs").items()}
    paths = {part: f"artifacts/models/{part}" for part in PARTS}
    if lacking := [path for path in paths.values() if path not in outs]:
        raise PredictionError("dvc.lock", f"no {', '.join(lacking)}", remedy="run dvc repro")
    return {part: outs[path] for part, path in paths.items()}


def _check_lineage(
    root: Path, name: str, lock: Mapping[str, Any], models: Mapping[str, str]
) -> None:
    stage = f"predict@{name}-{ARM}"
    used = stage_paths(lock, stage, "deps")
    path = f"artifacts/predictions/{name}/{ARM}.jsonl"
    recorded = stage_paths(lock, stage, "outs").get(path)
    remedy = f"run dvc repro {stage}"
    if recorded != file_digest(root / path, "md5"):
        raise PredictionError(path, "not what dvc.lock records", f"md5 {recorded}", remedy)
    for part, md5 in models.items():
        if (other := used.get(f"artifacts/models/{part}")) != md5:
            raise PredictionError(path, f"answers of {part} {other}", f"those of {md5}", remedy)


def _check_inputs(root: Path, name: str, lock: Mapping[str, Any]) -> None:
    """Refuse answers to records or pictures that are not those of the project now."""
    stage = f"predict@{name}-{ARM}"
    for path, (read, tracked) in untracked_inputs(root, lock, stage).items():
        raise _other_test_set(
            path, f"version {read} was answered", f"{tracked}, as data.dvc has it"
        )
    path = f"artifacts/records/{name}"
    asked, now = stage_paths(lock, stage, "deps").get(path), path_md5(root / path)
    if asked != now:
        raise _other_test_set(path, f"version {asked} was answered", f"{now}, as it is now")


def _other_test_set(place: str, found: str, wanted: str) -> PredictionError:
    remedy = "run dvc checkout data to have the old files back, or dvc add data and dvc repro"
    return PredictionError(place, found, wanted, remedy)
