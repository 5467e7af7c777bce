"""What a request may use: the parts that the composition root opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from sqlalchemy import Engine

from api.access.tokens import Access
from api.config import Settings
from api.ports import SeriesStore


@dataclass(frozen=True, slots=True)
class Context:
    """The open parts of one API process.

    Attributes:
        engine: the facts.
        store: the readings.
        access: who is who.
        now: milliseconds since 1970 UTC.
    """

    settings: Settings
    engine: Engine
    store: SeriesStore
    access: Access
    now: Callable[[], int]

    @property
    def zone(self) -> ZoneInfo:
        """The zone that times are shown in and days begin in."""
        return self.settings.zone


def context(request: Request) -> Context:
    """The context of the app that serves `request`."""
    found = request.app.state.context
    if not isinstance(found, Context):
        raise TypeError("create_app puts the context into app.state")
    return found


Parts = Annotated[Context, Depends(context)]
