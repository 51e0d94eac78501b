"""A guard in front of a server on loopback, against pages that a browser has open beside it.

A server on ``127.0.0.1`` is out of the network's reach, yet every page in the same machine's
browser can send it requests: under a name of its own that leads here (DNS rebinding, seen in
``Host``) or across origins (seen in ``Origin`` and, where that is left out, in ``Sec-Fetch-Site``:
https://www.w3.org/TR/fetch-metadata/). Programs such as curl send neither header.
"""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = "127.0.0.1"
NAMES = ("localhost", LOOPBACK, "[::1]")
MISDIRECTED, FORBIDDEN = 421, 403


class Guard:
    """ASGI middleware: only this server's own pages, and programs, pass.

    Another host than ours is answered with 421, another origin with 403; a WebSocket of either
    kind is closed before it is accepted, which its client sees as 403. A link or bookmark that
    opens a page of ours (``Sec-Fetch-Mode: navigate`` with GET) is taken from anywhere.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        refused = refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()  # websocket.connect
            await send({"type": "websocket.close", "code": 1008, "reason": refused[1]})
        else:
            await PlainTextResponse(refused[1], refused[0])(scope, receive, send)


def refusal(scope: Scope) -> tuple[int, str] | None:
    """The status and the reason to refuse a request with; none where it may pass.

    Args:
        scope: Of ASGI; ``server`` holds the port that the request came in by.
    """
    hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
    port = scope["server"][1]
    ours = [f"{name}:{port}" for name in NAMES] + (list(NAMES) if port == 80 else [])
    if len(hosts) != 1 or hosts[0].lower() not in ours:
        return MISDIRECTED, f"Host {', '.join(hosts) or 'missing'}: wanted {ours[0]} or {ours[1]}\n"
    if any(origin.lower() != f"http://{hosts[0].lower()}" for origin in origins):
        return FORBIDDEN, f"Origin {', '.join(origins)}: wanted http://{hosts[0]} or none\n"
    sites = _values(scope, b"sec-fetch-site")
    if any(site not in ("same-origin", "none") for site in sites) and not _opens_page(scope):
        return FORBIDDEN, f"Sec-Fetch-Site {', '.join(sites)}: wanted same-origin\n"
    return None


def _opens_page(scope: Scope) -> bool:
    is_get = scope["type"] == "http" and scope["method"] == "GET"
    modes, targets = _values(scope, b"sec-fetch-mode"), _values(scope, b"sec-fetch-dest")
    return is_get and modes == ["navigate"] and targets == ["document"]


def _values(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
