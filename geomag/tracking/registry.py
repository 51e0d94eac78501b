"""The registered model ``geomag``: a version per candidate, the alias ``champion`` on one of them.

Versions name DVC's md5s of the parts; those that passed the gate are packed with the weights, so
that they can serve. The alias moves by compare-and-set, under
a lock file for the processes of this project and read back for those of other hosts.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from geomag.errors import GeoMagError
from geomag.tracking.database import tracking_uri
from geomag.tracking.entries import EXTERNAL
from geomag.tracking.store import Store

Package = Callable[[str, Mapping[str, str]], None]
"""Function that writes a model's files, from the id of a logged model and DVC's md5 by part."""

MODEL = "geomag"
CHAMPION = "champion"
CANDIDATE, OUTCOME, REASON, PREVIOUS = (
    "geomag.candidate",
    "geomag.outcome",
    "geomag.reason",
    "geomag.previous",
)
"""Tags of a version: digest of its candidate, what the gate said, why, who was champion before."""
PACKED = "geomag.packed"
"""Tag of a version whose files MLflow has."""
ROLLED_BACK = "rolled back"
"""Outcome that only a person gives; the gate does not promote such a candidate again."""
LONGEST_TAG = 4000


class PromotionError(GeoMagError):
    """The alias is not where it was when the gate looked, or there is nothing to go back to."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the registered model."""

    number: str
    candidate: str
    """Digest of the candidate (`geomag.evaluate.candidate`)."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_packed(self) -> bool:
        """Whether it can be loaded: MLflow has its files."""
        return self.tags.get(PACKED) == "true"


class Registry(Store):
    """Versions and the alias; every method raises `TrackerDownError` if MLflow does not answer."""

    def champion(self) -> Version | None:
        """The version that the alias points at."""
        number = self._alias()
        return self._insist(lambda: self._version(number)) if number else None

    def find(self, candidate: str) -> Version | None:
        """The newest version of a candidate, if it was registered before."""
        known = [one for one in self._insist(self._versions) if one.candidate == candidate]
        return max(known, key=lambda version: int(version.number), default=None)

    def register(
        self,
        candidate: str,
        parts: Mapping[str, str],
        tags: Mapping[str, str],
        package: Package | None = None,
    ) -> str:
        """The version of a candidate, made if it has none; returns its number.

        Args:
            candidate: Its digest.
            parts: DVC's md5 by part; they become tags and the logged model's parameters.
            tags: What else to remember.
            package: Writes the files; a version without them gives way to one with them.
        """
        with self._locked():
            known = self.find(candidate)
            if known and (known.is_packed or package is None):
                return known.number
            return self._insist(lambda: self._create_version(candidate, parts, tags, package))

    def promote(self, number: str, *, expected: str | None, reason: str) -> None:
        """Move the alias to ``number`` if it still points where the gate saw it.

        Args:
            number: Version to make the champion.
            expected: Version that was the champion when the gate compared; None if none was.
            reason: Becomes a tag.

        Raises:
            PromotionError: If another promotion came first; nothing has moved then.
        """
        with self._locked():
            self._expect(expected)
            tags = {OUTCOME: "promote", REASON: reason, PREVIOUS: expected or ""}
            self._tag(number, tags)
            self._move(number)

    def note(self, number: str, *, outcome: str, reason: str) -> None:
        """Tag a version with what the gate said of it; that it was rolled back stands."""
        if self._insist(lambda: self._version(number)).tags.get(OUTCOME) != ROLLED_BACK:
            self._tag(number, {OUTCOME: outcome, REASON: reason})

    def rollback(self, allowed: Callable[[Version], None]) -> tuple[str, str]:
        """Move the alias back to the champion before; returns the numbers left and taken up.

        Args:
            allowed: Raises if the version to go back to cannot be used.

        Raises:
            PromotionError: If there is no champion, or none before it.
        """
        with self._locked():
            current = self.champion()
            previous = current.tags.get(PREVIOUS, "") if current else ""
            if current is None or not previous:
                raise PromotionError(
                    f"registered model {MODEL}",
                    "no champion" if current is None else f"version {current.number} was the first",
                    "a champion that replaced another",
                )
            allowed(self._insist(lambda: self._version(previous)))
            self._tag(current.number, {OUTCOME: ROLLED_BACK})
            self._move(previous)
            return current.number, previous

    def _expect(self, expected: str | None) -> None:
        found = self._alias()
        if found != expected:
            raise PromotionError(
                f"{MODEL}@{CHAMPION}",
                f"version {found or 'none'}: another promotion came first",
                f"version {expected or 'none'}, which the gate compared with",
                "run geomag promote again: it compares with the new champion",
            )

    def _move(self, number: str) -> None:
        self._insist(lambda: self._client.set_registered_model_alias(MODEL, CHAMPION, number))
        if (found := self._alias()) != number:
            raise PromotionError(
                f"{MODEL}@{CHAMPION}",
                f"version {found} right after it was moved to {number}: another host came between",
                remedy="run geomag promote again",
            )

    def _tag(self, number: str, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self._insist(_tagging(self._client, number, key, value))

    def _alias(self) -> str | None:
        found = self._insist(lambda: self._client.search_registered_models(f"name='{MODEL}'"))
        return str(found[0].aliases[CHAMPION]) if found and CHAMPION in found[0].aliases else None

    def _version(self, number: str) -> Version:
        return _described(self._client.get_model_version(MODEL, number))

    def _versions(self) -> list[Version]:
        return [_described(v) for v in self._client.search_model_versions(f"name='{MODEL}'")]

    def _create_version(
        self,
        candidate: str,
        parts: Mapping[str, str],
        tags: Mapping[str, str],
        package: Package | None,
    ) -> str:
        if not self._client.search_registered_models(f"name='{MODEL}'"):
            self._client.create_registered_model(MODEL)
        md5s = {f"dvc.md5.{part}": md5 for part, md5 in parts.items()}
        logged = self._client.create_logged_model(
            self._experiment("promote"),
            name=MODEL,
            tags={CANDIDATE: candidate} | ({} if package else {EXTERNAL: "true"}),
            params=md5s,
            model_type="geomag",
        )
        with self.as_default():
            if package:
                package(logged.model_id, parts)
            self._client.finalize_logged_model(logged.model_id, "READY")
            version = self._client.create_model_version(
                MODEL,
                f"models:/{logged.model_id}",
                tags={
                    **tags,
                    **md5s,
                    CANDIDATE: candidate,
                    PACKED: "true" if package else "false",
                },
            )
        return str(version.version)

    @contextmanager
    def as_default(self) -> Iterator[None]:
        """Make this store the one that MLflow's own functions use: some look nowhere else."""
        before = os.environ.get("MLFLOW_TRACKING_URI")
        os.environ["MLFLOW_TRACKING_URI"] = tracking_uri(self._root)
        try:
            yield
        finally:
            if before is None:
                del os.environ["MLFLOW_TRACKING_URI"]
            else:
                os.environ["MLFLOW_TRACKING_URI"] = before

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self._root / "work" / "promotion.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _tagging(client: Any, number: str, key: str, value: str) -> Callable[[], None]:
    return lambda: client.set_model_version_tag(MODEL, number, key, value[:LONGEST_TAG])


def _described(version: Any) -> Version:
    tags = dict(version.tags)
    return Version(str(version.version), tags.get(CANDIDATE, ""), tags)
