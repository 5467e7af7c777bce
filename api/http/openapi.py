"""The OpenAPI document of /api/v1, and the refusal of parameters that it does not name."""

from __future__ import annotations

import difflib
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi

from api.errors import FieldError, InvalidError
from api.http.answers import SCHEMAS, unpack_documented
from api.http.problems import MEDIA_TYPE
from api.http.shapes import ProblemDetails

PREFIX = "/api/v1"
PATH = f"{PREFIX}/openapi.json"

_SAYS = """What the city's sensors measured and when its buttons were pressed, as stored: raw values, each with a
quality flag; gaps stay gaps.

Send a token as `Authorization: Bearer <token>`. Lists come in pages: follow `next` until it is null. Times are
RFC 3339 with a zone, durations seconds, values in the SenML unit that stands beside them. Errors are RFC 9457 problem
details. Every answer has an ETag; send it back as `If-None-Match`.
"""

_ERRORS = {
    "400": "A parameter cannot be used; `errors` names it.",
    "401": "No token, or one that is unknown, expired or revoked.",
    "404": "There is none, or none that the token may know of.",
    "429": "Too many failed sign-ins; `Retry-After` says how long to wait.",
    "503": "A store cannot answer now; try again after `Retry-After` seconds.",
}

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
def document(request: Request) -> Response:
    """The document itself; it says nothing about the city, so it needs no token."""
    return Response(msgspec.json.encode(request.app.openapi()), media_type="application/json")


def only_known_parameters(request: Request) -> None:
    """Refuse a query parameter that the resource does not know: it would be ignored in silence. Raises InvalidError."""
    operation = request.app.openapi()["paths"].get(request.url.path, {}).get("get", {})
    known = [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
    given = [name for name, _ in request.query_params.multi_items()]
    unknown = [FieldError(name[:64], _hint(name, known)) for name in given if name not in known]
    twice = [FieldError(name, "given more than once") for name in known if given.count(name) > 1]
    if unknown or twice:
        fields = [*unknown, *twice][:20]
        raise InvalidError("; ".join(f"{field}: {message}" for field, message in fields[:5]), fields=fields)


def install(app: FastAPI) -> None:
    """Describe `app` by shapes and problem details instead of FastAPI's own guesses."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_describe(app))
        return made

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _describe(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=_SAYS, routes=app.routes, openapi_version="3.1.0"
    )
    (problem,), components = msgspec.json.schema_components([ProblemDetails], ref_template=SCHEMAS)
    schemas = document.get("components", {}).get("schemas", {}) | components
    for guessed in ("HTTPValidationError", "ValidationError"):
        schemas.pop(guessed, None)
    for path in document["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            responses.pop("422", None)
            schemas.update(unpack_documented(responses.get("200", {})))
            for status, says in _ERRORS.items():
                responses[status] = {"description": says, "content": {MEDIA_TYPE: {"schema": problem}}}
    document["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": "simpul_session"},
        },
    }
    document["security"] = [{"token": []}, {"session": []}]
    return document


def _hint(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"unknown parameter; did you mean {near[0]!r}?"
    return f"unknown parameter; known here: {', '.join(known) or 'none'}"
