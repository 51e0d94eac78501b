"""``geomag serve``: the champion answers over HTTP on this machine."""

from typing import Annotated

import typer


def serve(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8000,
) -> None:
    """Answer pictures and prompts with the champion; a promotion or rollback takes effect at once.

    Ask it with curl --data-binary @image.tif "http://127.0.0.1:8000/ask?prompt=..."
    """
    import socket

    from geomag.config import project_root
    from geomag.errors import ToolError
    from geomag.serve.guard import LOOPBACK
    from geomag.serve.http import serve as answer

    with socket.socket() as probe:
        if probe.connect_ex((LOOPBACK, port)) == 0:
            raise ToolError(f"port {port}", "something listens there", remedy="--port")
    answer(project_root(), port=port)
