"""What a city service is: the shape of SERVICE in every file of `api/services`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastapi import APIRouter
from sqlalchemy.orm import Session


class Arrival(NamedTuple):
    """One decoded message that is a fact.

    Attributes:
        site, device: from its topic.
        kind: its kind's name.
        message: decoded, of the kind's type.
        received_ms: by the server's clock.
    """

    site: str
    device: str
    kind: str
    message: Any
    received_ms: int


Handler = Callable[[Session, Arrival], None]
"""Puts a fact's effect into the session; it never commits, and it runs once for each message."""


@dataclass(frozen=True, slots=True)
class Service:
    """A city service.

    Attributes:
        name: its word in URLs, metrics and docs.
        says: one line for the generated table.
        handlers: kind name -> what to do with an arrival.
        router: its part of /api/v1, None when it has none.
    """

    name: str
    says: str
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    router: APIRouter | None = None
