"""GET /sites."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from api.db import Site, reading
from api.http.answers import answer, documented, link
from api.http.auth import Reader
from api.http.context import Parts
from api.http.parameters import CursorQuery, LimitQuery, name, to_cursor
from api.http.shapes import SiteItem, SitePage

router = APIRouter(tags=["registry"])

_EXAMPLE = {
    "items": [{"id": "huairou", "title": "Huairou", "latitude": 40.328, "longitude": 116.628}],
    "next": None,
}


@router.get("/sites", summary="Sites, in the order of their ids", responses=documented(SitePage, example=_EXAMPLE))
def list_sites(
    request: Request, parts: Parts, who: Reader, cursor: CursorQuery = None, limit: LimitQuery = 1000
) -> Response:
    """The places that the caller may know of."""
    query = select(Site).order_by(Site.id).limit(limit + 1)
    if who.site is not None:
        query = query.where(Site.id == who.site)
    if (after := name(cursor)) is not None:
        query = query.where(Site.id > after)
    with reading(parts.engine) as session:
        found = session.scalars(query).all()
    items = [SiteItem(site.id, site.title, site.latitude, site.longitude) for site in found[:limit]]
    return answer(request, SitePage(items, link(request, to_cursor(items[-1].id)) if len(found) > limit else None))
