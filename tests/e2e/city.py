"""A small city behind the real API: the stores hold what a test puts there, and a server answers on a free port."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from api import migrations
from api.access.tokens import new_token
from api.app import create_app
from api.config import Settings
from api.db import Account, Contact, Device, Quarantine, QuarantineCount, Site, Token, open_engine, transaction
from api.ports import SeriesStore
from api.series.sqlite import SqliteSeriesStore
from broker.contract import messages
from broker.contract.codec import encode
from broker.contract.series import Point, Quality, SeriesKey

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MINUTE_MS = 60_000
EPOCH = "0123456789ab"
BOOT = "0123456789abcdef0123456789abcdef"


class City:
    """Stores in `directory`, and the application over them.

    Args:
        now: milliseconds; the system's clock when None.
    """

    def __init__(self, directory: Path, now: Callable[[], int] | None = None) -> None:
        self.now = now or (lambda: time.time_ns() // 1_000_000)
        self.settings = Settings(data_dir=directory)
        self.engine = open_engine(self.settings.facts_url)
        migrations.upgrade(self.engine)
        self.store = self._store(read_only=False)
        self.token = self._token()
        self.port = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _store(self, *, read_only: bool) -> SqliteSeriesStore:
        return SqliteSeriesStore(
            self.settings.data_dir / "series.db",
            raw_days=400,
            hourly_days=3650,
            day_offset_ms=7 * HOUR_MS,
            read_only=read_only,
        )

    def _token(self) -> str:
        made = new_token()
        with transaction(self.engine) as session:
            session.add(
                Token(id=made.id, title="test", secret_hash=made.secret_hash, scopes="read", created_ms=self.now())
            )
        return made.text

    def add(
        self,
        site: str,
        name: str,
        *,
        place: str = "",
        title: str = "",
        where: tuple[float, float] | None = None,
        role: str = "device",
    ) -> None:
        """Register a device."""
        latitude, longitude = where or (None, None)
        with transaction(self.engine) as session:
            if session.get(Site, site) is None:
                session.add(Site(id=site, title=place or site, created_ms=self.now()))
                session.flush()
            session.add(
                Device(
                    id=name,
                    site_id=site,
                    title=title or name,
                    latitude=latitude,
                    longitude=longitude,
                    created_ms=self.now(),
                )
            )
            session.add(Account(name=name, role=role, site=site, device=name, password_hash="-", created_ms=self.now()))

    def revoke(self, name: str) -> None:
        with transaction(self.engine) as session:
            session.get_one(Device, name).revoked_ms = self.now()

    def heard(
        self,
        site: str,
        name: str,
        *,
        ago_s: float = 0,
        online: bool = True,
        clock: str = "synced",
        sensors: Sequence[messages.Sensor] = (),
        counts: tuple[int, int, int, int] = (1000, 0, 0, 0),
        **outbox: Any,
    ) -> None:
        """What ingest would have written of a device: contact, birth, heartbeat, (received, missing, duplicates,
        quarantined)."""
        state = self.state(ago_s=ago_s, online=online, clock=clock, sensors=sensors, counts=counts, **outbox)
        assert state.heartbeat is not None
        assert state.status is not None
        with transaction(self.engine) as session:
            session.merge(
                Contact(
                    device=name,
                    site=site,
                    contact_ms=round(state.contact * 1000),
                    online=online,
                    status=encode(state.status),
                    heartbeat=encode(state.heartbeat),
                    received=counts[0],
                    missing=counts[1],
                    duplicates=counts[2],
                    quarantined=counts[3],
                )
            )

    def state(
        self,
        *,
        ago_s: float = 0,
        online: bool = True,
        clock: str = "synced",
        sensors: Sequence[messages.Sensor] = (),
        counts: tuple[int, int, int, int] = (1000, 0, 0, 0),
        **outbox: Any,
    ) -> messages.DeviceState:
        at = self.now() / 1000 - ago_s
        told = {"outbox": 0, "outbox_bytes": 0, "oldest_s": 0, "stuck": 0, "evicted": 0, "refused": 0, **outbox}
        heartbeat = messages.Heartbeat(
            v=1,
            at=at,
            clock=messages.Clock(clock),
            boot=BOOT,
            uptime_s=93_000,
            interval_s=30,
            epoch=EPOCH,
            last_seq=counts[0],
            sensors=tuple(sensors),
            **told,
        )
        status = messages.Status(
            v=1,
            session=EPOCH,
            online=online,
            at=at,
            boot=BOOT,
            version="0.1.0",
            config="5f2c9a1b77de",
            sensors=tuple(sensors),
        )
        return messages.DeviceState(
            v=1,
            online=online,
            contact=at,
            heartbeat=heartbeat,
            status=status,
            received=counts[0],
            missing=counts[1],
            duplicates=counts[2],
            quarantined=counts[3],
        )

    def write(
        self,
        site: str,
        device: str,
        quantity: str,
        values: Iterable[tuple[int, float]],
        *,
        sensor: str = "air",
        interval_ms: int = HOUR_MS,
        quality: int = Quality.NOT_EVALUATED,
    ) -> None:
        """Put values (time, value) into the series store."""
        key = SeriesKey(site, device, sensor, quantity)
        self.store.write([Point(key, at, value, quality, interval_ms) for at, value in values])

    def quarantine(self, site: str, device: str, reason: str, detail: str, *, total: int = 1) -> None:
        with transaction(self.engine) as session:
            session.add(
                Quarantine(
                    site=site,
                    device=device,
                    topic=f"city/{site}/{device}/up/readings",
                    reason=reason,
                    detail=detail,
                    payload=b"{}",
                    size=214,
                    received_ms=self.now(),
                )
            )
            session.merge(QuarantineCount(device=device, reason=reason, total=total))

    def settle(self) -> None:
        """Let the store do all its upkeep."""
        while self.store.maintain(self.now(), 1000):
            pass

    def start(self, store: SeriesStore | None = None) -> None:
        """Serve on the port of the last time, or a free one; from the city's own store, or another."""
        app = create_app(self.settings, store=store or self._store(read_only=True), now=self.now, follow=False)
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.02)
        self.app = app
        self.broker(connected=True)

    def stop(self) -> None:
        """Stop serving, as a server that ends."""
        if self._server is None or self._thread is None:
            return
        self._on_loop(self.app.state.hub.close)
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive(), "the server does not end"
        self._server = self._thread = None

    def close(self) -> None:
        self.stop()
        self.store.close()
        self.engine.dispose()

    def broker(self, *, connected: bool) -> None:
        """The API's connection to the broker comes or goes."""
        self._on_loop(lambda: self.app.state.hub.link(connected=connected))

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """The server keeps its connections and does nothing."""
        go_on = threading.Event()
        _loop_of(self._server).call_soon_threadsafe(go_on.wait)
        try:
            yield
        finally:
            go_on.set()

    def say_latest(self, site: str, device: str, values: Sequence[dict[str, Any]]) -> None:
        """A `latest` event, as the broker's state topic would cause it."""
        data = msgspec.json.encode({"site": site, "device": device, "values": values}).decode()
        self._on_loop(lambda: self.app.state.hub.put("latest", site, device, data))

    def say_device(self, item: dict[str, Any]) -> None:
        """A `device` event; `item` is an item of /devices."""
        data = msgspec.json.encode(item).decode()
        self._on_loop(lambda: self.app.state.hub.put("device", item["site"], item["id"], data))

    def _on_loop(self, call: Callable[[], None]) -> None:
        loop = _loop_of(self._server)
        done = threading.Event()
        loop.call_soon_threadsafe(call)
        loop.call_soon_threadsafe(done.set)
        assert done.wait(10), "the server does not answer"


def _loop_of(server: Any) -> asyncio.AbstractEventLoop:
    loop = server.servers[0].get_loop()
    assert isinstance(loop, asyncio.AbstractEventLoop)
    return loop


def day_wave(now_ms: int, days: int, low: float, high: float, *, step_ms: int = HOUR_MS) -> list[tuple[int, float]]:
    """Values that rise and fall with the day, up to now."""
    last = now_ms - now_ms % step_ms
    times = range(last - days * DAY_MS, last + 1, step_ms)
    return [(at, low + (high - low) * (0.5 + 0.5 * math.sin(at / DAY_MS * math.tau))) for at in times]
