"""HTTP/1.1 that waits for a request's head no longer than for anything else.

uvicorn closes an idle connection after an answer, but waits for good for the rest of a head, and
such sockets use up the process's file descriptors.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
"""Longest time from a connection, or a request's first byte, to the end of its head."""


class PromptHeads(H11Protocol):
    """uvicorn's protocol; a connection whose head is not complete in time is closed."""

    head_s = HEAD_S
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.head_s, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrives; the clock runs while a head is incomplete."""
        super().data_received(data)
        if self._has_request():
            self._stop_clock()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.head_s, self._give_up)

    def _has_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self._has_request():
            self.transport.close()
