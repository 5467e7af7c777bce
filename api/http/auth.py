"""Who sends a request: the bearer token or the session cookie, and which site it may know of."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.tokens import Principal
from api.config import Settings
from api.db import Device, Site
from api.errors import ForbiddenError, NotFoundError, UnauthorizedError
from api.http.context import Parts

COOKIE = "simpul_session"


def visitor(request: Request, parts: Parts) -> Principal | None:
    """Who sends the request, None when it shows nothing. Raises UnauthorizedError when what it shows is no good."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return parts.access.bearer(token.strip(), address(request))
    if scheme:
        raise UnauthorizedError("send the token as 'Authorization: Bearer <token>'")
    cookie = request.cookies.get(COOKIE)
    return parts.access.session(cookie) if cookie else None


def reader(who: Annotated[Principal | None, Depends(visitor)]) -> Principal:
    """Who sends the request, when it may read. Raises UnauthorizedError, ForbiddenError."""
    if who is None:
        raise UnauthorizedError("this needs a token: send 'Authorization: Bearer <token>', or sign in at /login")
    if not who.scopes & {"read", "admin"}:
        raise ForbiddenError("the token does not have the scope 'read'")
    return who


Visitor = Annotated[Principal | None, Depends(visitor)]
Reader = Annotated[Principal, Depends(reader)]


def address(request: Request) -> str:
    """Where the request comes from, for the throttle and the log."""
    return request.client.host if request.client else "unknown"


def set_session(response: Response, settings: Settings, text: str, lasts_s: int) -> None:
    """Put a web session into the browser: out of reach of scripts and of other sites."""
    response.set_cookie(
        COOKIE, text, max_age=lasts_s, path="/", secure=settings.http.secure_cookies, httponly=True, samesite="strict"
    )


def clear_session(response: Response, settings: Settings) -> None:
    """Take the web session out of the browser."""
    response.delete_cookie(COOKIE, path="/", secure=settings.http.secure_cookies, httponly=True, samesite="strict")


def same_origin(request: Request) -> None:
    """Refuse a POST that another site's page sent. Raises ForbiddenError."""
    origin = request.headers.get("Origin")
    if origin is None:
        same = request.headers.get("Sec-Fetch-Site", "same-origin") in {"same-origin", "none"}
    else:
        same = urlsplit(origin).netloc == request.headers.get("Host")
    if not same:
        raise ForbiddenError("this form was sent from another site")


def visible_site(session: Session, who: Principal, site: str | None) -> str | None:
    """The site to keep to: the one asked for, or the caller's own, or None for all.

    Raises:
        NotFoundError: there is no such site, or the caller may not know of it; the answer does not tell which.
    """
    if site is None:
        return who.site
    if who.site not in {None, site} or session.get(Site, site) is None:
        raise NotFoundError(f"there is no site {site!r}")
    return site


def visible_device(session: Session, who: Principal, device: str | None) -> str | None:
    """`device` when the caller may know of it. Raises NotFoundError otherwise, as `visible_site` does."""
    if device is None:
        return None
    site = session.scalar(select(Device.site_id).where(Device.id == device))
    if site is None or who.site not in {None, site}:
        raise NotFoundError(f"there is no device {device!r}")
    return device
