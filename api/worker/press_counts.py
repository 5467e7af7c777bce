"""Presses per minute and button as a series: counted anew from the rows, so a late press sets its minute right."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from api.db import Cursor, Press, reading, transaction
from api.ports import SeriesStore
from broker.contract.series import Point, Quality, SeriesKey

JOB = "press_count"
QUANTITY = "press_count"
MINUTE_MS = 60_000

ROWS = 1_000
"""Presses looked at in one step."""

OVERLAP = 200
"""Presses before the cursor looked at again: on PostgreSQL a lower id may become visible after a higher one."""


class _Minute(NamedTuple):
    site: str
    device: str
    button: str
    start_ms: int


class PressCounts:
    """Keeps the series `<site>/<device>/<button>/press_count` in step with the press table."""

    def __init__(self, engine: Engine, store: SeriesStore) -> None:
        self._engine, self._store = engine, store

    def step(self) -> bool:
        """Count the minutes of the presses that came since; True while more are waiting.

        Raises:
            SeriesStoreError, SQLAlchemyError: a store is away; the same presses are counted next time.
        """
        with reading(self._engine) as session:
            cursor = session.get(Cursor, JOB)
            position = cursor.position if cursor else 0
            newest = int(session.scalar(select(func.max(Press.id))) or 0)
            if newest <= position:
                return False
            after = max(0, position - OVERLAP)
            rows = session.execute(_presses().where(Press.id > after).order_by(Press.id).limit(ROWS + OVERLAP)).all()
            minutes = {
                _Minute(site, device, button, at_ms // MINUTE_MS * MINUTE_MS) for _, site, device, button, at_ms in rows
            }
            points = [_point(session, minute) for minute in sorted(minutes)]
        self._store.write(points)
        reached: int = max(position, rows[-1][0])
        with transaction(self._engine) as session:
            session.merge(Cursor(job=JOB, position=reached))
        return reached < newest


def _presses() -> Any:
    return select(Press.id, Press.site, Press.device, Press.button, Press.at_ms)


def _point(session: Session, minute: _Minute) -> Point:
    count = session.scalar(
        select(func.count())
        .select_from(Press)
        .where(
            Press.device == minute.device,
            Press.button == minute.button,
            Press.at_ms >= minute.start_ms,
            Press.at_ms < minute.start_ms + MINUTE_MS,
            Press.site == minute.site,
        )
    )
    key = SeriesKey(minute.site, minute.device, minute.button, QUANTITY)
    return Point(key, minute.start_ms, float(count or 0), Quality.PASS, MINUTE_MS)
