"""The pages: environment, stations, fleet, signing in and out. They know what the API tells whoever asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from api.errors import NotFoundError, Problem, TooManyAttemptsError, UnauthorizedError
from api.http import auth
from api.http.context import Parts
from api.web import answers, assets, drawing, fleet, own_api, stations
from api.web.i18n import LANGUAGES

RANGES = ("1h", "6h", "24h", "7d", "30d", "60d")
"""The periods a station's charts can show; `static/js/series.js` knows their lengths."""

ENTRIES = 20
"""Quarantined messages listed on the fleet page; the API pages through all of them."""

PREFERENCE_S = 365 * 86_400


class _Page(APIRoute):
    """A route that says to people what went wrong, and sends who is not signed in to the sign-in page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except own_api.ApiRefusal as refusal:
                return _refused(request, refusal.status, refusal.detail)
            except Problem as problem:
                return _refused(request, problem.status, problem.detail)

        return guarded


router = APIRouter(include_in_schema=False)
pages = APIRouter(include_in_schema=False, route_class=_Page)


@pages.get("/")
def start() -> Response:
    """The environment is where everybody begins."""
    return RedirectResponse("/environment", 307)


@pages.get("/environment")
async def environment(request: Request) -> Response:
    """Every station with its newest values."""
    found = await _stations(request)
    now_ms = drawing.reader(request).now_ms
    return drawing.page(
        request,
        "environment.html",
        here="environment",
        stations=found,
        stale_total=sum(station.stale_count(now_ms) for station in found),
        map=stations.chart(found),
    )


@pages.get("/environment/{device}")
async def station(request: Request, device: str) -> Response:
    """One station and its charts."""
    found = await _stations(request, device)
    if not found:
        _ = drawing.reader(request).speech.gettext
        raise NotFoundError(_("There is no such station, or it has no values yet."))
    asked = request.query_params.get("range", "24h")
    return drawing.page(
        request,
        "station.html",
        here="environment",
        station=found[0],
        ranges=_ranges(request),
        range=asked if asked in RANGES else "24h",
    )


@pages.get("/fleet")
async def fleet_page(request: Request) -> Response:
    """Every device and what is wrong with it, and what was put aside."""
    devices, sites, quarantine = await asyncio.gather(
        own_api.items(request, "/devices"),
        own_api.items(request, "/sites"),
        own_api.get(request, "/quarantine", limit=str(ENTRIES)),
    )
    who = drawing.reader(request)
    known = answers.read(devices, answers.Device)
    cards = fleet.cards(known, answers.read(sites, answers.Site), who.speech, who.now_ms)
    return drawing.page(
        request,
        "fleet.html",
        here="fleet",
        cards=cards,
        total=sum(not card.device.revoked for card in cards),
        online=sum(card.state in {"online", "heard"} for card in cards),
        troubled=sum(card.severity > fleet.Severity.WELL for card in cards),
        reasons=sorted(quarantine["totals"].items(), key=lambda pair: -pair[1]),
        entries=answers.read(quarantine["items"], answers.Quarantined)[:ENTRIES],
        titles={device.id: device.title for device in known},
        reason_text=lambda reason: fleet.reason_text(reason, who.speech),
    )


@pages.get("/login")
def login(request: Request, parts: Parts, next: str = "/") -> Response:
    """The form that takes a token; who is signed in already goes on."""
    cookie = request.cookies.get(auth.COOKIE)
    if cookie and parts.access.session(cookie) is not None:
        return RedirectResponse(drawing.local_path(next), 303)
    return drawing.page(request, "login.html", signed_in=False, next=drawing.local_path(next), error="")


@pages.post("/login")
def sign_in(
    request: Request,
    parts: Parts,
    token: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Open a session for a good token and go on; else the form again with what was wrong."""
    auth.same_origin(request)
    _ = drawing.reader(request).speech.gettext
    try:
        session = parts.access.sign_in(token, auth.address(request))
    except UnauthorizedError:
        status, error = 401, _("This token is unknown, expired or revoked.")
    except TooManyAttemptsError as problem:
        wait = problem.headers.get("Retry-After", "")
        status = 429
        error = _("Too many failed attempts from this address; try again in %(count)s seconds.", count=wait)
    else:
        answer = RedirectResponse(drawing.local_path(next), 303)
        auth.set_session(answer, parts.settings, session.text, (session.expires_ms - parts.now()) // 1000)
        return answer
    return drawing.page(
        request, "login.html", status=status, signed_in=False, next=drawing.local_path(next), error=error
    )


@pages.post("/logout")
def sign_out(request: Request, parts: Parts) -> Response:
    """End the session, here and on the server."""
    auth.same_origin(request)
    cookie = request.cookies.get(auth.COOKIE)
    if cookie:
        parts.access.sign_out(cookie)
    answer = RedirectResponse("/login", 303)
    auth.clear_session(answer, parts.settings)
    return answer


@pages.post("/preferences")
def preferences(
    request: Request,
    parts: Parts,
    language: Annotated[str, Form()] = "",
    theme: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Remember a language or a theme in this browser."""
    auth.same_origin(request)
    answer = RedirectResponse(drawing.local_path(next), 303)
    offered = ((drawing.LANGUAGE_COOKIE, language, LANGUAGES), (drawing.THEME_COOKIE, theme, drawing.THEMES))
    for cookie, value, choices in offered:
        if value in choices:
            answer.set_cookie(
                cookie,
                value,
                max_age=PREFERENCE_S,
                path="/",
                secure=parts.settings.http.secure_cookies,
                httponly=True,
                samesite="strict",
            )
    return answer


async def _stations(request: Request, device: str | None = None) -> list[stations.Station]:
    of_one = {} if device is None else {"device": device}
    devices, sites, latest = await asyncio.gather(
        own_api.items(request, "/devices"),
        own_api.items(request, "/sites"),
        own_api.items(request, "/latest", **of_one),
    )
    return stations.stations(
        answers.read(devices, answers.Device),
        answers.read(sites, answers.Site),
        answers.read(latest, answers.Latest),
    )


def _ranges(request: Request) -> list[tuple[str, str]]:
    _ = drawing.reader(request).speech.gettext
    return list(
        zip(RANGES, (_("1 hour"), _("6 hours"), _("24 hours"), _("7 days"), _("30 days"), _("60 days")), strict=True)
    )


def _refused(request: Request, status: int, detail: str) -> Response:
    if status == 401:
        query = urlencode({"next": drawing.address(request)})
        return RedirectResponse(f"/login?{query}", 303)
    _ = drawing.reader(request).speech.gettext
    headings = {
        403: _("This is not for this token"),
        404: _("There is nothing here"),
        503: _("The values cannot be read at the moment"),
    }
    heading = headings.get(status, _("This did not work"))
    return drawing.page(request, "problem.html", status=status, heading=heading, detail=detail)


router.include_router(assets.router)
router.include_router(pages)
