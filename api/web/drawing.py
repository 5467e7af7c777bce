"""How a page is drawn: the templates, what each of them is given, and the headers that keep a page to itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.http.context import context
from api.web import assets
from api.web.answers import ms
from api.web.i18n import DEFAULT, LANGUAGES, Speech, script_messages

LANGUAGE_COOKIE = "simpul_language"
THEME_COOKIE = "simpul_theme"
THEMES = ("auto", "light", "dark")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing but our own files: no inline script, no inline style, no other site."""

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(static=assets.url, ms=ms)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at a page, and when.

    Attributes:
        theme: one of THEMES.
        now_ms: the server's time, which every age on the page is reckoned from.
    """

    speech: Speech
    theme: str
    now_ms: int


def reader(request: Request) -> Reader:
    """The reader's language and theme by cookie; what is no choice of ours is the default."""
    parts = context(request)
    language = request.cookies.get(LANGUAGE_COOKIE, DEFAULT)
    theme = request.cookies.get(THEME_COOKIE, THEMES[0])
    return Reader(
        Speech(language if language in LANGUAGES else DEFAULT, parts.zone),
        theme if theme in THEMES else THEMES[0],
        parts.now(),
    )


def page(
    request: Request, template: str, *, here: str = "", status: int = 200, signed_in: bool = True, **values: Any
) -> Response:
    """A page of `template`.

    Args:
        here: the page in the navigation that it belongs to.
        values: what the template needs besides what all are given.
    """
    who = reader(request)
    speech = who.speech
    script = {
        "language": speech.language,
        "locale": speech.tag,
        "zone": speech.zone.key,
        "now": who.now_ms,
        "messages": dict(script_messages(speech.language)),
    }
    body = _templates.get_template(template).render(
        _=speech.gettext,
        _n=speech.ngettext,
        speech=speech,
        theme=who.theme,
        now_ms=who.now_ms,
        script=script,
        here=here,
        signed_in=signed_in,
        address=address(request),
        **values,
    )
    return HTMLResponse(body, status_code=status, headers=HEADERS)


def address(request: Request) -> str:
    """Where the request's page is, to come back to."""
    if request.method != "GET":
        return "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def local_path(text: str) -> str:
    """`text` when it is a path of this site, else the start page: nobody is sent elsewhere by a link to us."""
    parts = urlsplit(text)
    safe = text.startswith("/") and not text.startswith("//") and text.isprintable() and "\\" not in text
    return text if safe and not parts.scheme and not parts.netloc else "/"
