"""The instance's folder (``DAGSTER_HOME``): ours to write, or left exactly as it is.

People export one ``DAGSTER_HOME`` for all their projects. A folder that holds another project's
settings, history or anything else is refused and not touched.
"""

import hashlib
import os
from pathlib import Path

from geomag.errors import ToolError
from geomag.io import write_bytes
from geomag_dagster.dvc import stage_env

SETTINGS = "dagster.yaml"
_MARK = b"# A copy that geomag keeps of its dagster.yaml; change the original. sha256 "
"""How a copy of ours begins; the digest after it is of all that follows the line."""


def dagster_home(root: Path) -> Path:
    """Prepare the instance's folder, with a copy of our ``dagster.yaml``, and export it.

    Args:
        root: Project root, whose ``.dagster/home`` is used where ``DAGSTER_HOME`` is not set.

    Raises:
        ToolError: If the folder is somebody else's, its copy was edited by hand, or it cannot be
            written. Nothing in it has changed.
    """
    ours = root / ".dagster" / "home"
    home = Path(os.environ.get("DAGSTER_HOME") or ours).absolute()
    try:
        if (root / SETTINGS).is_file():
            _keep_copy(root / SETTINGS, home, is_ours=home.resolve() == ours.resolve())
        home.mkdir(parents=True, exist_ok=True)
    except OSError as broken:
        raise ToolError(
            f"DAGSTER_HOME {home}",
            f"cannot be used as a folder ({broken.strerror})",
            "a folder that we may write",
            "unset DAGSTER_HOME, and the project's own .dagster/home is used",
        ) from broken
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
    os.environ.update(stage_env())
    return home


def _keep_copy(original: Path, home: Path, *, is_ours: bool) -> None:
    """Bring the copy up to date where there is one of ours, or nothing at all."""
    wanted, copy = original.read_bytes(), home / SETTINGS
    found = copy.read_bytes() if copy.is_file() else None
    if found == wanted:  # a link to the original, or a copy made by hand
        return
    if found is not None and found.startswith(_MARK):
        if found != _marked(_content(found)):
            raise ToolError(
                str(copy),
                "this copy was edited",
                f"the copy that we keep of {original}",
                f"make the change in {original}, then remove the copy",
            )
    elif not is_ours and (found is not None or (home.exists() and any(home.iterdir()))):
        raise ToolError(
            f"DAGSTER_HOME {home}",
            f"the {SETTINGS} in it is not ours" if found is not None else "in use, and not by us",
            "a new or empty folder, or one that this project made",
            "unset DAGSTER_HOME to use the project's own .dagster/home, or name a new folder",
        )
    if found != _marked(wanted):
        write_bytes(copy, _marked(wanted))


def _content(marked: bytes) -> bytes:
    return marked.partition(b"\n")[2]


def _marked(content: bytes) -> bytes:
    return _MARK + hashlib.sha256(content).hexdigest().encode() + b"\n" + content
