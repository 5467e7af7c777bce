"""The journal file: durable, atomic, one writer (promises P1 and P2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.ingest.journal import Journal, JournalDamagedError, JournalError, JournalReader
from api.ingest.outcome import Row, Snapshot
from broker.contract.seqset import SeqSet
from tests.integration.stores import fill_up, make_room
from tests.unit.api.ingest.messages import DEVICE, EPOCH, NOW_MS

STREAM = (DEVICE, EPOCH)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal-ingest.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path)
    yield opened
    opened.close()


def row(number: int, size: int = 1) -> Row:
    return Row(NOW_MS + number, "city/rsud/roof/up/readings", b"x" * size + str(number).encode())


def reread(journal: Journal, path: Path) -> Journal:
    journal.close()
    return Journal(path)


def test_rows_numbers_and_counts_are_there_after_reopening(path: Path) -> None:
    journal = Journal(path)
    journal.append([row(1), row(2)], [(STREAM, [(1, 2)])], {DEVICE: 1}, NOW_MS)
    journal.append([row(3)], [(STREAM, [(1, 3)])], {DEVICE: 2}, NOW_MS)
    journal = reread(journal, path)
    assert journal.ledger().received == {STREAM: SeqSet([(1, 3)])}
    assert journal.duplicates() == {DEVICE: 3}
    journal.close()
    reader = JournalReader(path)
    assert [stored.payload for stored in reader.after(0, 10)] == [b"x1", b"x2", b"x3"]
    reader.close()


def test_numbers_in_any_order_become_the_same_ranges(journal: Journal) -> None:
    for first, last in ((5, 6), (1, 1), (10, 12), (3, 3), (2, 2), (8, 8), (7, 9), (4, 4)):
        ledger = journal.ledger()
        journal.append([], [(STREAM, ledger.joined(STREAM, SeqSet([(first, last)])))], {}, NOW_MS)
    assert journal._db.execute("SELECT first, last FROM received").fetchall() == [(1, 12)]


def test_the_present_epoch_is_the_one_that_grew_last(journal: Journal) -> None:
    journal.append([], [(("roof", "ffffffffffff"), [(1, 9)])], {}, NOW_MS)
    journal.append([], [(("roof", EPOCH), [(1, 3)])], {}, NOW_MS + 1)
    assert journal.ledger().progress("roof") == (3, 0)


def test_a_full_disk_stores_nothing_of_the_call_and_hinders_nothing_afterwards(journal: Journal) -> None:
    """P1: the caller is told, and hands the same in again."""
    journal.append([row(1)], [(STREAM, [(1, 1)])], {}, NOW_MS)
    fill_up(journal._db)
    with pytest.raises(JournalError, match="full"):
        journal.append([row(2), row(3, 100_000)], [(STREAM, [(1, 3)])], {DEVICE: 1}, NOW_MS)
    assert journal.ledger().received == {STREAM: SeqSet([(1, 1)])}
    make_room(journal._db)
    journal.append([row(2), row(3, 100_000)], [(STREAM, [(1, 3)])], {}, NOW_MS)
    assert journal.ledger().received == {STREAM: SeqSet([(1, 3)])}
    assert journal.duplicates() == {}


def test_a_second_process_is_refused(journal: Journal, path: Path) -> None:
    with pytest.raises(JournalDamagedError, match="one account is one process"):
        Journal(path)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalDamagedError, match="check data_dir"):
        Journal(tmp_path / "missing" / "journal-ingest.db")


def test_a_file_that_is_no_journal_is_refused_with_the_remedy(path: Path) -> None:
    path.write_bytes(b"this is no database, it is a letter" * 1000)
    with pytest.raises(JournalDamagedError, match="move the file away"):
        Journal(path)


def test_a_damaged_dedupe_table_is_noticed_at_the_start(path: Path) -> None:
    journal = Journal(path)
    received = [((f"device-{number}", EPOCH), [(1, number + 1)]) for number in range(500)]
    journal.append([row(1)], received, {}, NOW_MS)
    (page,) = journal._db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'received'").fetchone()
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 + 8 : page * 4096] = b"\xa5" * (4096 - 8)
    path.write_bytes(content)
    with pytest.raises(JournalDamagedError, match="move the file away"):
        Journal(path)


def test_pruning_takes_the_oldest_forwarded_rows_and_no_id_is_given_out_twice(journal: Journal, path: Path) -> None:
    journal.append([row(number) for number in range(1, 11)], [], {}, NOW_MS)
    reader = JournalReader(path)
    late = NOW_MS + 1000
    assert reader.prune(0, late, 100) == 0
    assert reader.prune(10, NOW_MS, 100) == 0
    assert reader.prune(6, late, 3) == 3
    assert reader.prune(10, NOW_MS + 6, 100) == 2
    assert reader.prune(10, late, 100) == 4
    assert [stored.id for stored in reader.after(0, 100)] == [10]
    journal.append([row(11)], [], {}, NOW_MS)
    assert [stored.id for stored in reader.after(10, 100)] == [11]
    reader.close()


def test_a_reader_says_how_far_it_is_behind(journal: Journal, path: Path) -> None:
    reader = JournalReader(path)
    assert reader.behind(0) == (0, 0)
    journal.append([row(1), row(2), row(3)], [], {}, NOW_MS)
    assert reader.behind(1) == (2, NOW_MS + 2)
    assert reader.behind(3) == (0, 0)
    reader.close()


def test_two_journals_have_two_ids(journal: Journal, path: Path, tmp_path: Path) -> None:
    other = Journal(tmp_path / "journal-other.db")
    one, two = JournalReader(path), JournalReader(tmp_path / "journal-other.db")
    assert one.id != two.id
    for opened in (one, two, other):
        opened.close()


def test_the_newest_values_are_kept_with_the_rows_that_came_since(path: Path) -> None:
    journal = Journal(path)
    journal.append([row(1)], [], {}, NOW_MS)
    journal.save_latest({DEVICE: Snapshot("rsud", b"{}")})
    journal.append([row(2), row(3)], [], {}, NOW_MS)
    journal = reread(journal, path)
    kept, since = journal.latest()
    assert kept == {DEVICE: Snapshot("rsud", b"{}")}
    assert [stored.payload for stored in since] == [b"x2", b"x3"]
    journal.close()
