"""``geomag serve``: the champion over HTTP, on this machine only.

``POST /ask?prompt=...`` with a picture's bytes as the body gives an answer as JSON; ``GET /health``
says which version serves. One request is answered at a time, a few wait, more are sent away. A
request waits once its picture is here, so whoever sends slowly keeps nobody else from an answer.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from geomag.errors import GeoMagError, ToolError
from geomag.serve.champion import Champion
from geomag.serve.guard import LOOPBACK, Guard
from geomag.serve.protocol import PromptHeads

MOST_HELD = 4
"""Most pictures of the largest size in memory at once, those that still arrive included."""
LOOK_S = 0.01
"""Seconds given to the news that a client left before the work for it starts."""
RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may ask of the service."""

    max_bytes: int = 256_000_000
    """Most bytes of a picture; a larger one is refused while it arrives."""
    most_waiting: int = 8
    """Most requests that wait while one is answered; more are sent away."""
    read_s: float = 10.0
    """Longest pause between two parts of a picture."""
    upload_s: float = 60.0
    """Longest time that a picture takes to arrive."""


class TooLargeError(GeoMagError):
    """The body is larger than the service takes."""


class SlowError(GeoMagError):
    """The body does not arrive."""


class BusyError(GeoMagError):
    """Refusal while other requests are first; it is worth another try."""


class Service:
    """The routes and the queue in front of one model."""

    def __init__(self, champion: Champion, limits: Limits) -> None:
        self._champion = champion
        self._limits = limits
        self._present = 0
        self._held_bytes = 0
        self._turn = anyio.Lock()

    async def ask(self, request: Request) -> Response:
        """Answer one picture and prompt."""
        try:
            return await self._answer(request)
        except BusyError as wrong:
            return _refusal(wrong, 503, {"Retry-After": str(RETRY_AFTER_S)})
        except SlowError as wrong:
            return _refusal(wrong, 408, {"Connection": "close"})
        except TooLargeError as wrong:
            return _refusal(wrong, 413)
        except GeoMagError as wrong:
            return _refusal(wrong, 503 if isinstance(wrong, ToolError) else 422)
        except ClientDisconnect:
            return Response(status_code=499)

    async def health(self, request: Request) -> Response:
        """Tell which version serves, and why another one does not."""
        try:
            serving = await anyio.to_thread.run_sync(self._champion.current)
        except GeoMagError as wrong:
            return _refusal(wrong, 503)
        version = serving.version
        said = {"version": version.number, "candidate": version.candidate}
        return JSONResponse({**said, "problem": self._champion.problem})

    async def _answer(self, request: Request) -> Response:
        """Take the picture in, wait for the turn, answer; give place and turn back at the end."""
        prompt, params = _asked(request)
        self._refuse_busy()  # before the picture is sent, and again when it is here
        content = bytearray()
        try:
            await self._read(request, content)
            with self._place():
                await self._await_turn(request)
                try:

                    def ask() -> dict[str, Any]:
                        return self._champion.ask(bytes(content), prompt, **params)

                    return JSONResponse(await anyio.to_thread.run_sync(ask))
                finally:
                    self._turn.release()
        finally:
            self._held_bytes -= len(content)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A place in the queue, or at the model."""
        self._refuse_busy()
        self._present += 1
        try:
            yield
        finally:
            self._present -= 1

    def _refuse_busy(self) -> None:
        if self._present > self._limits.most_waiting:
            raise BusyError("geomag serve", f"{self._present} requests are waiting")

    async def _await_turn(self, request: Request) -> None:
        """Return with `_turn` taken; whoever leaves before gives up its place at once."""
        is_gone = has_turn = False
        async with anyio.create_task_group() as both:

            async def watch() -> None:
                nonlocal is_gone
                while (await request.receive())["type"] != "http.disconnect":
                    pass
                is_gone = True
                both.cancel_scope.cancel()

            both.start_soon(watch)
            await self._turn.acquire()
            has_turn = True
            await anyio.sleep(LOOK_S)
            both.cancel_scope.cancel()
        if is_gone:
            if has_turn:
                self._turn.release()
            raise ClientDisconnect

    async def _read(self, request: Request, content: bytearray) -> None:
        """Append the body to ``content``, in time and within the limits."""
        limits = self._limits
        if int(request.headers.get("content-length") or 0) > limits.max_bytes:
            raise self._too_large()
        parts = request.stream()
        end = anyio.current_time() + limits.upload_s
        while True:
            with anyio.CancelScope(
                deadline=min(end, anyio.current_time() + limits.read_s)
            ) as waiting:
                part = await anext(parts, None)
            if waiting.cancelled_caught:
                wanted = f"a part each {limits.read_s:g} s, all within {limits.upload_s:g} s"
                raise SlowError("body", f"{len(content):,} bytes, then nothing in time", wanted)
            if part is None:
                break
            content += part
            self._held_bytes += len(part)
            if len(content) > limits.max_bytes:  # sent in chunks, it does not say its size ahead
                raise self._too_large()
            if self._held_bytes > MOST_HELD * limits.max_bytes:
                raise BusyError("geomag serve", "too many large pictures arrive at once")
        if not content:
            raise GeoMagError("body", "empty", "the bytes of a JPEG, PNG or GeoTIFF file")

    def _too_large(self) -> TooLargeError:
        return TooLargeError("body", "too large", f"at most {self._limits.max_bytes:,} bytes")


def application(champion: Champion, limits: Limits | None = None) -> Starlette:
    """The ASGI application; no page but our own, of which there is none, gets an answer."""
    service = Service(champion, limits or Limits())
    routes = [
        Route("/ask", service.ask, methods=["POST"]),
        Route("/health", service.health, methods=["GET"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard)])


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
        application(champion),
        host=LOOPBACK,
        port=port,
        log_level="warning",
        server_header=False,
        http=PromptHeads,
        proxy_headers=False,
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
