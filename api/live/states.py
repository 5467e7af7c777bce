"""State messages as the JSON of live events, together with what the registry knows of the device."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Engine, select

from api.db import Account, Device, reading
from api.http.answers import local
from api.http.shapes import LiveLatest, LiveValue
from api.live.devices import describe
from broker.contract.messages import DeviceState, Latest, Value
from broker.contract.topics import Address

REGISTRY_MS = 30_000
"""A change in the registry shows in the live stream after so long at most."""


class States:
    """Renders states; it asks the registry for a device once in a while and otherwise remembers."""

    def __init__(self, engine: Engine, zone: ZoneInfo, now: Callable[[], int]) -> None:
        self._engine = engine
        self._zone = zone
        self._now = now
        self._known: dict[str, tuple[int, tuple[Device, str] | None]] = {}

    def render(self, address: Address, state: Latest | DeviceState) -> str | None:
        """The data of the live event; None for a device that is not registered at that site."""
        known = self._registered(address.device)
        if known is None or known[0].site_id != address.site:
            return None
        if isinstance(state, DeviceState):
            item: msgspec.Struct = describe(*known, state, self._now(), self._zone)
        else:
            item = LiveLatest(address.site, address.device, [self._value(value) for value in state.values])
        return msgspec.json.encode(item).decode()

    def _value(self, value: Value) -> LiveValue:
        at = local(round(value.at * 1000), self._zone)
        return LiveValue(value.sensor, value.quantity, at, value.value, value.quality)

    def _registered(self, device: str) -> tuple[Device, str] | None:
        until_ms, known = self._known.get(device, (0, None))
        now_ms = self._now()
        if until_ms <= now_ms:
            query = select(Device, Account.role).outerjoin(Account, Account.name == Device.id)
            with reading(self._engine) as session:
                row = session.execute(query.where(Device.id == device)).first()
            known = (row[0], row[1] or "") if row else None
            self._known[device] = (now_ms + REGISTRY_MS, known)
        return known
