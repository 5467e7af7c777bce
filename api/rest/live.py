"""GET /live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.db import reading
from api.http.auth import Reader, visible_device, visible_site
from api.http.context import Parts
from api.http.parameters import DeviceQuery, SiteQuery
from api.live.hub import Hub, Watcher

router = APIRouter(tags=["live"])

_SAYS = """The present state of every device, then each change, as Server-Sent Events.

- `latest`: `{site, device, values: [{sensor, quantity, at, value, quality}]}`, a device's newest values, all of them.
- `device`: the same object as an item of /devices.
- `online`, `offline`: `{since}`; whether this server follows the broker; while it does not, nothing is live.

A slow reader gets the newest state and not each one in between. With `Last-Event-ID` only what has changed since is
sent. The stream ends when the token does.
"""

_EXAMPLE = """event: online
data: {"since":"2026-01-31T06:00:00+07:00"}

event: latest
id: 0123456789abcdef-41
data: {"site":"huairou","device":"station-1","values":[{"sensor":"air","quantity":"pm2_5",\
"at":"2026-01-31T07:00:00+07:00","value":38.5,"quality":2}]}
"""


def hub(request: Request) -> Hub:
    """The hub of the app that serves `request`."""
    found = request.app.state.hub
    if not isinstance(found, Hub):
        raise TypeError("create_app puts the hub into app.state")
    return found


def visible(
    parts: Parts, who: Reader, site: SiteQuery = None, device: DeviceQuery = None
) -> tuple[str | None, str | None]:
    """What the caller may and wants to watch."""
    with reading(parts.engine) as session:
        return visible_site(session, who, site), visible_device(session, who, device)


async def join(
    of: Annotated[Hub, Depends(hub)],
    asked: Annotated[tuple[str | None, str | None], Depends(visible)],
    last_event_id: Annotated[str | None, Header(description="Resume after this event.")] = None,
) -> AsyncIterator[Watcher]:
    """A watcher for as long as the request lasts."""
    watcher = of.join(*asked, last_event_id)
    try:
        yield watcher
    finally:
        of.leave(watcher)


@router.get(
    "/live",
    summary="Live states as Server-Sent Events",
    description=_SAYS,
    response_class=EventSourceResponse,
    responses={200: {"description": "A stream.", "content": {"text/event-stream": {"example": _EXAMPLE}}}},
)
async def stream(
    parts: Parts, who: Reader, of: Annotated[Hub, Depends(hub)], watcher: Annotated[Watcher, Depends(join)]
) -> AsyncIterator[ServerSentEvent]:
    """Events until the reader goes, the token ends, or the process does."""
    loop = asyncio.get_running_loop()
    checked_s = loop.time()
    while not watcher.closed:
        for event in await watcher.changes(of.recheck_s):
            yield ServerSentEvent(event=event.name, id=of.id_of(event), raw_data=event.data)
        if loop.time() - checked_s >= of.recheck_s:
            if not await run_in_threadpool(parts.access.still, who):
                return
            checked_s = loop.time()
