"""The pages as a client of our own API: the same answers and permissions, without a way through the network."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import msgspec
from fastapi import Request
from starlette.types import Message

from api.http.parameters import MAX_LIMIT

API = "/api/v1"


class ApiRefusal(Exception):
    """The API did not answer with what was asked.

    Args:
        status: its HTTP status.
        detail: what it said, for people.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


async def get(request: Request, path: str, **query: str) -> Any:
    """What GET `/api/v1<path>` answers to whoever sent `request`. Raises ApiRefusal."""
    target, _, own_query = path.removeprefix(API).partition("?")
    answer = _Answer()
    await request.app(_scope(request, target, own_query or urlencode(query)), _nothing_to_read(), answer.receive)
    try:
        body = msgspec.json.decode(answer.body) if answer.body else {}
    except msgspec.DecodeError:
        body = {}
    if answer.status != 200:
        detail = body.get("detail") or body.get("title") if isinstance(body, dict) else None
        raise ApiRefusal(answer.status, str(detail or ""))
    return body


async def items(request: Request, path: str, **query: str) -> list[Any]:
    """All items of a paged answer, page after page to the end. Raises ApiRefusal."""
    page = await get(request, path, limit=str(MAX_LIMIT), **query)
    found: list[Any] = list(page["items"])
    while page.get("next"):
        page = await get(request, page["next"])
        found.extend(page["items"])
    return found


class _Answer:
    """Collects an ASGI response."""

    def __init__(self) -> None:
        self.status = 500
        self.body = b""

    async def receive(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


def _scope(request: Request, target: str, query: str) -> dict[str, Any]:
    """The scope of `request` turned into a GET of another path, its caller unchanged and its conditions left out."""
    kept = {b"host", b"cookie", b"authorization", b"x-forwarded-for", b"x-forwarded-proto"}
    path = request.scope.get("root_path", "") + API + target
    return {
        "type": "http",
        "asgi": request.scope["asgi"],
        "http_version": request.scope["http_version"],
        "method": "GET",
        "scheme": request.scope["scheme"],
        "path": path,
        "raw_path": path.encode(),
        "root_path": request.scope.get("root_path", ""),
        "query_string": query.encode(),
        "headers": [header for header in request.scope["headers"] if header[0] in kept],
        "client": request.scope.get("client"),
        "server": request.scope.get("server"),
        "state": request.scope.get("state", {}),
    }


def _nothing_to_read() -> Any:
    """A request without a body whose caller stays on the line."""
    told = False

    async def receive() -> Message:
        nonlocal told
        if told:
            await asyncio.Event().wait()
        told = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive
