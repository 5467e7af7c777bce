"""Every error as problem details (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from api.errors import FieldError, Problem
from api.http.shapes import ProblemDetails, ProblemField
from api.ports import SeriesStoreError

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)


def respond(
    request: Request,
    status: int,
    detail: str,
    *,
    fields: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error answer; it is never cached."""
    details = ProblemDetails(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        errors=[ProblemField(*field) for field in fields],
    )
    sent = {"Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(details), status, sent, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of `app` with problem details."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SeriesStoreError, _series)
    app.add_exception_handler(DBAPIError, _facts)
    app.add_exception_handler(PoolTimeoutError, _facts)
    app.add_exception_handler(Exception, _unexpected)


def _problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return respond(request, error.status, error.detail, fields=error.fields, headers=error.headers)


def _validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    fields = [FieldError(_place(item["loc"]), _reason(item)) for item in error.errors()]
    detail = "; ".join(f"{field}: {message}" for field, message in fields[:5])
    return respond(request, HTTPStatus.BAD_REQUEST, detail, fields=fields[:20])


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = "nothing is here; /api/v1/openapi.json lists what there is"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.method} is not possible here"
    return respond(request, error.status_code, detail, headers=error.headers)


def _series(request: Request, error: Exception) -> Response:
    if not isinstance(error, SeriesStoreError):
        raise error
    _log.error("the series store: %s", error)
    status = HTTPStatus.SERVICE_UNAVAILABLE if error.retryable else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = {"Retry-After": "5"} if error.retryable else {}
    return respond(request, status, "the store of readings cannot answer now", headers=headers)


def _facts(request: Request, error: Exception) -> Response:
    _log.error("the facts: %s", error)
    return respond(
        request, HTTPStatus.SERVICE_UNAVAILABLE, "the store of facts cannot answer now", headers={"Retry-After": "5"}
    )


def _unexpected(request: Request, error: Exception) -> Response:
    _log.error("%s %s", request.method, request.url.path, exc_info=error)
    return respond(request, HTTPStatus.INTERNAL_SERVER_ERROR, "an error of this server; its log says which")


def _place(location: Sequence[Any]) -> str:
    """A parameter's name: its place without the word for query, header or body."""
    return ".".join(str(part) for part in location[1:]) or "body"


def _reason(item: Mapping[str, Any]) -> str:
    return str(item["msg"]).removeprefix("Value error, ")
