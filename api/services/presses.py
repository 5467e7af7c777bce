"""Button presses: each is kept as a row, and people and programs read them in the order of their times."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from sqlalchemy import Select, insert, select, tuple_
from sqlalchemy.orm import Session

from api.db import Press, reading
from api.http.answers import answer, documented, link, local
from api.http.auth import Reader, visible_device, visible_site
from api.http.context import Parts
from api.http.parameters import (
    ButtonQuery,
    CursorQuery,
    DeviceQuery,
    FromQuery,
    LimitQuery,
    SiteQuery,
    ToQuery,
    check_range,
    numbers,
    to_cursor,
)
from api.http.shapes import PressItem, PressPage
from api.spec import Arrival, Service
from broker.contract.messages import Press as PressMessage
from broker.contract.topics import PRESS

router = APIRouter(tags=["presses"])

_EXAMPLE = {
    "items": [
        {
            "id": 812,
            "site": "clinic-1",
            "device": "kiosk-1",
            "button": "ticket",
            "at": "2026-01-31T07:00:00.120000+07:00",
            "received": "2026-01-31T07:00:00.134000+07:00",
            "count": 57,
            "clock": "synced",
        }
    ],
    "next": None,
}


_INSERT = insert(Press)


def keep(session: Session, arrival: Arrival) -> None:
    """A press becomes a row; ingest's inbox sees to it that it becomes one only once (promise P2)."""
    press = arrival.message
    if not isinstance(press, PressMessage):
        raise TypeError(f"{arrival.kind} carries {type(press).__name__}")
    session.execute(
        _INSERT,
        {
            "site": arrival.site,
            "device": arrival.device,
            "button": press.button,
            "at_ms": round(press.at * 1000),
            "received_ms": arrival.received_ms,
            "count": press.count,
            "clock": press.clock.value,
        },
    )


@router.get("/presses", summary="Button presses, oldest first", responses=documented(PressPage, example=_EXAMPLE))
def list_presses(
    request: Request,
    parts: Parts,
    who: Reader,
    site: SiteQuery = None,
    device: DeviceQuery = None,
    button: ButtonQuery = None,
    start: FromQuery = None,
    end: ToQuery = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 1000,
) -> Response:
    """Presses in the order of the times at which the contacts closed; all there are where no time is given."""
    check_range(start, end)
    with reading(parts.engine) as session:
        site = visible_site(session, who, site)
        device = visible_device(session, who, device)
        query = _query(site=site, device=device, button=button, start=start, end=end, after=numbers(cursor, 2))
        found = session.scalars(query.limit(limit + 1)).all()
    shown = found[:limit]
    following = link(request, to_cursor(shown[-1].at_ms, shown[-1].id)) if len(found) > limit else None
    return answer(request, PressPage([_item(press, parts.zone) for press in shown], following))


def _query(
    *,
    site: str | None,
    device: str | None,
    button: str | None,
    start: int | None,
    end: int | None,
    after: tuple[int, ...] | None,
) -> Select[Any]:
    query = select(Press).order_by(Press.at_ms, Press.id)
    for column, value in ((Press.site, site), (Press.device, device), (Press.button, button)):
        if value is not None:
            query = query.where(column == value)
    if start is not None:
        query = query.where(Press.at_ms >= start)
    if end is not None:
        query = query.where(Press.at_ms < end)
    if after is not None:
        query = query.where(tuple_(Press.at_ms, Press.id) > after)
    return query


def _item(press: Press, zone: ZoneInfo) -> PressItem:
    return PressItem(
        id=press.id,
        site=press.site,
        device=press.device,
        button=press.button,
        at=local(press.at_ms, zone),
        received=local(press.received_ms, zone),
        count=press.count,
        clock=press.clock,
    )


SERVICE = Service(
    name="presses",
    says="keeps each press of a button and lists them",
    handlers={PRESS.name: keep},
    router=router,
)
