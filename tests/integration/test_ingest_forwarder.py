"""From the journal into the series store (promises P1, P2, P4): nothing skipped, nothing twice, whatever is away."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from api.ingest.cursors import Cursors
from api.ingest.forwarder import ROWS, Forwarder
from api.ingest.journal import Journal, JournalReader
from api.ingest.outcome import Row
from api.ports import SeriesStoreError
from api.series import open_store
from broker.contract.messages import Clock
from broker.contract.senml import Reading
from broker.contract.series import Point, Quality, SeriesKey
from tests.unit.api.ingest.messages import DEVICE, NOW_MS, SITE, altered, bare, readings

HOUR_MS = 3_600_000


class Shelf:
    """A series store in memory that can be away, or refuse some values for good."""

    def __init__(self) -> None:
        self.points: dict[tuple[SeriesKey, int], Point] = {}
        self.calls = 0
        self.away = False
        self.refuses: set[float] = set()
        self.keeps_from_ms = 0

    def write(self, points: Sequence[Point]) -> int:
        self.calls += 1
        if self.away:
            raise SeriesStoreError("connection refused", retryable=True)
        if self.refuses & {point.value for point in points}:
            raise SeriesStoreError("partial write", retryable=False)
        kept = [point for point in points if point.at_ms >= self.keeps_from_ms]
        self.points |= {(point.key, point.at_ms): point for point in kept}
        return len(points) - len(kept)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal-ingest.db")
    yield opened
    opened.close()


def forwarder(directory: Path, store: object) -> Forwarder:
    return Forwarder(
        JournalReader(directory / "journal-ingest.db"), Cursors(directory / "worker.db"), store
    )  # fmt: skip


def fill(journal: Journal, *values: float, first: int = 1) -> None:
    messages = [
        readings(first + n, Reading("sds", "pm2_5", NOW_MS + first + n, value)) for n, value in enumerate(values)
    ]
    journal.append([Row(NOW_MS, one.topic, one.payload) for one in messages], [], {}, NOW_MS)


def values(shelf: Shelf) -> list[float]:
    return sorted(point.value for point in shelf.points.values())


def test_rows_become_points_with_key_time_interval_and_quality(journal: Journal, tmp_path: Path) -> None:
    messages = [
        readings(1, Reading("sds", "pm2_5", NOW_MS, 12.5, 60_000), Reading("bme", "humidity", NOW_MS, 140.0)),
        readings(2, Reading("sds", "pm2_5", NOW_MS + 1, 13.0), clock=Clock.UNTRUSTED),
        altered(readings(3), e=[{"n": "a/love", "v": 1}, {"n": "sds/pm10", "v": 3, "bt": NOW_MS / 1000}]),
        bare(device="thing"),
    ]
    messages[3] = messages[3]._replace(payload=b'[{"n":"noise","v":51.5}]')
    journal.append([Row(one.received_ms, one.topic, one.payload) for one in messages], [], {}, NOW_MS)
    shelf = Shelf()
    assert forwarder(tmp_path, shelf).step() is False
    assert sorted(shelf.points.values()) == [
        Point(SeriesKey(SITE, DEVICE, "bme", "humidity"), NOW_MS, 140.0, Quality.FAIL, 0),
        Point(SeriesKey(SITE, DEVICE, "sds", "pm10"), NOW_MS, 3.0, Quality.NOT_EVALUATED, 0),
        Point(SeriesKey(SITE, DEVICE, "sds", "pm2_5"), NOW_MS, 12.5, Quality.NOT_EVALUATED, 60_000),
        Point(SeriesKey(SITE, DEVICE, "sds", "pm2_5"), NOW_MS + 1, 13.0, Quality.SUSPECT, 0),
        Point(SeriesKey(SITE, "thing", "main", "noise"), NOW_MS, 51.5, Quality.NOT_EVALUATED, 0),
    ]


def test_a_step_takes_so_many_rows_and_says_that_more_wait(journal: Journal, tmp_path: Path) -> None:
    fill(journal, *range(ROWS + 10))
    shelf = Shelf()
    forwards = forwarder(tmp_path, shelf)
    assert forwards.lag(NOW_MS + 2000) == (ROWS + 10, 2.0)
    assert [forwards.step(), forwards.step()] == [True, False]
    assert len(shelf.points) == ROWS + 10
    assert forwards.lag(NOW_MS + 2000) == (0, 0.0)


def test_readings_older_than_the_store_keeps_are_counted_apart(journal: Journal, tmp_path: Path) -> None:
    """P4: nothing is left out without a word."""
    fill(journal, 1.0, 2.0, 3.0)
    shelf = Shelf()
    shelf.keeps_from_ms = NOW_MS + 2
    forwards = forwarder(tmp_path, shelf)
    forwards.step()
    assert (forwards.points, forwards.too_old, values(shelf)) == (2, 1, [2.0, 3.0])


def test_a_store_that_is_away_loses_nothing(journal: Journal, tmp_path: Path) -> None:
    """P1."""
    fill(journal, 1, 2, 3)
    shelf = Shelf()
    shelf.away = True
    forwards = forwarder(tmp_path, shelf)
    for _ in range(3):
        with pytest.raises(SeriesStoreError, match="refused"):
            forwards.step()
    assert forwards.lag(NOW_MS).rows == 3
    shelf.away = False
    forwards.step()
    assert values(shelf) == [1, 2, 3]


def test_a_restart_goes_on_where_it_was(journal: Journal, tmp_path: Path) -> None:
    fill(journal, 1, 2)
    forwarder(tmp_path, Shelf()).step()
    fill(journal, 3, first=3)
    shelf = Shelf()
    forwarder(tmp_path, shelf).step()
    assert values(shelf) == [3]


def test_a_kill_between_writing_and_the_cursor_writes_the_same_again(journal: Journal, tmp_path: Path) -> None:
    """P2: the same series and time overwrite themselves."""
    fill(journal, 1, 2)
    shelf = Shelf()
    forwards = forwarder(tmp_path, shelf)
    forwards._cursors.close()
    with pytest.raises(sqlite3.ProgrammingError):
        forwards.step()
    forwarder(tmp_path, shelf).step()
    assert (values(shelf), shelf.calls) == ([1, 2], 2)


def test_a_row_the_store_will_never_take_holds_up_no_other(
    journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """P4."""
    fill(journal, 1, 2, 3)
    shelf = Shelf()
    shelf.refuses = {2.0}
    forwards = forwarder(tmp_path, shelf)
    forwards.step()
    assert (values(shelf), forwards.skipped, forwards.lag(NOW_MS).rows) == ([1, 3], 1, 0)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        f"journal row 2 on city/{SITE}/{DEVICE}/up/readings is passed over: partial write"
    ]


def test_a_store_that_takes_nothing_at_all_is_itself_to_blame(journal: Journal, tmp_path: Path) -> None:
    """A wrong token must not make the journal run empty."""
    fill(journal, 1, 2, 3)
    shelf = Shelf()
    shelf.refuses = {1.0, 2.0, 3.0}
    forwards = forwarder(tmp_path, shelf)
    with pytest.raises(SeriesStoreError, match="takes nothing"):
        forwards.step()
    assert (forwards.lag(NOW_MS).rows, forwards.skipped) == (3, 0)


def test_a_row_of_another_version_is_passed_over_with_a_word(journal: Journal, tmp_path: Path) -> None:
    fill(journal, 1)
    strange = altered(readings(2), v=2)
    journal.append([Row(NOW_MS, strange.topic, strange.payload)], [], {}, NOW_MS)
    fill(journal, 3, first=3)
    shelf = Shelf()
    forwards = forwarder(tmp_path, shelf)
    forwards.step()
    assert (values(shelf), forwards.skipped) == ([1, 3], 1)


def test_a_new_journal_of_the_same_name_is_forwarded_from_its_beginning(tmp_path: Path) -> None:
    """P1: the damaged one was moved away, as its message says."""
    path = tmp_path / "journal-ingest.db"
    for value in (1.0, 2.0):
        journal = Journal(path)
        fill(journal, value)
        shelf = Shelf()
        forwards = forwarder(tmp_path, shelf)
        forwards.step()
        assert values(shelf) == [value]
        forwards.close()
        journal.close()
        for file in tmp_path.glob("journal-ingest.db*"):
            file.unlink()


def test_only_forwarded_rows_are_pruned(journal: Journal, tmp_path: Path) -> None:
    """P1: whatever their age."""
    fill(journal, 1, 2, 3)
    forwards = forwarder(tmp_path, Shelf())
    assert forwards.prune(NOW_MS + HOUR_MS, 10) is False
    assert forwards.lag(NOW_MS).rows == 3
    forwards.step()
    forwards.prune(NOW_MS + HOUR_MS, 10)
    assert len(JournalReader(tmp_path / "journal-ingest.db").after(0, 10)) == 1


def test_the_real_store_holds_what_was_forwarded(journal: Journal, tmp_path: Path) -> None:
    fill(journal, 1, 2, 3)
    store = open_store(f"sqlite:///{tmp_path / 'series.db'}", raw_days=400, hourly_days=3650, day_offset_ms=0)
    for _ in range(2):
        Forwarder(
            JournalReader(tmp_path / "journal-ingest.db"), Cursors(tmp_path / "other.db"), store
        ).step()  # fmt: skip
    (info,) = store.series()
    assert [sample.value for sample in store.samples(info.id, 0, NOW_MS + HOUR_MS, limit=10)] == [1, 2, 3]
    store.close()
