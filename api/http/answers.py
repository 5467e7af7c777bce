"""How the API answers: JSON with an ETag, pages that end, and what the OpenAPI document says of them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Request, Response

JSON = "application/json"

SCHEMAS = "#/components/schemas/{name}"
"""Where the OpenAPI document keeps its shapes."""

_PACKED = "x-documented"

_encoder = msgspec.json.Encoder()


def answer(request: Request, body: msgspec.Struct, cache: str = "private, no-cache") -> Response:
    """`body` as JSON with a strong ETag, or 304 when the caller has it already (RFC 9110 section 13.1.2).

    A number that JSON does not know, such as NaN, is null.
    """
    content = _encoder.encode(body)
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": cache, "Vary": "Authorization, Cookie"}
    if _has(request.headers.get("If-None-Match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=JSON, headers=headers)


def link(request: Request, cursor: str, **settled: str) -> str:
    """The address of the next page: the same query, with what was left open settled, and `cursor`."""
    query = {**dict(request.query_params), **settled, "cursor": cursor}
    return f"{request.url.path}?{urlencode(query)}"


def local(at_ms: int, zone: ZoneInfo) -> datetime:
    """A time as it is written in answers: RFC 3339 with the zone's offset."""
    return datetime.fromtimestamp(at_ms / 1000, zone)


def documented(*shapes: type[msgspec.Struct], example: Any, says: str = "Found.") -> dict[int | str, dict[str, Any]]:
    """What a route passes as `responses`, for `unpack_documented` to put into the OpenAPI document.

    Args:
        shapes: what the answer is one of.
        example: a whole answer.
        says: what 200 means.
    """
    schemas, components = msgspec.json.schema_components(shapes, ref_template=SCHEMAS)
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": list(schemas)}
    packed = _encoder.encode({"content": {JSON: {"schema": schema, "example": example}}, "schemas": components})
    return {200: {"description": says, _PACKED: packed.decode()}}


def unpack_documented(response: dict[str, Any]) -> dict[str, Any]:
    """Give a response of the document its content; returns the shapes that it refers to.

    It travels as text because FastAPI leaves every null out of what it is given, also those of an example.
    """
    unpacked = msgspec.json.decode(response.pop(_PACKED, '{"content": null, "schemas": {}}'))
    if unpacked["content"] is not None:
        response["content"] = unpacked["content"]
    schemas: dict[str, Any] = unpacked["schemas"]
    return schemas


def _has(header: str, tag: str) -> bool:
    offered = [part.strip().removeprefix("W/") for part in header.split(",")]
    return tag in offered or "*" in offered
