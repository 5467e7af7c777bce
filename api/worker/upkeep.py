"""Keeping the facts small: old quarantine rows and ended sessions, a slice at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import Engine, delete, func, select

from api.db import Quarantine, WebSession, reading, transaction

_LOG = logging.getLogger(__name__)

SLICE = 500
"""Rows deleted in one transaction, so that a press never waits long for the lock."""


class QuarantineLimit:
    """Keeps the newest rows of each device and reason; `quarantine_count` goes on saying how many there ever were."""

    def __init__(self, engine: Engine, keep: int) -> None:
        self._engine, self._keep = engine, keep
        self.deleted = 0
        """Rows since the start."""

    def step(self) -> bool:
        """Delete a slice of what is too much; True while there is more. Raises SQLAlchemyError."""
        group = (Quarantine.device, Quarantine.reason)
        with reading(self._engine) as session:
            full = session.execute(
                select(*group, func.count()).group_by(*group).having(func.count() > self._keep)
            ).first()
        if full is None:
            return False
        device, reason, count = full
        oldest = (
            select(Quarantine.id)
            .where(Quarantine.device == device, Quarantine.reason == reason)
            .order_by(Quarantine.id)
            .limit(min(SLICE, count - self._keep))
        )
        with transaction(self._engine) as session:
            ids = session.scalars(oldest).all()
            session.execute(delete(Quarantine).where(Quarantine.id.in_(ids)))
        self.deleted += len(ids)
        _LOG.info("quarantine: the oldest %d of %d rows of %s, %s are deleted", len(ids), count, device, reason)
        return True


class EndedSessions:
    """Forgets browsers whose time is over."""

    def __init__(self, engine: Engine, wall_ms: Callable[[], int]) -> None:
        self._engine, self._wall_ms = engine, wall_ms

    def step(self) -> bool:
        """Delete them. Raises SQLAlchemyError."""
        with transaction(self._engine) as session:
            session.execute(delete(WebSession).where(WebSession.expires_ms < self._wall_ms()))
        return False
