"""Links into MLflow: the runs that trained and scored, and the champion of the registry."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from geomag.data.records import read_records
from geomag.errors import GeoMagError, PredictionError, WeightsError
from geomag.evaluate.candidate import ARM, Candidate, kept, tests_digest
from geomag.evaluate.trace import PARTS, Trace
from geomag.evaluate.verify.chain import chain, inputs
from geomag.evaluate.verify.code import commit_holds
from geomag.evaluate.verify.links import Absence, Break, Finding
from geomag.io import read_json
from geomag.tracking.database import SQLITE, tracking_uri
from geomag.tracking.lineage import NO_SCORING, NO_TRAINER, NOT_REACHABLE, find_runs
from geomag.tracking.offline_queue import OfflineQueue
from geomag.tracking.registry import Registry, Version
from geomag.tracking.runs import ADAPTER, ANSWERS
from geomag.tracking.store import TrackerDownError
from geomag.versions import stage_paths, tracked_tree

N_RUNS = 500
"""So many of the newest scoring runs are looked through for one whose tags were changed."""


class Tracked:
    """MLflow, asked once for what all cells share; a store that is not there is not made."""

    def __init__(self, root: Path, lock: Mapping[str, Any]) -> None:
        self._root = root
        self._lock = lock

    @cached_property
    def why_absent(self) -> str:
        """Why MLflow cannot be asked; empty if it can."""
        uri = tracking_uri(self._root)
        if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).is_file():
            return "the project has no MLflow store yet: geomag runs sync makes it"
        try:
            self._champion = self._registry.champion()
        except TrackerDownError as failure:
            return f"MLflow does not answer: {failure}"
        return ""

    def find(self, benchmark: str, arm: str, versions: Mapping[str, str]) -> Mapping[str, str]:
        """Find runs, as `geomag.tracking.lineage.find_runs` does."""
        if self.why_absent:
            return {NOT_REACHABLE: self.why_absent}
        return find_runs(self._root, benchmark, arm, versions)

    def runs(self, found: Trace, stage: str) -> Iterator[Finding]:
        """The runs that trained the parts and scored the answers say so, at code that is this."""
        if why := found.runs.get(NOT_REACHABLE):
            yield Absence(why)
            return
        benchmark = found.cell["id"].split("/")[1]
        for did, run in found.runs.items():
            if run == NO_TRAINER:
                part = did.removeprefix("trained ")
                yield from self._no_trainer(part, found.models[part])
            elif run == NO_SCORING:
                yield self._no_scoring(found)
            else:
                part = did.removeprefix("trained ")
                ran = f"score@{benchmark}" if did == "scored" else self._maker(part, stage)
                paths = inputs(self._lock, ran, code=True)
                yield from commit_holds(self._root, f"{did} {run}", self._registry.tags(run), paths)

    def registry(self, found: Trace) -> Iterator[Finding]:
        """The champion's version, tags and kept answers agree; so does the test set it answered."""
        if self.why_absent:
            yield Absence(self.why_absent)
        elif self._champion is None:
            yield Absence("no champion yet: geomag promote")
        else:
            yield from self._sealed(self._champion)
            yield from self._test_set(self._champion, found)

    def _sealed(self, champion: Version) -> Iterator[Finding]:
        copy = self._copy(champion)
        if isinstance(copy, Break):
            yield copy
            return
        place = f"registered model geomag, version {champion.number}"
        if copy.digest != champion.candidate:
            told = f"digest {copy.digest} of what it says"
            name = f"artifacts/champion/{champion.candidate}/complete.json"
            yield Break(name, told, champion.candidate, "geomag promote --rollback")
        for part, md5 in copy.models.items():
            if (tag := champion.tags.get(f"dvc.md5.{part}", "")) != md5:
                wanted = f"{md5}, of the candidate that the gate judged"
                remedy = "geomag promote --rollback, or set the tag right"
                yield Break(f"{place}, tag dvc.md5.{part}", tag or "nothing", wanted, remedy)

    def _test_set(self, champion: Version, found: Trace) -> Iterator[Finding]:
        """Judge whether the questions and pictures that made it champion are still the same."""
        copy = self._copy(champion)
        _, name, _, arm, _ = found.cell["id"].split("/")
        if isinstance(copy, Break) or arm != ARM:
            return
        if copy.predictions.get(name) != found.predictions.sha256:
            return  # this table is of a candidate that is not the champion
        rows = self._root / "artifacts" / "records" / name / "records.jsonl"
        pictures = dict(tracked_tree(self._root) or ())
        remedy = "dvc checkout data for the old files, or dvc add data and dvc repro"
        try:
            now = tests_digest(name, read_records(rows), self._root / "data", pictures)
        except FileNotFoundError as gone:
            yield Absence(f"{gone.filename} is not on disk: the test set cannot be read")
            return
        except PredictionError as other:
            yield Break(other.place, other.found, other.wanted, remedy)
            return
        except GeoMagError as unread:
            yield Absence(f"the test set cannot be read: {unread.place}: {unread.found}")
            return
        if now != copy.tests[name]:
            wanted = f"{copy.tests[name]}, which champion {champion.number} answered"
            yield Break(f"test set of {name}", f"digest {now}", wanted, remedy)

    def _copy(self, champion: Version) -> Candidate | Break:
        try:
            return kept(self._root, champion.candidate)
        except WeightsError as wrong:
            place = wrong.place.removeprefix(f"{self._root}/")
            wanted = f"the sealed answers of champion {champion.number}"
            return Break(place, wrong.found, wanted, "geomag promote --rollback, or restore it")

    def _no_trainer(self, part: str, md5: str) -> Iterator[Finding]:
        """A part whose stage keeps no run lacks none: the classifier, and a base that is pinned."""
        if tag := self._registry.retagged(md5):
            remedy = "set the tag to what the parameter dvc.md5 of the same model says"
            yield Break(f"MLflow, trained {part}, tag dvc.md5", tag, md5, remedy)
            return
        is_pinned = (self._root / "artifacts" / "models" / part / "manifest.json").is_file()
        if part != "granularity" and not is_pinned:
            told = f"MLflow has no run that trained {part} of md5 {md5}"
            yield Absence(f"{told}: it was not trained here")

    def _no_scoring(self, found: Trace) -> Finding:
        """Say why no run has scored these answers.

        A run of the same figures that differs in one tag had that tag changed; else none is there.
        """
        _, benchmark, _, arm, _ = found.cell["id"].split("/")
        wanted = {"benchmark": benchmark, "arm": arm, ANSWERS: found.predictions.sha256}
        wanted[ADAPTER] = found.models["adapter"]
        metrics = self._metrics(found.scores.path, arm)
        newest = ["attributes.start_time DESC"]
        for run in self._registry.search(["score"], "", newest, N_RUNS):
            tags = run.data.tags
            others = [tag for tag, value in wanted.items() if tags.get(tag) != value]
            if len(others) != 1 or not metrics.items() <= run.data.metrics.items():
                continue
            (tag,) = others
            if tag == ADAPTER and self._registry.trainer(tags.get(tag, "")):
                continue  # an earlier adapter gave the same answers, so nothing was scored again
            return Break(
                f"MLflow run {run.info.run_id}, tag {tag}",
                tags.get(tag, "nothing"),
                f"{wanted[tag]}, whose scores the run holds",
                "set the tag right, or dvc repro --force --single-item score@" + benchmark,
            )
        waits = len(OfflineQueue.waiting(self._root))
        hint = f"{waits} run(s) wait for geomag runs sync" if waits else "they were not scored here"
        return Absence(f"MLflow has no run that scored these answers: {hint}")

    def _metrics(self, path: str, arm: str) -> dict[str, float]:
        file = self._root / path
        scores = read_json(file) if file.is_file() else {}
        values = scores.get("arms", {}).get(arm, scores).get("metrics", {})
        return {k: float(v) for k, v in values.items() if isinstance(v, (int, float))}

    def _maker(self, part: str, stage: str) -> str:
        path = f"artifacts/models/{part}"
        stages = chain(self._lock, stage) if part in PARTS else []
        made = (one for one in stages if path in stage_paths(self._lock, one, "outs"))
        return next(made, "")

    @cached_property
    def _registry(self) -> Registry:
        return Registry(self._root)
