"""``geomag serve``: the champion over HTTP, on this machine only.

``POST /ask?prompt=...`` with a picture's bytes as the body gives an answer as JSON; ``GET /health``
says which version serves. One request is answered at a time, a few wait, more are sent away.
"""

import os
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from geomag.errors import GeoMagError, ToolError
from geomag.serve.champion import Champion

LOOPBACK = "127.0.0.1"
MAX_BYTES = 256_000_000
"""Most bytes of a picture; a larger one is refused while it arrives."""
MOST_WAITING = 8
RETRY_AFTER_S = 5


class TooLargeError(GeoMagError):
    """The body is larger than the service takes."""


class Service:
    """The routes and the queue in front of one model."""

    def __init__(self, champion: Champion, *, max_bytes: int, most_waiting: int) -> None:
        self._champion = champion
        self._max_bytes = max_bytes
        self._most = most_waiting
        self._present = 0
        self._turn = anyio.Lock()

    async def ask(self, request: Request) -> Response:
        """Answer one picture and prompt."""
        if self._present > self._most:
            busy = GeoMagError("geomag serve", f"{self._present} requests are waiting")
            return _refusal(busy, 503, {"Retry-After": str(RETRY_AFTER_S)})
        self._present += 1
        try:
            return await self._answer(request)
        except TooLargeError as wrong:
            return _refusal(wrong, 413)
        except GeoMagError as wrong:
            return _refusal(wrong, 503 if isinstance(wrong, ToolError) else 422)
        except ClientDisconnect:
            return Response(status_code=499)
        finally:
            self._present -= 1

    async def health(self, request: Request) -> Response:
        """Which version serves, and why another one does not."""
        try:
            serving = await anyio.to_thread.run_sync(self._champion.current)
        except GeoMagError as wrong:
            return _refusal(wrong, 503)
        version = serving.version
        said = {"version": version.number, "candidate": version.candidate}
        return JSONResponse({**said, "problem": self._champion.problem})

    async def _answer(self, request: Request) -> Response:
        prompt, params = _asked(request)
        content = await self._body(request)
        async with self._turn:
            if await request.is_disconnected():  # whoever asked has gone: nothing is computed
                raise ClientDisconnect

            def ask() -> dict[str, Any]:
                return self._champion.ask(content, prompt, **params)

            return JSONResponse(await anyio.to_thread.run_sync(ask))

    async def _body(self, request: Request) -> bytes:
        content = bytearray()
        if int(request.headers.get("content-length") or 0) > self._max_bytes:
            raise self._too_large()
        async for chunk in request.stream():
            content += chunk
            if len(content) > self._max_bytes:  # sent in chunks, it does not say its size ahead
                raise self._too_large()
        if not content:
            raise GeoMagError("body", "empty", "the bytes of a JPEG, PNG or GeoTIFF file")
        return bytes(content)

    def _too_large(self) -> TooLargeError:
        return TooLargeError("body", "too large", f"at most {self._max_bytes:,} bytes")


def application(
    champion: Champion, *, max_bytes: int = MAX_BYTES, most_waiting: int = MOST_WAITING
) -> Starlette:
    """The ASGI application; only requests that name this machine as host are taken."""
    service = Service(champion, max_bytes=max_bytes, most_waiting=most_waiting)
    # a page in a browser could otherwise reach us under a name of its own that leads here
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", LOOPBACK])
    routes = [
        Route("/ask", service.ask, methods=["POST"]),
        Route("/health", service.health, methods=["GET"]),
    ]
    return Starlette(routes=routes, middleware=[hosts])


def serve(root: Path, *, port: int) -> None:
    """Serve until we are told to stop; the champion is loaded before the port opens.

    Raises:
        WeightsError: If there is no champion, or it cannot be loaded.
        ToolError: If MLflow does not answer.
    """
    champion = Champion(root)
    number = champion.current().version.number
    sys.stdout.write(f"version {number} at http://{LOOPBACK}:{port}/ask, process {os.getpid()}\n")
    sys.stdout.flush()
    uvicorn.run(
        application(champion), host=LOOPBACK, port=port, log_level="warning", server_header=False
    )


def _asked(request: Request) -> tuple[str, dict[str, Any]]:
    """The prompt and the model's parameters, of the query string."""
    query = request.query_params
    if unknown := sorted(set(query) - {"prompt", "arm", "bands"}):
        raise GeoMagError("query", f"unknown {', '.join(unknown)}", "prompt, arm, bands")
    arm = query.get("arm", "magcrop")
    if arm not in ("magcrop", "plain"):
        raise GeoMagError("query, arm", repr(arm), "magcrop or plain")
    params = {"magcrop": arm == "magcrop", "bands": query.get("bands", "")}
    return query.get("prompt", ""), params


def _refusal(wrong: GeoMagError, status: int, headers: dict[str, str] | None = None) -> Response:
    said = {"place": wrong.place, "found": wrong.found, "wanted": wrong.wanted}
    error = {**said, "remedy": wrong.remedy, "message": str(wrong)}
    return JSONResponse({"error": error}, status_code=status, headers=headers)
