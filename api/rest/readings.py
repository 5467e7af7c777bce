"""GET /readings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from api.access.tokens import Principal
from api.errors import NotFoundError
from api.http.answers import answer, documented, link, local
from api.http.auth import Reader
from api.http.context import Context, Parts
from api.http.parameters import CursorQuery, FromQuery, LimitQuery, ToQuery, check_range, numbers, to_cursor
from api.http.shapes import BucketItem, BucketPage, RawItem, RawPage
from api.ports import Bucket, Sample, SeriesInfo
from api.rest.series import SERIES_EXAMPLE, series_item

router = APIRouter(tags=["readings"])

DAY_MS = 86_400_000

WIDTHS_MS = {"1m": 60_000, "10m": 600_000, "1h": 3_600_000, "1d": DAY_MS}

Interval = Literal["raw", "1m", "10m", "1h", "1d"]

_EXAMPLE = {
    "series": SERIES_EXAMPLE,
    "interval": "1d",
    "from": "2026-01-30T00:00:00+07:00",
    "to": "2026-01-31T00:00:00+07:00",
    "items": [
        {
            "start": "2026-01-30T00:00:00+07:00",
            "count": 23,
            "failed": 0,
            "min": 12.0,
            "mean": 35.2,
            "max": 71.0,
            "sum": 809.6,
            "expected": 24,
            "completeness": 0.9583333333333334,
        }
    ],
    "next": None,
}


@router.get(
    "/readings",
    summary="Readings of one series by time, raw or per interval",
    responses=documented(RawPage, BucketPage, example=_EXAMPLE),
)
def list_readings(
    request: Request,
    parts: Parts,
    who: Reader,
    series: Annotated[int, Query(ge=1, lt=2**63, description="Id of the series, from /series.", examples=[7])],
    start: FromQuery = None,
    end: ToQuery = None,
    interval: Annotated[Interval, Query(description="Each reading, or one item for so long.")] = "raw",
    cursor: CursorQuery = None,
    limit: LimitQuery = 1000,
) -> Response:
    """Readings in time order; without `to` up to now, without `from` of the day before `to`.

    An interval that holds nothing is absent: a gap stays a gap. Days begin at the city's midnight.
    """
    info = _found(parts, who, series)
    end = parts.now() if end is None else end
    start = end - DAY_MS if start is None else start
    check_range(start, end)
    (position,) = numbers(cursor, 1) or (start,)
    first = min(max(start, position), end)
    zone = parts.zone
    head = series_item(info, zone), interval, local(start, zone), local(end, zone)
    if interval == "raw":
        samples = parts.store.samples(info.id, first, end, limit=limit + 1)
        following = samples[limit - 1].at_ms + 1 if len(samples) > limit else None
        raw = [_raw(sample, zone) for sample in samples[:limit]]
        return answer(request, RawPage(*head, raw, _next(request, head[2], head[3], following)))
    offset_ms = parts.settings.day_offset_ms if interval == "1d" else 0
    buckets = parts.store.buckets(info.id, first, end, WIDTHS_MS[interval], offset_ms=offset_ms, limit=limit + 1)
    following = buckets[limit - 1].start_ms + 1 if len(buckets) > limit else None
    items = [_bucket(bucket, zone) for bucket in buckets[:limit]]
    return answer(request, BucketPage(*head, items, _next(request, head[2], head[3], following)))


def _found(parts: Context, who: Principal, series: int) -> SeriesInfo:
    info = parts.store.find([series]).get(series)
    if info is None or who.site not in {None, info.key.site}:
        raise NotFoundError(f"there is no series {series}")
    return info


def _next(request: Request, start: datetime, end: datetime, position: int | None) -> str | None:
    """The next page keeps the span that this one settled, so that pages end however long they take to read."""
    if position is None:
        return None
    return link(request, to_cursor(position), **{"from": start.isoformat(), "to": end.isoformat()})


def _raw(sample: Sample, zone: ZoneInfo) -> RawItem:
    return RawItem(local(sample.at_ms, zone), sample.value, sample.quality)


def _bucket(bucket: Bucket, zone: ZoneInfo) -> BucketItem:
    return BucketItem(
        start=local(bucket.start_ms, zone),
        count=bucket.count,
        failed=bucket.failed,
        min=bucket.minimum,
        mean=bucket.mean,
        max=bucket.maximum,
        sum=bucket.total,
        expected=bucket.expected,
        completeness=min(1.0, bucket.count / bucket.expected) if bucket.expected else None,
    )
