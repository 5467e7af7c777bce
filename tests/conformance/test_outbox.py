"""What every Outbox must do; there is one, on SQLite."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.outbox import SqliteOutbox
from edge.ports import BootClock, Entry, Outbox, OutboxCounters, OutboxFull, Row
from edge.reserve import suitable_bytes

BOOT = "b" * 32
Opened = Callable[..., SqliteOutbox]


def reading(size: int = 10, at_ms: int = 1000, boot: str = BOOT, clock: str = "synced") -> Entry:
    return Entry("readings", False, at_ms, boot, clock, lambda numbers: b"%d " % numbers.seq + b"r" * size)


def press(button: str = "red", size: int = 10) -> Entry:
    def encode(numbers: object) -> bytes:
        return repr(tuple(numbers)).encode() + b"p" * size  # type: ignore[arg-type]

    return Entry("press", True, 1000, BOOT, "synced", encode, counter=button)


def seqs(rows: list[Row]) -> list[int]:
    return [row.seq for row in rows]


def fill(outbox: Outbox) -> int:
    """Append readings until the disk takes no more; how many there are."""
    with contextlib.suppress(OutboxFull):
        for _ in range(50_000):
            outbox.append([reading(size=4000)])
    assert outbox.last_seq < 50_000, "the disk was never full"
    return outbox.last_seq


def everything(outbox: Outbox) -> list[int]:
    return sorted(seqs(outbox.after(0, 10**6, keep=True)) + seqs(outbox.after(0, 10**6, keep=False)))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    outboxes: list[SqliteOutbox] = []

    def make(max_bytes: int = 10**9, reserve_bytes: int | None = 0, directory: Path = tmp_path) -> SqliteOutbox:
        for one in outboxes:
            one.close()
        outboxes.append(SqliteOutbox(directory / "outbox.db", max_bytes=max_bytes, reserve_bytes=reserve_bytes))
        return outboxes[-1]

    yield make
    for one in outboxes:
        one.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        why = "mounting a small file system needs root"
        if os.environ.get("CI"):
            pytest.fail(f"{why}, and in CI no test is skipped")
        pytest.skip(why)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_new_outbox_has_an_epoch_of_its_own_and_is_empty(opened: Opened, tmp_path: Path) -> None:
    outbox = opened()
    assert len(outbox.epoch) == 12
    assert int(outbox.epoch, 16) >= 0
    counters = outbox.counters()
    assert counters == OutboxCounters(0, counters.bytes, None, "", 0, 0, 0)
    other = tmp_path / "other"
    other.mkdir()
    assert opened(directory=other).epoch != outbox.epoch


def test_p1_what_append_returned_for_is_there_after_opening_again(opened: Opened) -> None:
    outbox = opened()
    epoch = outbox.epoch
    rows = outbox.append([reading(), press()], positions=[("log", "7")])
    again = opened()
    assert again.epoch == epoch
    assert again.rows([1, 2]) == rows
    assert again.position("log") == "7"
    assert again.position("other") is None


def test_numbers_run_from_1_without_gap_and_are_never_used_twice(opened: Opened) -> None:
    outbox = opened()
    assert seqs(outbox.append([reading(), reading()])) == [1, 2]
    assert outbox.forget([(1, 2)]) == 2
    assert seqs(outbox.append([reading()])) == [3]
    outbox.forget([(3, 3)])
    assert seqs(opened().append([reading()])) == [4]


def test_a_press_is_counted_with_its_row(opened: Opened) -> None:
    outbox = opened()
    outbox.append([press("red"), press("blue"), press("red")])
    (row,) = opened().append([press("red")])
    assert row.payload.startswith(f"('{outbox.epoch}', 4, 3)".encode())


def test_an_append_that_fails_leaves_no_trace(opened: Opened) -> None:
    def broken(_: object) -> bytes:
        raise ZeroDivisionError

    outbox = opened()
    outbox.append([press()])
    with pytest.raises(ZeroDivisionError):
        outbox.append([press(), Entry("readings", False, 1, BOOT, "synced", broken)], positions=[("log", "9")])
    assert outbox.last_seq == 1
    assert outbox.position("log") is None
    assert outbox.append([press()])[0].payload.startswith(f"('{outbox.epoch}', 2, 2)".encode())


def test_rows_are_found_by_number_and_in_order_from_a_number_on(opened: Opened) -> None:
    outbox = opened()
    outbox.append([reading(), press(), reading(), press(), reading()])
    assert seqs(outbox.after(0, 2, keep=False)) == [1, 3]
    assert seqs(outbox.after(3, 9, keep=False)) == [5]
    assert seqs(outbox.after(0, 9, keep=True)) == [2, 4]
    assert seqs(outbox.rows([5, 2, 99])) == [2, 5]
    (row,) = outbox.rows([2])
    assert (row.kind, row.keep, row.boot, row.clock) == ("press", True, BOOT, "synced")


def test_rows_of_a_boot_whose_clock_nobody_vouched_for_can_be_left_out(opened: Opened) -> None:
    outbox = opened()
    unsure = [reading(boot=boot, clock="untrusted") for boot in (BOOT, "c" * 32, "")]
    outbox.append([unsure[0], reading(), *unsure[1:]])
    assert seqs(outbox.after(0, 9, keep=False, without_boot=BOOT)) == [2, 3, 4]
    assert seqs(outbox.after(0, 9, keep=False)) == [1, 2, 3, 4]


def test_a_receipt_deletes_exactly_the_rows_it_names(opened: Opened) -> None:
    outbox = opened()
    outbox.append([reading() for _ in range(9)])
    assert outbox.forget([(2, 3), (7, 99)]) == 5
    assert everything(outbox) == [1, 4, 5, 6]
    outbox.append([press()], forget=[(4, 4)])
    assert everything(outbox) == [1, 5, 6, 10]
    assert outbox.depth == outbox.counters().depth == 4


def test_above_the_byte_cap_the_oldest_readings_go_presses_never_and_it_is_counted(opened: Opened) -> None:
    outbox = opened(max_bytes=300_000)
    outbox.append([press(size=1000)])
    for _ in range(400):
        outbox.append([reading(size=1000)])
    counters = outbox.counters()
    assert counters.bytes <= 300_000
    assert counters.evicted > 0
    assert counters.depth + counters.evicted == counters.last_seq == 401
    left = everything(outbox)
    assert left == [1, *range(401 - (len(left) - 2), 402)], "the press, and the newest readings without a gap"
    assert opened(max_bytes=300_000).counters() == counters


def test_when_presses_alone_fill_the_cap_readings_are_refused_and_presses_still_taken(opened: Opened) -> None:
    outbox = opened(max_bytes=100_000)
    for _ in range(60):
        outbox.append([press(size=2000)])
    assert outbox.append([reading()]) == []
    assert outbox.counters().refused == 1
    assert len(outbox.after(0, 99, keep=True)) == outbox.last_seq == 60


def test_readings_older_than_the_age_cap_go_presses_never_and_it_is_counted(opened: Opened) -> None:
    outbox = opened()
    outbox.append([press()])
    outbox.append([reading(at_ms=1000 * n) for n in range(200)])
    dropped = 0
    while number := outbox.expire(before_ms=150_000):
        dropped += number
    assert dropped == outbox.counters().evicted == 150
    assert everything(outbox) == [1, *range(152, 202)]
    assert outbox.counters().oldest_ms == 1000


def test_p5_readings_whose_age_is_not_known_are_not_given_up_for_it(opened: Opened) -> None:
    outbox = opened()
    outbox.append([reading(at_ms=1, clock="untrusted"), reading(at_ms=2)])
    assert (outbox.counters().oldest_ms, outbox.counters().oldest_boot) == (1, BOOT)
    assert outbox.expire(before_ms=10**12) == 1
    assert everything(outbox) == [1]


def test_the_clock_of_a_boot_is_remembered_and_of_old_boots_forgotten(opened: Opened) -> None:
    outbox = opened()
    outbox.remember_boot(BOOT, BootClock(5, synchronised=False))
    outbox.remember_boot(BOOT, BootClock(5, synchronised=True))
    assert opened().boot(BOOT) == BootClock(5, synchronised=True)
    later = opened()
    for number in range(25):
        later.remember_boot(f"{number:032x}", BootClock(number, synchronised=False))
    assert later.boot(BOOT) is None
    assert later.boot(f"{24:032x}") == BootClock(24, synchronised=False)


def test_the_time_of_the_newest_entry_is_remembered(opened: Opened) -> None:
    opened().append([reading(at_ms=77)])
    assert opened().wall_ms == 77


def test_refused_readings_are_counted_at_once_and_on_disk_with_the_next_commit(opened: Opened) -> None:
    outbox = opened()
    outbox.refuse(3)
    assert outbox.counters().refused == 3
    assert opened().counters().refused == 0
    outbox = opened()
    outbox.refuse(2)
    outbox.append([reading()])
    assert outbox.counters().refused == opened().counters().refused == 2


@pytest.mark.parametrize("where", ["all of it", "its beginning"])
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(
    opened: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    outbox = opened()
    outbox.append([reading() for _ in range(200)])
    epoch = outbox.epoch
    outbox.close()
    path = tmp_path / "outbox.db"
    content = path.read_bytes()
    path.write_bytes(b"not a database " * 999 if where == "all of it" else b"\0" * 100 + content[100:])
    again = opened()
    assert again.epoch != epoch
    assert seqs(again.append([press()])) == [1]
    assert (tmp_path / "outbox.db.damaged-1").exists()
    assert "damaged-1" in caplog.text


def test_damage_that_shows_while_running_is_survived_too(opened: Opened, tmp_path: Path) -> None:
    outbox = opened()
    for _ in range(100):
        outbox.append([reading(size=2000)])
    epoch = outbox.epoch
    outbox.close()
    path = tmp_path / "outbox.db"
    content = bytearray(path.read_bytes())
    content[4096 * 8 :] = b"\xff" * (len(content) - 4096 * 8)
    path.write_bytes(content)
    again = opened()
    assert again.epoch == epoch, "its beginning is whole"
    assert again.after(0, 10**6, keep=False) == []
    assert again.epoch != epoch
    assert seqs(again.append([press()])) == [1]
    assert (tmp_path / "outbox.db.damaged-1").exists()


def test_p1_on_a_full_disk_readings_are_refused_and_presses_and_receipts_still_work(
    opened: Opened, tiny_disk: Path
) -> None:
    outbox = opened(reserve_bytes=None, directory=tiny_disk)
    stored = fill(outbox)
    for _ in range(50):
        outbox.append([press()])
    with pytest.raises(OutboxFull):
        outbox.append([reading()])
    assert outbox.counters().depth == stored + 50
    again = opened(reserve_bytes=None, directory=tiny_disk)
    assert len(again.after(0, 99, keep=True)) == 50, "on disk, not only in memory"
    assert again.forget([(1, stored)]) == stored
    assert everything(again) == list(range(stored + 1, stored + 51))


def test_a_disk_that_is_full_by_others_takes_readings_again_once_there_is_room(opened: Opened, tiny_disk: Path) -> None:
    outbox = opened(reserve_bytes=None, directory=tiny_disk)
    hog = tiny_disk / "hog"
    subprocess.run(["dd", "if=/dev/zero", f"of={hog}", "bs=64k"], capture_output=True, check=False)
    fill(outbox)
    outbox.append([press()])
    with pytest.raises(OutboxFull):
        outbox.append([reading()])
    before = outbox.last_seq
    hog.unlink()
    assert seqs(outbox.append([reading()])) == [before + 1]
    assert (tiny_disk / "outbox.db.reserve").stat().st_size == suitable_bytes(tiny_disk) == 1024 * 1024


def test_a_file_that_another_program_has_locked_is_a_disk_that_does_not_take_it_now(
    opened: Opened, tmp_path: Path
) -> None:
    outbox = opened()
    outbox._file.connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxFull, match="locked"):
        outbox.append([press()])
    other.execute("ROLLBACK")
    assert seqs(outbox.append([press()])) == [1]
    other.close()
