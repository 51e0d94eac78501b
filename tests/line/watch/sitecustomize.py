"""Start-up hook of watched processes: what a command of `geomag` opens, asks for and runs.

Python imports a module of this name before anything else where its folder is on ``PYTHONPATH``. An
audit hook sees what the source does not say: files opened by computed names, modules imported late,
and what forked processes do. Readers in native code (weights, rasters) open past it.

With ``WATCH_FOLDER`` each ``python -m geomag ...`` writes a file there, its command first, then one
line for each thing seen the first time:

    opened PATH              a file below the working directory that was opened to read
    asked SECTION            a section of the settings that code beyond geomag/config asked for
    ran PATH:LINE            a line that ran, of the files that ``WATCH_LINES`` names
"""

import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

OURS = f"{os.sep}geomag{os.sep}"
CONFIG = f"{OURS}config{os.sep}"


def watch(folder: str, lines: tuple[str, ...]) -> None:
    """Watch this process and those it forks.

    Args:
        folder: Where the file goes.
        lines: Ends of the names of files, or parts of them that end with ``/``, whose lines count.
    """
    command, root = " ".join(sys.orig_argv[1:]), f"{os.getcwd()}{os.sep}"  # noqa: PTH109
    target = os.open(f"{folder}/{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    seen: set[str] = set()

    def note(what: str) -> None:
        if what not in seen:
            seen.add(what)
            os.write(target, what.encode() + b"\n")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str | bytes):
            return
        path, _, flags = arguments
        if flags & os.O_ACCMODE == os.O_RDONLY:
            name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
            if name.startswith(root):
                note(f"opened {name}")
            if f"{os.sep}profiles{os.sep}" in name and name.endswith(".yaml"):
                watch_settings(note)

    note(command)
    sys.addaudithook(hook)
    if lines:
        watch_lines(lines, note)


def watch_settings(note: Callable[[str], None]) -> None:
    """From the moment that a profile is read, note which sections are asked for."""
    config = sys.modules.get("geomag.config")
    if config is None or getattr(config, "is_watched", False):
        return
    config.is_watched = True  # type: ignore[attr-defined]
    plain = config.Profile.__getattribute__
    sections = set(config.Profile.__annotations__)

    def ask(profile: object, name: str) -> Any:
        if name in sections:
            asker = sys._getframe(1).f_code.co_filename
            if OURS in asker and CONFIG not in asker:
                note(f"asked {name}")
        return plain(profile, name)

    config.Profile.__getattribute__ = ask


def watch_lines(lines: tuple[str, ...], note: Callable[[str], None]) -> None:
    """Note the lines that run in some files; the others run at nearly full speed."""
    chosen: dict[str, bool] = {}

    def is_chosen(file: str) -> bool:
        if file not in chosen:
            chosen[file] = OURS in file and any(
                part in file if part.endswith("/") else file.endswith(part) for part in lines
            )
        return chosen[file]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if not is_chosen(file):
            return None

        def each(frame: FrameType, event: str, _: Any) -> Any:
            if event == "line":
                note(f"ran {file}:{frame.f_lineno}")
            return each

        return each

    threading.settrace(trace)
    sys.settrace(trace)


if "WATCH_FOLDER" in os.environ and sys.orig_argv[1:3] == ["-m", "geomag"]:
    named = os.environ.get("WATCH_LINES", "")
    watch(os.environ["WATCH_FOLDER"], tuple(named.split(os.pathsep)) if named else ())
