"""The contact table: what the API says of devices without asking ingest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from api.db import Contact, QuarantineCount, reading, transaction
from api.ingest.contacts import Remembered
from api.ingest.facts import FactsAway, insert_for
from broker.contract import codec
from broker.contract.messages import DeviceState, Heartbeat, Status

_T = TypeVar("_T")


class ContactRows:
    """Loads and saves the rows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        upsert = insert_for(engine)(Contact.__table__)
        columns = [column.name for column in Contact.__table__.columns if column.name != "device"]
        self._upsert = upsert.on_conflict_do_update(
            index_elements=["device"], set_={name: upsert.excluded[name] for name in columns}
        )

    def load(self) -> dict[str, Remembered]:
        """Every device's row, and how many of its messages were ever put aside. Raises FactsAway."""
        totals = select(QuarantineCount.device, func.sum(QuarantineCount.total)).group_by(QuarantineCount.device)
        try:
            with reading(self._engine) as session:
                quarantined = {device: int(total) for device, total in session.execute(totals)}
                return {
                    row.device: Remembered(
                        row.site,
                        row.contact_ms,
                        _as(Status, row.status),
                        _as(Heartbeat, row.heartbeat),
                        quarantined.get(row.device, 0),
                    )
                    for row in session.scalars(select(Contact))
                }
        except SQLAlchemyError as error:
            raise FactsAway(str(error).partition("\n")[0]) from error

    def save(self, states: Mapping[str, tuple[str, DeviceState]]) -> None:
        """Renew the rows of devices: device -> (site, state). Raises FactsAway."""
        rows = [_row(device, site, state) for device, (site, state) in states.items()]
        try:
            with transaction(self._engine) as session:
                session.execute(self._upsert, rows)
        except SQLAlchemyError as error:
            raise FactsAway(str(error).partition("\n")[0]) from error


def _row(device: str, site: str, state: DeviceState) -> dict[str, Any]:
    return {
        "device": device,
        "site": site,
        "contact_ms": round(state.contact * 1000),
        "online": state.online,
        "status": codec.encode(state.status) if state.status else None,
        "heartbeat": codec.encode(state.heartbeat) if state.heartbeat else None,
        "received": state.received,
        "missing": state.missing,
        "duplicates": state.duplicates,
        "quarantined": state.quarantined,
    }


def _as(shape: type[_T], stored: bytes | None) -> _T | None:
    """What was stored, None when it is of another version than is spoken now."""
    try:
        return None if stored is None else msgspec.json.decode(stored, type=shape)
    except msgspec.DecodeError:
        return None
