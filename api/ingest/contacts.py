"""What the server knows of each device: kept by name in memory, told as retained state, stored for the pages.

State topics and rows are renewed soon after something happened (birth, will, heartbeat, values, quarantine) and rarely
when only the time of contact or a count moved on; neither ever delays a commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from api.ingest.outcome import Ledger, News, Snapshot
from api.ingest.screening import Screened
from broker.contract import codec
from broker.contract.messages import VERSION, DeviceState, Heartbeat, Latest, Status, Value
from broker.contract.topics import DEVICE, LATEST, topic

SOON_MS = 500
"""State topics of one device are renewed no more often than this."""

SELDOM_MS = 5_000
"""How long a mere contact or count waits to be told."""

STORE_SOON_MS = 1_000
STORE_SELDOM_MS = 10_000
"""The same for rows, which cost a write to disk."""

MOST_VALUES = 400
"""Newest values kept of one device; beyond it the oldest measurements go, lest a device that keeps inventing sensors
fills the memory and every watcher's screen."""


@dataclass(slots=True)
class Known:
    """One device.

    Attributes:
        contact_ms: when anything of it last arrived, 0 when nothing did in our time.
        session: of its newest birth, by which an out-of-date will is told.
        told_ms, shown_ms, stored_ms: when `state/device`, `state/latest` and the row were last renewed.
        tell_ms, store_ms: when `state/device` and the row are due, None while they say what is so.
        show: whether `state/latest` is due.
        snap: whether the journal's copy of `latest` is due.
    """

    site: str
    contact_ms: int = 0
    online: bool = False
    session: str | None = None
    status: Status | None = None
    heartbeat: Heartbeat | None = None
    duplicates: int = 0
    quarantined: int = 0
    latest: dict[tuple[str, str], Screened] = field(default_factory=dict)
    told_ms: int = 0
    shown_ms: int = 0
    stored_ms: int = 0
    tell_ms: int | None = None
    store_ms: int | None = None
    show: bool = False
    snap: bool = False


class Remembered(NamedTuple):
    """What the facts store remembers of a device."""

    site: str
    contact_ms: int
    status: Status | None
    heartbeat: Heartbeat | None
    quarantined: int


