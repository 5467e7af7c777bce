"""GET /quarantine."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.db import Device, Quarantine, QuarantineCount, reading
from api.http.answers import answer, documented, link, local
from api.http.auth import Reader, visible_device, visible_site
from api.http.context import Parts
from api.http.parameters import CursorQuery, DeviceQuery, LimitQuery, ReasonQuery, SiteQuery, numbers, to_cursor
from api.http.shapes import QuarantineItem, QuarantinePage

router = APIRouter(tags=["operations"])

PREVIEW_BYTES = 200

_EXAMPLE = {
    "items": [
        {
            "id": 31,
            "received": "2026-01-31T07:00:00+07:00",
            "site": "huairou",
            "device": "station-1",
            "topic": "city/huairou/station-1/up/readings",
            "reason": "unknown_quantity",
            "detail": "'air/smell' is no [sensor/]quantity of the contract",
            "size": 214,
            "preview": '{"v":1,"epoch":"0123456789ab"',
        }
    ],
    "next": None,
    "totals": {"unknown_quantity": 1},
}


@router.get(
    "/quarantine",
    summary="Messages and readings that were put aside, newest first",
    responses=documented(QuarantinePage, example=_EXAMPLE),
)
def list_quarantine(
    request: Request,
    parts: Parts,
    who: Reader,
    site: SiteQuery = None,
    device: DeviceQuery = None,
    reason: ReasonQuery = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 100,
) -> Response:
    """What could not be used and why (promise P4); `totals` counts what ever was, also what is no longer kept."""
    query = select(Quarantine).order_by(Quarantine.id.desc()).limit(limit + 1)
    if (before := numbers(cursor, 1)) is not None:
        query = query.where(Quarantine.id < before[0])
    if reason is not None:
        query = query.where(Quarantine.reason == reason.value)
    with reading(parts.engine) as session:
        site = visible_site(session, who, site)
        device = visible_device(session, who, device)
        if site is not None:
            query = query.where(Quarantine.site == site)
        if device is not None:
            query = query.where(Quarantine.device == device)
        found = session.scalars(query).all()
        totals = _totals(session, site, device)
    items = [_item(row, parts.zone) for row in found[:limit]]
    following = link(request, to_cursor(items[-1].id)) if len(found) > limit else None
    return answer(request, QuarantinePage(items, following, totals))


def _totals(session: Session, site: str | None, device: str | None) -> dict[str, int]:
    query = select(QuarantineCount.reason, func.sum(QuarantineCount.total)).group_by(QuarantineCount.reason)
    if site is not None:
        query = query.where(QuarantineCount.device.in_(select(Device.id).where(Device.site_id == site)))
    if device is not None:
        query = query.where(QuarantineCount.device == device)
    return {reason: int(total) for reason, total in session.execute(query.order_by(QuarantineCount.reason)).all()}


def _item(row: Quarantine, zone: ZoneInfo) -> QuarantineItem:
    return QuarantineItem(
        id=row.id,
        received=local(row.received_ms, zone),
        site=row.site,
        device=row.device,
        topic=row.topic,
        reason=row.reason,
        detail=row.detail,
        size=row.size,
        preview=preview(row.payload),
    )


def preview(payload: bytes) -> str:
    """The beginning of a payload as text that harms no terminal and no page."""
    text = payload[:PREVIEW_BYTES].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "." for character in text)
