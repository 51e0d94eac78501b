"""What an output was made from, as ``dvc.lock`` records it, in the tags that Dagster compares.

Dagster's own runs write these tags. An output that a shell made needs them too: without them its
state goes by the times of events, and it is never out of date for a benchmark's sake.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from geomag.versions import listing, tree_md5
from geomag_dagster.naming import asset_key

INPUT_VERSION, INPUT_POINTER = "dagster/input_data_version/", "dagster/input_event_pointer/"
UNKNOWN = "unknown"
"""An input that has changed since the stage read the folder it lies in."""


def input_versions(
    root: Path, paths: set[str], entry: Mapping[str, Any], locked: Mapping[str, str]
) -> dict[str, str]:
    """Version by asset of what a stage read, when it last ran.

    Args:
        root: Project root.
        paths: From `upstream_paths`.
        entry: The stage in ``dvc.lock``.
        locked: Present version of every path that ``dvc.lock`` names.
    """
    read = {dep["path"]: dep["md5"] for dep in entry.get("deps", []) if "md5" in dep}
    found = {path: read[path] for path in paths if path in read}
    for folder in read:
        inside = {p: locked.get(p, "") for p in paths - set(found) if p.startswith(f"{folder}/")}
        if inside:
            is_as_read = _folder_md5(root, folder, inside) == read[folder]
            found |= inside if is_as_read else dict.fromkeys(inside, UNKNOWN)
    return {key.to_user_string(): found[path] for path in found if (key := asset_key(path))}


def input_tags(versions: Mapping[str, str]) -> dict[str, str]:
    """The tags for `input_versions`; no event of the inputs is pointed to."""
    tags = {f"{INPUT_VERSION}{key}": version for key, version in versions.items()}
    return tags | {f"{INPUT_POINTER}{key}": "NULL" for key in versions}


def tagged_versions(tags: Mapping[str, str]) -> dict[str, str]:
    """The versions that an event's tags carry.

    >>> tagged_versions(input_tags({"data/aid": "f00.dir"}))
    {'data/aid': 'f00.dir'}
    """
    start = len(INPUT_VERSION)
    return {tag[start:]: value for tag, value in tags.items() if tag.startswith(INPUT_VERSION)}


def _folder_md5(root: Path, folder: str, inside: Mapping[str, str]) -> str:
    """The version DVC gives a folder of outputs, files and folders themselves."""
    entries = []
    for path, md5 in inside.items():
        place = PurePosixPath(path).relative_to(folder)
        files = listing(root, md5) or [] if md5.endswith(".dir") else [(".", md5)]
        entries += [(str(place / name), file_md5) for name, file_md5 in files]
    return tree_md5(entries)
