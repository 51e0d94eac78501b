"""A pinned revision from the hub into a folder: whole, its digests compared, or not at all.

Files come through the cache of ``huggingface_hub``, which goes on where a download stopped and
serves what it has without a network.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from geomag.errors import ToolError, WeightsError
from geomag.fetch.sources import HubSource
from geomag.io import file_digest, read_json, write_json
from geomag.manifest import publish

MARKER = "FETCHED.json"
"""Says where a folder's files come from; left out of what a base model pins."""
_REACH = "look at the network, or set HF_ENDPOINT to a mirror; what has come is kept"


def fetch(source: HubSource, out: Path, *, log: Callable[[str], None]) -> bool:
    """Fill ``out`` with the files of a pinned revision.

    Args:
        source: What is wanted.
        out: New folder, or one that an earlier fetch has filled.
        log: Takes progress lines: repository, licence, size.

    Returns:
        Whether anything was written; False where the same files lie there already.

    Raises:
        WeightsError: If something else lies there, or a file's digest is another one.
        ToolError: If the hub cannot be reached and its cache lacks a file.
    """
    if _is_there(source, out):
        log(f"{out}: {source.repo} at {source.revision[:12]} is there already")
        return False
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise WeightsError(
            str(out),
            f"not filled from {source.repo} at {source.revision[:12]}",
            "an empty place",
            "move it away; it may be another revision, or yours",
        )
    log(f"{source.repo} at {source.revision[:12]}, {source.licence}")
    snapshot = Path(_snapshot(source))
    listed = _listing(source)
    with publish(out) as folder:
        digests = {}
        for file in sorted(path for path in snapshot.rglob("*") if path.is_file()):
            name = file.relative_to(snapshot).as_posix()
            if name.startswith(".") or not _wanted(name, source):
                continue
            digests[name] = _checked(file, name, source, listed.get(name))
            _place(file, folder / name)
        if not digests:
            raise WeightsError(source.repo, f"no file like {', '.join(source.files)}")
        write_json(folder / MARKER, _facts(source, digests))
    total = sum((out / name).stat().st_size for name in digests)
    log(f"{out}: {len(digests)} files, {total / 1e9:.2f} GB")
    return True


def _facts(source: HubSource, digests: dict[str, str]) -> dict[str, Any]:
    return {
        "repo": source.repo,
        "revision": source.revision,
        "licence": source.licence,
        "sha256": digests,
    }


def _is_there(source: HubSource, out: Path) -> bool:
    """Whether an earlier fetch of the same revision stands there unchanged."""
    marker = out / MARKER
    if not marker.is_file():
        return False
    facts = read_json(marker)
    if (facts.get("repo"), facts.get("revision")) != (source.repo, source.revision):
        return False
    return all(
        (out / name).is_file() and file_digest(out / name) == digest
        for name, digest in facts["sha256"].items()
    )


def _snapshot(source: HubSource) -> str:
    """Folder of the cache with the revision's files, downloaded where they are not there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        found: str = snapshot_download(
            source.repo,
            repo_type=source.kind,
            revision=source.revision,
            allow_patterns=list(source.files) or None,
        )
    except GatedRepoError as closed:
        remedy = f"agree to its terms on https://huggingface.co/{source.repo}, then `hf auth login`"
        raise ToolError(source.repo, "gated: its owner wants an agreement", "", remedy) from closed
    except (RepositoryNotFoundError, RevisionNotFoundError) as lost:
        raise ToolError(
            source.repo, f"the hub has no such revision {source.revision}", "", _REACH
        ) from lost
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as failed:
        said = str(failed).strip().splitlines()[0] if str(failed).strip() else type(failed).__name__
        raise ToolError(source.repo, f"cannot be fetched: {said:.200}", "", _REACH) from failed
    return found


def _listing(source: HubSource) -> dict[str, tuple[str, bool]]:
    """Digest by file name as the hub lists it, and whether it is a sha256; empty offline."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    if constants.is_offline_mode():
        return {}
    try:
        tree = HfApi().list_repo_tree(
            source.repo, repo_type=source.kind, revision=source.revision, recursive=True
        )
        return {
            file.path: (file.lfs.sha256, True) if file.lfs else (file.blob_id, False)
            for file in tree
            if hasattr(file, "blob_id")
        }
    except (HfHubHTTPError, OSError):
        return {}


def _checked(file: Path, name: str, source: HubSource, listed: tuple[str, bool] | None) -> str:
    """sha256 of a file, held against what is pinned here and what the hub lists.

    Raises:
        WeightsError: If it is another file than the one that was published.
    """
    digest = file_digest(file)
    wanted = source.sha256.get(name)
    if wanted is None and listed is not None and listed[1]:
        wanted = listed[0]
    if wanted is not None and digest != wanted:
        raise WeightsError(
            f"{source.repo}, {name}",
            f"sha256 {digest[:16]}",
            wanted[:16],
            "remove it from the hub's cache (`hf cache`) and fetch it again",
        )
    if listed is not None and not listed[1] and git_digest(file) != listed[0]:
        raise WeightsError(
            f"{source.repo}, {name}", "not the file of that revision", "", "fetch it again"
        )
    return digest


def git_digest(file: Path) -> str:
    """A file's id in git, which the hub lists for what lies in the repository itself."""
    content = file.read_bytes()
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def _wanted(name: str, source: HubSource) -> bool:
    return not source.files or any(fnmatch(name, pattern) for pattern in source.files)


def _place(file: Path, target: Path) -> None:
    """A second name for the cache's file where the disk allows it, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    real = file.resolve()
    try:
        os.link(real, target)
    except OSError:
        shutil.copyfile(real, target)
