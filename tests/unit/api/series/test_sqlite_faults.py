"""What the embedded store says when its file or its settings are wrong."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from api.ports import SeriesStore, SeriesStoreError
from api.series import open_store
from api.series.sqlite import SqliteSeriesStore
from api.series.sqlite.tuning import Tuning
from broker.contract.series import Point, SeriesKey

T0 = 1_760_000_000_000
KEY = SeriesKey("north", "station-1", "bme", "temperature")
POINTS = [Point(KEY, T0 + n, float(n), 2, 1000) for n in range(200)]
IMPATIENT = Tuning(busy_s=0.05)


def opened(path: Path, *, read_only: bool = False, **other: int) -> SeriesStore:
    settings = {"raw_days": 2, "hourly_days": 4, "day_offset_ms": 0, **other}
    return SqliteSeriesStore(path, read_only=read_only, tuning=IMPATIENT, **settings)


def settle(store: SeriesStore) -> None:
    while store.maintain(T0):
        pass


def refusal(path: Path, **settings: int) -> SeriesStoreError:
    with pytest.raises(SeriesStoreError) as caught:
        opened(path, **settings)
    return caught.value


@pytest.mark.parametrize("url", ["influx://user:hush@host/db", "sqlite://", "sqlite:///", "series.db", ""])
def test_a_url_that_is_not_supported_is_refused_with_what_is(url: str) -> None:
    with pytest.raises(SeriesStoreError, match=r"\[series\] url to sqlite:///") as caught:
        open_store(url, raw_days=1, hourly_days=1, day_offset_ms=0)
    assert not caught.value.retryable
    assert "hush" not in str(caught.value)


def test_a_url_may_name_a_relative_and_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url, path in (("sqlite:///a b?.db", "a b?.db"), (f"sqlite:///{tmp_path}/abs.db", "abs.db")):
        open_store(url, raw_days=1, hourly_days=1, day_offset_ms=0).close()
        assert (tmp_path / path).exists()


@pytest.mark.parametrize(
    "settings", [{"raw_days": 0}, {"raw_days": 5}, {"day_offset_ms": 30_001}, {"day_offset_ms": 25 * 3_600_000}]
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, settings: dict[str, int]) -> None:
    assert not refusal(tmp_path / "series.db", **settings).retryable


def test_a_commit_survives_a_power_cut(tmp_path: Path) -> None:
    """Promise P1: write-ahead log and a sync at every commit."""
    store = opened(tmp_path / "series.db")
    connection = store._writer._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    first = opened(tmp_path / "series.db")
    error = refusal(tmp_path / "series.db")
    assert error.retryable
    assert "is writing to it already" in str(error)
    first.close()
    opened(tmp_path / "series.db").close()


def test_a_reader_may_come_before_the_writer(tmp_path: Path) -> None:
    reader = opened(tmp_path / "series.db", read_only=True)
    with pytest.raises(SeriesStoreError, match="api worker") as caught:
        reader.series()
    assert caught.value.retryable
    writer = opened(tmp_path / "series.db")
    writer.write(POINTS)
    assert [info.key for info in reader.series()] == [KEY]
    reader.close()
    writer.close()


def test_a_reader_goes_on_when_the_writer_has_gone(tmp_path: Path) -> None:
    writer = opened(tmp_path / "series.db")
    writer.write(POINTS)
    writer.close()
    reader = opened(tmp_path / "series.db", read_only=True)
    assert len(reader.samples(1, 0, 2 * T0, limit=1000)) == 200
    reader.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    opened(tmp_path / "series.db").close()
    reader = opened(tmp_path / "series.db", read_only=True)
    for call in (lambda: reader.write(POINTS), lambda: reader.maintain(T0)):
        with pytest.raises(SeriesStoreError, match="read_only"):
            call()
    reader.close()


def test_another_process_reads_beside_the_writer(tmp_path: Path) -> None:
    store = opened(tmp_path / "series.db")
    store.write(POINTS)
    program = (
        "from api.series import open_store\n"
        f"store = open_store('sqlite:///{tmp_path}/series.db', raw_days=2, hourly_days=4, day_offset_ms=0, "
        "read_only=True)\n"
        "input(); print(store.latest([1])[1].value, flush=True); input(); print(store.latest([1])[1].value)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True) as reader:
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "199.0\n"
        store.write([Point(KEY, T0 + 1000, -5.0, 2, 1000)])
        assert reader.communicate("\n")[0] == "-5.0\n"
    store.close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = opened(tmp_path / "series.db")
    store.close()
    store.close()
    for call in (store.series, lambda: store.write(POINTS), lambda: store.maintain(T0)):
        with pytest.raises(SeriesStoreError, match="closed"):
            call()


def test_a_full_disk_loses_nothing_and_is_over_when_there_is_room(tmp_path: Path) -> None:
    """Promise P1: what write() returned for stays, what it refused can be written later."""
    store = opened(tmp_path / "series.db")
    store.write(POINTS)
    more = [Point(KEY, T0 + n, 1.0, 2, 1000) for n in range(200, 60_000)]
    pages = store._writer._connection.execute("PRAGMA page_count").fetchone()[0]
    store._writer._connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(SeriesStoreError, match="disk is full") as caught:
        store.write(more)
    assert caught.value.retryable
    assert len(store.samples(1, 0, 2 * T0, limit=10**6)) == 200
    store._writer._connection.execute("PRAGMA max_page_count = 1000000")
    assert store.write(more) == 0
    assert len(store.samples(1, 0, 2 * T0, limit=10**6)) == 60_000
    store.close()


def test_a_disk_that_fills_up_during_a_move_changes_no_answer(tmp_path: Path) -> None:
    """Promise P1."""
    store = opened(tmp_path / "series.db")
    points = [Point(KEY, T0 + n * 1000, float(n), 2, 1000) for n in range(20_000)]
    store.write(points)
    before = store.buckets(1, 0, 2 * T0, 3_600_000, limit=1000)
    pages = store._writer._connection.execute("PRAGMA page_count").fetchone()[0]
    store._writer._connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(SeriesStoreError, match="disk is full"):
        settle(store)
    assert store.buckets(1, 0, 2 * T0, 3_600_000, limit=1000) == before
    store._writer._connection.execute("PRAGMA max_page_count = 1000000")
    settle(store)
    assert store.buckets(1, 0, 2 * T0, 3_600_000, limit=1000) == before
    assert len(store.samples(1, 0, 2 * T0, limit=10**6)) == 20_000
    store.close()


def test_a_file_that_another_program_locks_can_be_tried_again(tmp_path: Path) -> None:
    store = opened(tmp_path / "series.db")
    other = sqlite3.connect(tmp_path / "series.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SeriesStoreError, match="locked") as caught:
        store.write(POINTS)
    assert caught.value.retryable
    other.close()
    assert store.write(POINTS) == 0
    store.close()


def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    error = refusal(tmp_path / "nowhere" / "series.db")
    assert "nowhere exists" in str(error)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    for name, content in (("text.db", b"this is a text, not a database\n" * 100), ("mail.db", None)):
        path = tmp_path / name
        if content is None:
            other = sqlite3.connect(path)
            other.execute("CREATE TABLE mail (x)")
            other.close()
        else:
            path.write_bytes(content)
        before = path.read_bytes()
        assert not refusal(path).retryable
        assert path.read_bytes()[100:] == before[100:]  # SQLite notes the journal mode in the header
        with pytest.raises(SeriesStoreError):
            opened(path, read_only=True).series()


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    opened(tmp_path / "series.db").close()
    other = sqlite3.connect(tmp_path / "series.db")
    other.execute("PRAGMA user_version = 99")
    other.close()
    assert "layout 99" in str(refusal(tmp_path / "series.db"))


def test_a_file_whose_days_begin_elsewhere_is_refused(tmp_path: Path) -> None:
    opened(tmp_path / "series.db", day_offset_ms=7 * 3_600_000).close()
    assert "set zone back" in str(refusal(tmp_path / "series.db", day_offset_ms=8 * 3_600_000))


def test_a_damaged_file_is_reported_with_its_remedy(tmp_path: Path) -> None:
    store = opened(tmp_path / "series.db")
    store.write([Point(KEY, T0 + n, float(n), 2, 1000) for n in range(20_000)])
    settle(store)
    store.close()
    with (tmp_path / "series.db").open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(SeriesStoreError, match="put back a backup") as caught:
        opened(tmp_path / "series.db", read_only=True).series()
    assert not caught.value.retryable
