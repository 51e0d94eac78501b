"""Where DVC keeps the versions of a project's data, read from its settings without importing it.

Teams share one cache, on another disk, and link from ``data/`` into it (``cache.dir``,
``cache.type symlink``). Such a link does not leave the data; any other does.
"""

import configparser
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from geomag.errors import ConfigError

_OBJECT = re.compile(r"[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?")
"""A version's file below the cache's ``files/md5``."""


def cached_file(root: Path, md5: str) -> Path:
    """The file of one version in the project's cache, whether it is there or not."""
    return _objects(root) / md5[:2] / md5[2:]


def is_cached(path: Path, data: Path) -> bool:
    """Whether a resolved path is a version in the cache of the project that ``data`` is in."""
    for folder in (data.absolute(), *data.absolute().parents):
        if (folder / ".dvc").is_dir():
            objects = _objects(folder).resolve()
            if not path.is_relative_to(objects):
                return False
            return _OBJECT.fullmatch(path.relative_to(objects).as_posix()) is not None
    return False


def _objects(root: Path) -> Path:
    files = tuple(file for file in _config_files(root) if file.is_file())
    return _cache_folder(root, files, tuple(file.stat().st_mtime_ns for file in files))


@lru_cache(maxsize=16)
def _cache_folder(root: Path, files: tuple[Path, ...], times: tuple[int, ...]) -> Path:
    """As the last of the settings says; ``times`` make a change of theirs another key."""
    place = root / ".dvc" / "cache"
    for file in files:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(file.read_text(encoding="utf-8"))
        except (configparser.Error, UnicodeDecodeError) as broken:
            raise ConfigError(
                str(file), f"not settings of DVC ({broken!s:.200})", remedy="dvc config --list"
            ) from broken
        if told := parser.get("cache", "dir", fallback="").strip("\"' "):
            place = file.parent / Path(told).expanduser()
    return place / "files" / "md5"


def _config_files(root: Path) -> Iterator[Path]:
    """DVC's four levels, the one that counts most last."""
    system = os.environ.get("DVC_SYSTEM_CONFIG_DIR") or "/etc/xdg/dvc"
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    user = os.environ.get("DVC_GLOBAL_CONFIG_DIR") or f"{home}/dvc"
    yield from (Path(folder).expanduser() / "config" for folder in (system, user))
    yield from (root / ".dvc" / name for name in ("config", "config.local"))
