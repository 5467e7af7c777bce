"""/healthz, /readyz and /metrics: for whoever keeps the process running."""

from __future__ import annotations

import logging
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from api.db import reading
from api.errors import ForbiddenError
from api.http.answers import JSON
from api.http.auth import Visitor, reader
from api.http.context import Context, Parts
from api.live.hub import Hub
from api.migrations import is_current
from api.ports import SeriesStoreError
from api.rest.live import hub

router = APIRouter(include_in_schema=False)

_log = logging.getLogger(__name__)


class Readiness(msgspec.Struct, frozen=True):
    """Each part as a word: "ok", "away", or "not migrated"."""

    facts: str
    series: str
    mqtt: str


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process is up."""
    return {"status": "up"}


@router.get("/readyz")
def readyz(parts: Parts, of: Annotated[Hub, Depends(hub)]) -> Response:
    """200 when the process can do all its work, else 503; the body says what is missing."""
    state = Readiness(_facts(parts), _series(parts), "ok" if of.connected else "away")
    ready = (state.facts, state.series, state.mqtt) == ("ok", "ok", "ok")
    return Response(msgspec.json.encode(state), 200 if ready else 503, {"Cache-Control": "no-store"}, JSON)


@router.get("/metrics")
def metrics(request: Request, parts: Parts, who: Visitor) -> Response:
    """Prometheus metrics; with a token of the whole city unless the settings make them public."""
    if not parts.settings.http.metrics_public and reader(who).site is not None:
        raise ForbiddenError("metrics are about all sites, and the token is for one")
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _facts(parts: Context) -> str:
    try:
        with reading(parts.engine) as session:
            return "ok" if is_current(session.connection()) else "not migrated"
    except SQLAlchemyError:
        _log.warning("the facts cannot be read", exc_info=True)
        return "away"


def _series(parts: Context) -> str:
    try:
        parts.store.series(limit=1)
    except SeriesStoreError as error:
        _log.warning("the series cannot be read: %s", error)
        return "away"
    return "ok"
