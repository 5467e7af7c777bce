"""An API in this process for tests: migrated facts, a store in memory, a clock that stands still, and a client.

node = Node(tmp_path)
node.add_site("north")
node.get("/api/v1/sites", node.token()).json()
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import shutil
import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from api import config, migrations
from api.access import registry
from api.access.tokens import Access
from api.app import create_app
from api.db import Base, open_engine, transaction
from api.ports import Bucket, Sample, SeriesInfo, SeriesStoreError
from broker.contract.series import Point, Quality, SeriesKey
from broker.contract.topics import Role

NOW_MS = 1_769_860_800_000
"""2026-01-31 12:00 UTC, 19:00 in Jakarta."""


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self, at_ms: int = NOW_MS) -> None:
        self.at_ms = at_ms

    def __call__(self) -> int:
        return self.at_ms

    def forward(self, seconds: float) -> None:
        self.at_ms += round(seconds * 1000)


class MemoryStore:
    """SeriesStore in memory, as slow and as simple as its definition.

    Attributes:
        broken: raised by every question while it is set.
    """

    def __init__(self) -> None:
        self.broken: SeriesStoreError | None = None
        self._ids: dict[SeriesKey, int] = {}
        self._points: dict[int, dict[int, Point]] = {}

    def write(self, points: Sequence[Point]) -> int:
        for point in points:
            number = self._ids.setdefault(point.key, len(self._ids) + 1)
            self._points.setdefault(number, {})[point.at_ms] = point
        return 0

    def maintain(self, now_ms: int, budget_ms: int = 50) -> bool:
        return False

    def series(
        self,
        *,
        site: str | None = None,
        device: str | None = None,
        quantity: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[SeriesInfo]:
        asked = {0: site, 1: device, 3: quantity}
        found = [
            self._info(number)
            for key, number in self._ids.items()
            if number > after and all(value in {None, key[place]} for place, value in asked.items())
        ]
        return self._answer(found[:limit])

    def find(self, ids: Sequence[int]) -> dict[int, SeriesInfo]:
        return self._answer({one: self._info(one) for one in ids if one in self._points})

    def latest(self, ids: Sequence[int]) -> dict[int, Sample]:
        return self._answer({one: self._all(one)[-1] for one in ids if one in self._points})

    def samples(self, id: int, start_ms: int, end_ms: int, *, limit: int) -> list[Sample]:
        return self._answer([sample for sample in self._all(id) if start_ms <= sample.at_ms < end_ms][:limit])

    def buckets(
        self, id: int, start_ms: int, end_ms: int, width_ms: int, *, offset_ms: int = 0, limit: int
    ) -> list[Bucket]:
        def begin(sample: Sample) -> int:
            return (sample.at_ms + offset_ms) // width_ms * width_ms - offset_ms

        grouped = [(start, list(samples)) for start, samples in groupby(self._all(id), begin)]
        interval_ms = self._info(id).interval_ms
        found = [
            _bucket(start, samples, width_ms // interval_ms if interval_ms else None)
            for start, samples in grouped
            if start_ms <= start < end_ms
        ]
        return self._answer(found[:limit])

    def close(self) -> None:
        self._points.clear()

    def _all(self, id: int) -> list[Sample]:
        return [Sample(at_ms, point.value, point.quality) for at_ms, point in sorted(self._points[id].items())]

    def _info(self, id: int) -> SeriesInfo:
        points = [point for _, point in sorted(self._points[id].items())]
        return SeriesInfo(id, points[0].key, points[0].at_ms, points[-1].at_ms, points[-1].interval_ms)

    def _answer(self, found: Any) -> Any:
        if self.broken is not None:
            raise self.broken
        return found


def _bucket(start_ms: int, samples: Sequence[Sample], expected: int | None) -> Bucket:
    values = [sample.value for sample in samples if sample.quality != Quality.FAIL]
    failed = len(samples) - len(values)
    if not values:
        return Bucket(start_ms, 0, failed, None, None, None, 0.0, expected)
    total = sum(values)
    return Bucket(start_ms, len(values), failed, min(values), total / len(values), max(values), total, expected)


class Node:
    """The API over a directory of its own.

    Args:
        directory: empty; it becomes the data directory.
        tables: keys of the settings file.
        url: of the facts; None for a migrated SQLite file.
    """

    def __init__(self, directory: Path, *, url: str | None = None, **tables: Any) -> None:
        facts = {"facts": {"url": url}} if url else {}
        self.settings = config.parse({"data_dir": ".", **facts, **tables}, directory / "simpul.toml")
        if url is None:
            shutil.copy(_migrated(), directory / "facts.db")
        self.clock = Clock()
        self.store = MemoryStore()
        self.engine = open_engine(self.settings.facts_url)

    @functools.cached_property
    def app(self) -> FastAPI:
        """The application, built when it is first asked."""
        return create_app(self.settings, store=self.store, now=self.clock, follow=False)

    @functools.cached_property
    def access(self) -> Access:
        """What the application asks who is who, without the application."""
        return Access(self.engine, self.clock)

    def close(self) -> None:
        self.engine.dispose()
        if "app" in self.__dict__:
            self.app.state.context.engine.dispose()

    def request(self, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        """One request, the way it comes from the network."""
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(
                self.app, raise_app_exceptions=False, client=options.pop("client", ("9.9.9.9", 1))
            )
            async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(send())

    def get(self, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        return self.request("GET", path, token, **options)

    def pages(self, path: str, token: str) -> list[Any]:
        """All items of a list, page after page."""
        items: list[Any] = []
        following: str | None = path
        while following:
            page = self.get(following, token)
            assert page.status_code == 200, page.text
            items += page.json()["items"]
            following = page.json()["next"]
        return items

    def token(
        self, *, scope: str = "read", site: str | None = None, expires: int | None = None, title: str = "t"
    ) -> str:
        """A fresh token."""
        with transaction(self.engine) as session:
            return registry.add_token(
                session, title=title, scope=scope, site=site, expires_days=expires, now_ms=self.clock()
            )

    def add_site(self, id: str) -> None:
        with transaction(self.engine) as session:
            registry.add_site(session, id=id, title=id.title(), place=registry.Place(1.5, 2.5), now_ms=self.clock())

    def add_device(self, id: str, site: str, role: Role = Role.DEVICE) -> None:
        with transaction(self.engine) as session:
            registry.add_device(
                session, id=id, site=site, title=id.title(), role=role, password="p", now_ms=self.clock()
            )

    def add(self, *rows: Base) -> None:
        """Rows as ingest would write them."""
        with transaction(self.engine) as session:
            session.add_all(rows)

    def measure(
        self,
        device: str,
        quantity: str,
        *values: float,
        site: str = "north",
        at_ms: int = NOW_MS - 60_000,
        interval_ms: int = 60_000,
        sensor: str = "air",
        quality: Quality = Quality.NOT_EVALUATED,
    ) -> None:
        """Values of one series, one an interval, the last of them at `at_ms`."""
        key, step_ms = SeriesKey(site, device, sensor, quantity), interval_ms or 60_000
        begin_ms = at_ms - (len(values) - 1) * step_ms
        self.store.write(
            [Point(key, begin_ms + index * step_ms, value, quality, interval_ms) for index, value in enumerate(values)]
        )


@functools.cache
def _migrated() -> Path:
    """An empty, migrated file of facts, made once a test process."""
    directory = tempfile.mkdtemp(prefix="simpul-facts-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    file = Path(directory) / "facts.db"
    engine = open_engine(f"sqlite:///{file}")
    migrations.upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()
    return file
