"""The composition root of the API: it opens the parts, and puts routers, guards and pages together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI

from api.access.tokens import Access
from api.clock import now_ms
from api.config import Settings
from api.db import open_engine
from api.http import openapi, problems
from api.http.context import Context
from api.http.metrics import Metrics, NodeCollector
from api.http.middleware import BodyLimit, Observed, SecurityHeaders
from api.live.hub import Hub, Link
from api.live.states import States
from api.ports import SeriesStore
from api.rest import devices, health, live, quantities, quarantine, readings, series, sites
from api.series import open_store
from api.services import discover
from api.web import pages
from broker.client import Login

MAX_BODY = 65_536
"""Bytes of the largest request body that is read."""


COUNTED = frozenset({"/healthz", "/readyz", "/metrics", "/environment", "/fleet", "/login", "/logout"})
"""Paths besides the API's that metrics name; any other path is "other", so that callers cannot make up labels."""


def create_app(
    settings: Settings, *, store: SeriesStore | None = None, now: Callable[[], int] = now_ms, follow: bool = True
) -> FastAPI:
    """The API and the pages as one application.

    Args:
        settings: as loaded.
        store: where readings are; opened by the settings when None, and closed with the application either way.
        now: the clock.
        follow: connect to the broker for live states.

    Raises:
        ConfigError: the password of the API's account cannot be read.
    """
    engine = open_engine(settings.facts_url)
    parts = Context(settings, engine, store if store is not None else _open_store(settings), Access(engine, now), now)
    hub = Hub(now, settings.zone)
    login = settings.login(settings.mqtt.api_account) if follow else None
    app = FastAPI(
        title="Simpul",
        version=version("simpul"),
        lifespan=lambda _: _running(parts, hub, login),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.context = parts
    app.state.hub = hub
    app.state.metrics = Metrics()
    app.state.metrics.registry.register(NodeCollector(engine, now, lambda: len(hub), lambda: hub.connected))
    _route(app)
    problems.install(app)
    openapi.install(app)
    app.add_middleware(BodyLimit, limit=MAX_BODY)
    app.add_middleware(SecurityHeaders)
    known = COUNTED | app.openapi()["paths"].keys()
    app.add_middleware(Observed, count=app.state.metrics.request, known=known)
    return app


@contextlib.asynccontextmanager
async def _running(parts: Context, hub: Hub, login: Login | None) -> AsyncIterator[None]:
    """From the first request to the last: follow the broker, then let go of everything."""
    states = States(parts.engine, parts.zone, parts.now)
    link = Link(login, hub, asyncio.get_running_loop(), states.render) if login else None
    if link:
        link.start()
    try:
        yield
    finally:
        hub.close()
        if link:
            await asyncio.to_thread(link.stop)
        parts.store.close()
        parts.engine.dispose()


def _route(app: FastAPI) -> None:
    guarded = APIRouter(prefix=openapi.PREFIX, dependencies=[Depends(openapi.only_known_parameters)])
    for resource in (sites, devices, quantities, series, readings, quarantine, live):
        guarded.include_router(resource.router)
    for service in discover().values():
        if service.router is not None:
            guarded.include_router(service.router)
    app.include_router(guarded)
    app.include_router(openapi.router, prefix=openapi.PREFIX)
    app.include_router(health.router)
    app.include_router(pages.router)


def _open_store(settings: Settings) -> SeriesStore:
    return open_store(
        settings.series_url,
        raw_days=settings.retention.raw_days,
        hourly_days=settings.retention.hourly_days,
        day_offset_ms=settings.day_offset_ms,
        read_only=True,
    )
