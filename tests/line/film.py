"""Pictures of pages by headless Chromium, for the docs."""

import subprocess
import tempfile
from html import escape
from pathlib import Path

from PIL import Image

BROWSER = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update")
FRAME_PX = 100
"""At least what the window's own frame, which a headless one has too, takes from its height."""
LONGEST_ROW = 115
"""Characters of 9 pixels that fit the width of `Film.shell`."""


class Film:
    """Pictures of pages and of what a shell prints, numbered as they are taken."""

    def __init__(self, out: Path, root: Path, port: int, mlflow_port: int) -> None:
        self.out, self.root, self.port, self.mlflow_port = out, root, port, mlflow_port
        self.taken = 0

    def dagster(self, path: str) -> None:
        self._take(f"http://127.0.0.1:{self.port}/{path}", 1400, 860)

    def mlflow(self, path: str) -> None:
        # the right quarter is its assistant, which greets whoever comes for the first time
        self._take(f"http://127.0.0.1:{self.mlflow_port}/#/{path}", 1900, 800, shown=1410)

    def shell(self, command: str, printed: str) -> None:
        text = f"$ {command}\n{printed.strip()}".replace(f"{self.root}/", "")
        n_rows = sum(1 + len(row) // LONGEST_ROW for row in text.splitlines())
        style = "background:#111;color:#ddd;font:15px DejaVu Sans Mono,monospace;padding:18px"
        page = (
            f'<body style="{style}"><pre style="white-space:pre-wrap">{escape(text)}</pre></body>'
        )
        with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False) as file:
            file.write(page)
        self._take(f"file://{file.name}", 1100, 80 + 18 * n_rows)
        Path(file.name).unlink()

    def _take(self, url: str, width: int, height: int, *, shown: int | None = None) -> None:
        self.taken += 1
        path = self.out / f"drop-{self.taken}.png"
        with tempfile.TemporaryDirectory() as profile:
            options = [f"--user-data-dir={profile}", f"--window-size={width},{height + FRAME_PX}"]
            options += ["--virtual-time-budget=20000", f"--screenshot={path}"]
            command = [*BROWSER, *QUIET, *options, url]
            subprocess.run(command, capture_output=True, timeout=300, check=True)
        picture = Image.open(path).convert("RGB").crop((0, 0, shown or width, height))
        picture.quantize(64).save(path, optimize=True)  # flat colours: a third of the size
        assert path.stat().st_size < 200_000
