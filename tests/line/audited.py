"""``python audited.py LIST ARGUMENT...``: run `geomag`, append to LIST what it opens to read.

An audit hook sees what the source does not say: files opened by computed names, modules imported
late, and what forked processes do. Readers in native code (weights) open past it.
"""

import os
import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run the command line of `geomag` under the hook."""
    target = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.argv = ["geomag", *sys.argv[2:]]
    sys.path[0] = str(Path.cwd())  # as with `python -m geomag`, the project's own code
    seen = set()

    def hook(event: str, arguments: tuple) -> None:
        if event != "open" or not isinstance(arguments[0], str | bytes):
            return
        path, _, flags = arguments
        if flags & os.O_ACCMODE == os.O_RDONLY and path not in seen:
            seen.add(path)
            os.write(target, os.path.abspath(os.fsdecode(path)).encode() + b"\n")  # noqa: PTH100

    sys.addaudithook(hook)
    runpy.run_module("geomag", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