class Contacts:
    """Every device's state. No I/O: it says what to publish and what to store."""

    def __init__(self, ledger: Ledger, duplicates: Mapping[str, int]) -> None:
        self._ledger = ledger
        self._duplicates = duplicates
        self._known: dict[str, Known] = {}

    def note(self, news: Mapping[str, News], duplicates: Mapping[str, int], quarantined: Mapping[str, int]) -> None:
        """Take in what a committed batch said."""
        for device, heard in news.items():
            known = self._of(device, heard.site)
            known.contact_ms = max(known.contact_ms, heard.contact_ms)
            for status in heard.statuses:
                _judge(known, status)
            known.heartbeat = heard.heartbeat or known.heartbeat
            _newest(known, heard.latest)
            known.duplicates += duplicates.get(device, 0)
            known.quarantined += quarantined.get(device, 0)
            _due(known, weighty=bool(heard.statuses or heard.heartbeat or quarantined.get(device)))

    def renew(self, device: str, site: str, readings: Iterable[Screened]) -> None:
        """Take in good readings of a device, whatever their order."""
        _newest(
            self._of(device, site),
            {(reading.sensor, reading.quantity): reading for reading in sorted(readings, key=attrgetter("at_ms"))},
        )

    def learn(self, device: str, row: Remembered) -> None:
        """Add what was stored before, where nothing newer was heard since."""
        known = self._of(device, row.site)
        if known.status is None and row.status is not None:
            known.online, known.session, known.status = row.status.online, row.status.session, row.status
        known.contact_ms = max(known.contact_ms, row.contact_ms)
        known.heartbeat = known.heartbeat or row.heartbeat
        known.quarantined += row.quarantined
        known.tell_ms = 0

    def all_due(self, now_ms: int) -> None:
        """Tell everything anew: the broker may have lost what it retained."""
        for known in self._known.values():
            known.tell_ms = now_ms
            known.show = bool(known.latest)

    def messages(self, now_ms: int) -> Iterator[tuple[str, bytes]]:
        """The state messages that are due, as topic and payload; each device's at most twice a second."""
        for device, known in self._known.items():
            if known.tell_ms is not None and known.tell_ms <= now_ms and known.told_ms + SOON_MS <= now_ms:
                known.told_ms, known.tell_ms = now_ms, None
                yield topic(known.site, device, DEVICE), codec.encode(self.state(device))
            if known.show and known.shown_ms + SOON_MS <= now_ms:
                known.shown_ms, known.show = now_ms, False
                yield topic(known.site, device, LATEST), _encoded(known)

    def state(self, device: str) -> DeviceState:
        """What is known of a device. Raises KeyError for one that was never heard of."""
        known = self._known[device]
        received, missing = self._ledger.progress(device)
        return DeviceState(
            v=VERSION,
            online=known.online,
            contact=known.contact_ms / 1000,
            heartbeat=known.heartbeat,
            status=known.status,
            received=received,
            missing=missing,
            duplicates=known.duplicates,
            quarantined=known.quarantined,
        )

    def unstored(self, now_ms: int) -> list[str]:
        """Devices whose row is due."""
        return [
            device for device, known in self._known.items() if known.store_ms is not None and known.store_ms <= now_ms
        ]

    def stored(self, devices: Iterable[str], now_ms: int) -> None:
        """The rows of `devices` have been renewed."""
        for device in devices:
            self._known[device].stored_ms, self._known[device].store_ms = now_ms, None

    def store_all(self) -> None:
        """Every row that says not quite what is so is due now."""
        for known in self._known.values():
            known.store_ms = None if known.store_ms is None else 0

    def unsnapped(self) -> dict[str, Snapshot]:
        """The newest values that the journal's copy does not say."""
        return {device: Snapshot(known.site, _encoded(known)) for device, known in self._known.items() if known.snap}

    def snapped(self, devices: Iterable[str]) -> None:
        """The journal has the newest values of `devices`."""
        for device in devices:
            self._known[device].snap = False

    def site(self, device: str) -> str:
        """Where the device is. Raises KeyError for one that was never heard of."""
        return self._known[device].site

    def __len__(self) -> int:
        return len(self._known)

    def _of(self, device: str, site: str) -> Known:
        known = self._known.get(device)
        if known is None:
            known = self._known[device] = Known(site, duplicates=self._duplicates.get(device, 0))
        known.site = site
        return known


def _judge(known: Known, status: Status) -> None:
    """A birth counts; a will counts when it belongs to the newest birth, else a later connection outlived it."""
    if status.online:
        known.session = status.session
    elif known.session not in (None, status.session):
        return
    known.online, known.status = status.online, status


def _newest(known: Known, latest: Mapping[tuple[str, str], Screened]) -> None:
    for name, reading in latest.items():
        held = known.latest.get(name)
        if held is None or held.at_ms <= reading.at_ms:
            known.latest[name] = reading
            known.show = known.snap = True
    if len(known.latest) > MOST_VALUES:
        newest = sorted(known.latest.items(), key=lambda item: item[1].at_ms, reverse=True)
        known.latest = dict(newest[:MOST_VALUES])


def _due(known: Known, *, weighty: bool) -> None:
    tell_ms = known.told_ms + (SOON_MS if weighty else SELDOM_MS)
    store_ms = known.stored_ms + (STORE_SOON_MS if weighty else STORE_SELDOM_MS)
    known.tell_ms = tell_ms if known.tell_ms is None else min(known.tell_ms, tell_ms)
    known.store_ms = store_ms if known.store_ms is None else min(known.store_ms, store_ms)


def _encoded(known: Known) -> bytes:
    values = tuple(
        Value(sensor=sensor, quantity=quantity, at=held.at_ms / 1000, value=held.value, quality=int(held.quality))
        for (sensor, quantity), held in sorted(known.latest.items())
    )
    return codec.encode(Latest(v=VERSION, values=values))
