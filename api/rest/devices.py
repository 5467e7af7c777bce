"""GET /devices."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from api.db import Account, Contact, Device, reading
from api.http.answers import answer, documented, link
from api.http.auth import Reader, visible_site
from api.http.context import Parts
from api.http.parameters import CursorQuery, LimitQuery, SiteQuery, name, to_cursor
from api.http.shapes import DevicePage
from api.live.devices import describe, state_of

router = APIRouter(tags=["registry"])

_EXAMPLE = {
    "items": [
        {
            "id": "station-1",
            "site": "huairou",
            "title": "Huairou, roof",
            "latitude": 40.328,
            "longitude": 116.628,
            "role": "device",
            "revoked": False,
            "online": True,
            "contact": "2026-01-31T07:00:12.345000+07:00",
            "clock": "synced",
            "version": "0.1.0",
            "config": "9f86d081884c",
            "uptime_s": 86400.5,
            "heartbeat_interval_s": 30.0,
            "silent": False,
            "outbox": {"depth": 2, "bytes": 8192, "oldest_s": 0.4, "stuck": 0, "evicted": 0, "refused": 0},
            "messages": {
                "received": 120400,
                "missing": 0,
                "duplicates": 12,
                "quarantined": 0,
                "completeness": 1.0,
            },
            "sensors": [{"name": "air", "driver": "sen5x", "simulated": False, "error": None, "since": None}],
        }
    ],
    "next": None,
}


@router.get(
    "/devices",
    summary="Devices with their last signs of life, in the order of their ids",
    responses=documented(DevicePage, example=_EXAMPLE),
)
def list_devices(
    request: Request,
    parts: Parts,
    who: Reader,
    site: SiteQuery = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 1000,
) -> Response:
    """Every device that the caller may know of, revoked ones included."""
    query = (
        select(Device, Account.role, Contact)
        .outerjoin(Account, Account.name == Device.id)
        .outerjoin(Contact, Contact.device == Device.id)
        .order_by(Device.id)
        .limit(limit + 1)
    )
    if (after := name(cursor)) is not None:
        query = query.where(Device.id > after)
    with reading(parts.engine) as session:
        site = visible_site(session, who, site)
        found = session.execute(query if site is None else query.where(Device.site_id == site)).all()
    now_ms = parts.now()
    items = [
        describe(device, role or "", state_of(contact) if contact else None, now_ms, parts.zone)
        for device, role, contact in found[:limit]
    ]
    return answer(request, DevicePage(items, link(request, to_cursor(items[-1].id)) if len(found) > limit else None))
