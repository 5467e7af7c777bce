"""The static files under a path that names their content, so that browsers may keep them for ever."""

from __future__ import annotations

import functools
import hashlib
import mimetypes
from pathlib import Path

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import FileResponse

STATIC = Path(__file__).parent / "static"

_FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

router = APIRouter(include_in_schema=False)


@functools.cache
def version() -> str:
    """The first 12 hex digits of the SHA-256 over all static files."""
    digest = hashlib.sha256()
    for file in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        digest.update(file.relative_to(STATIC).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def url(path: str) -> str:
    """The address of a static file."""
    return f"/static/{version()}/{path}"


@router.get("/static/{asked}/{path:path}")
def static_file(asked: str, path: str) -> Response:
    """A static file; an address of another version gets the present file and must ask again."""
    file = (STATIC / path).resolve()
    if not file.is_file() or not file.is_relative_to(STATIC):
        raise HTTPException(404, f"no static file {path[:100]!r}")
    kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "text/plain"
    headers = {
        "Cache-Control": _FOR_EVER if asked == version() else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    return FileResponse(file, media_type=kind, headers=headers)
