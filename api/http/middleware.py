"""Around every request: a limit to its body, security headers, the access log, and the counting of requests."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problems import respond

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_log = logging.getLogger("api.access_log")


class SecurityHeaders:
    """Adds what keeps a page from being framed, sniffed, or fed with foreign content; a route's own header wins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class BodyLimit:
    """Refuses a request body that is larger than `limit` bytes, told so beforehand or found out while reading."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length[:20]) > self._limit:
            await respond(Request(scope), 413, self._says)(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                raise HTTPException(413, self._says)
            return message

        await self._app(scope, counted, send)

    @property
    def _says(self) -> str:
        return f"a body of at most {self._limit} bytes is taken"


class Observed:
    """Logs and counts each request when its answer begins; of the URL the path alone, because queries may be private.

    Args:
        count: called with method, path, status and seconds.
        known: the server's own paths; any other is counted as "other".
    """

    def __init__(self, app: ASGIApp, count: Callable[[str, str, int, float], None], known: frozenset[str]) -> None:
        self._app = app
        self._count = count
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._observe(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, observed)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        method, path = scope["method"], scope["path"]
        address = scope["client"][0] if scope.get("client") else "-"
        self._count(method if len(method) <= 8 else "OTHER", path if path in self._known else "other", status, seconds)
        _log.info("%s %s %s %d %.1f ms", address, method[:16], _printable(path), status, seconds * 1000)


def _printable(path: str) -> str:
    return "".join(character if character.isprintable() and character != " " else "?" for character in path[:200])
