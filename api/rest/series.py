"""GET /series and GET /latest."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from api.access.tokens import Principal
from api.db import reading
from api.freshness import stale_after_ms
from api.http.answers import answer, documented, link, local
from api.http.auth import Reader, visible_device, visible_site
from api.http.context import Context, Parts
from api.http.parameters import (
    CursorQuery,
    DeviceQuery,
    LimitQuery,
    Quantity,
    QuantityQuery,
    SiteQuery,
    numbers,
    to_cursor,
)
from api.http.shapes import LatestItem, LatestPage, SeriesItem, SeriesPage
from api.ports import Sample, SeriesInfo
from broker.contract.quantities import QUANTITIES

router = APIRouter(tags=["readings"])

SERIES_EXAMPLE = {
    "id": 7,
    "site": "huairou",
    "device": "station-1",
    "sensor": "air",
    "quantity": "pm2_5",
    "unit": "ug/m3",
    "first": "2025-12-01T00:00:00+07:00",
    "last": "2026-01-31T07:00:00+07:00",
    "interval_s": 3600.0,
}

_LATEST_EXAMPLE = {
    "series": 7,
    "site": "huairou",
    "device": "station-1",
    "sensor": "air",
    "quantity": "pm2_5",
    "unit": "ug/m3",
    "at": "2026-01-31T07:00:00+07:00",
    "value": 38.5,
    "quality": 2,
    "age_s": 12.3,
    "stale": False,
    "stale_after_s": 10800.0,
}


@router.get(
    "/series",
    summary="Series: one quantity of one sensor on one device",
    responses=documented(SeriesPage, example={"items": [SERIES_EXAMPLE], "next": None}),
)
def list_series(
    request: Request,
    parts: Parts,
    who: Reader,
    site: SiteQuery = None,
    device: DeviceQuery = None,
    quantity: QuantityQuery = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 1000,
) -> Response:
    """Series in the order of their ids, which never change."""
    found, following = _series(request, parts, who, site, device, quantity, cursor, limit)
    return answer(request, SeriesPage([series_item(info, parts.zone) for info in found], following))


@router.get(
    "/latest",
    summary="The newest value of each series, with its age",
    responses=documented(LatestPage, example={"items": [_LATEST_EXAMPLE], "next": None}),
)
def list_latest(
    request: Request,
    parts: Parts,
    who: Reader,
    site: SiteQuery = None,
    device: DeviceQuery = None,
    quantity: QuantityQuery = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 1000,
) -> Response:
    """The newest value by measurement time; one that is stale says so and never looks live (promise P5)."""
    found, following = _series(request, parts, who, site, device, quantity, cursor, limit)
    newest = parts.store.latest([info.id for info in found])
    now_ms = parts.now()
    items = [_latest(info, newest[info.id], now_ms, parts.zone) for info in found if info.id in newest]
    return answer(request, LatestPage(items, following))


def series_item(info: SeriesInfo, zone: ZoneInfo) -> SeriesItem:
    """A series as the API shows it."""
    return SeriesItem(
        id=info.id,
        site=info.key.site,
        device=info.key.device,
        sensor=info.key.sensor,
        quantity=info.key.quantity,
        unit=_unit(info),
        first=local(info.first_ms, zone),
        last=local(info.last_ms, zone),
        interval_s=info.interval_ms / 1000 if info.interval_ms else None,
    )


def _latest(info: SeriesInfo, sample: Sample, now_ms: int, zone: ZoneInfo) -> LatestItem:
    age_ms = max(0, now_ms - sample.at_ms)
    stale_ms = stale_after_ms(info.interval_ms)
    return LatestItem(
        series=info.id,
        site=info.key.site,
        device=info.key.device,
        sensor=info.key.sensor,
        quantity=info.key.quantity,
        unit=_unit(info),
        at=local(sample.at_ms, zone),
        value=sample.value,
        quality=sample.quality,
        age_s=age_ms / 1000,
        stale=age_ms > stale_ms,
        stale_after_s=stale_ms / 1000,
    )


def _series(
    request: Request,
    parts: Context,
    who: Principal,
    site: str | None,
    device: str | None,
    quantity: Quantity | None,
    cursor: str | None,
    limit: int,
) -> tuple[list[SeriesInfo], str | None]:
    """One page of the series that the caller may know of, and the address of the next."""
    (after,) = numbers(cursor, 1) or (0,)
    with reading(parts.engine) as session:
        site = visible_site(session, who, site)
        device = visible_device(session, who, device)
    found = parts.store.series(site=site, device=device, quantity=quantity, after=after, limit=limit + 1)
    following = link(request, to_cursor(found[limit - 1].id)) if len(found) > limit else None
    return found[:limit], following


def _unit(info: SeriesInfo) -> str:
    quantity = QUANTITIES.get(info.key.quantity)
    return quantity.unit if quantity else ""
