"""Promises P1 and P2 on the pure part: whatever order, repetition and kill, every message takes effect once."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from api.ingest.outcome import Incoming, Ledger
from api.ingest.pipeline import sort
from broker.contract.seqset import SeqSet
from tests.unit.api.ingest.messages import EPOCH, altered, press, readings

DEVICES = ("gate", "lobby", "roof")
OTHER_EPOCH = "ffffffffffff"


class Killed(Exception):
    """The process ends here."""


@dataclass
class Disk:
    """What survives a kill: the two stores, each changed in one step or not at all."""

    inbox: set[object] = field(default_factory=set)
    effects: Counter[str] = field(default_factory=Counter)
    rows: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    received: defaultdict[tuple[str, str], SeqSet] = field(default_factory=lambda: defaultdict(SeqSet))


class Process:
    """The order of commits that `intake` keeps, on a disk of memory."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        received = {stream: SeqSet(numbers.ranges()) for stream, numbers in disk.received.items()}
        self._ledger = Ledger(received, {})

    def take(self, batch: list[Incoming], dies_after: int) -> set[tuple[str, str, int]]:
        """Commit a batch; the identities that are receipted. Raises Killed after so many of its three steps."""
        disk, outcome = self._disk, sort(batch, self._ledger)
        if dies_after == 0:
            raise Killed
        entries = [*outcome.facts, *outcome.aside]
        for identity, what in [(entry.identity, type(entry).__name__) for entry in entries]:
            if identity not in disk.inbox:
                disk.inbox.add(identity)
                disk.effects[f"{what} {identity}"] += 1
        if dies_after == 1:
            raise Killed
        disk.rows.update((row.topic, row.payload) for row in outcome.rows)
        for stream, numbers in outcome.fresh.items():
            for first, last in self._ledger.joined(stream, numbers):
                disk.received[stream].add_range(first, last)
        self._ledger.take(outcome.fresh)
        if dies_after == 2:
            raise Killed
        return {(device, epoch, seq) for (_, device, epoch), held in outcome.receipted.items() for seq in held}


def message(device: str, epoch: str, seq: int) -> Incoming:
    """Every third is a press, every fifth poison."""
    if seq % 5 == 0:
        return altered(readings(seq, device=device, epoch=epoch), e="poison")
    return press(seq, device=device, epoch=epoch) if seq % 3 == 0 else readings(seq, device=device, epoch=epoch)


identities = st.tuples(st.sampled_from(DEVICES), st.sampled_from([EPOCH, OTHER_EPOCH]), st.integers(1, 12))
deliveries = st.lists(st.tuples(st.lists(identities, max_size=8), st.integers(0, 5)), max_size=12)


@given(deliveries)
def test_every_message_takes_effect_once_and_is_receipted(plan: list[tuple[list[tuple[str, str, int]], int]]) -> None:
    """Batches in any order with any repetition; the process is killed after 0, 1 or 2 of the three steps of some."""
    disk = Disk()
    process = Process(disk)
    sent: set[tuple[str, str, int]] = set()
    receipted: set[tuple[str, str, int]] = set()
    for batch, dies_after in plan:
        sent.update(batch)
        try:
            receipted |= process.take([message(*identity) for identity in batch], dies_after)
        except Killed:
            process = Process(disk)
    while sent - receipted:  # an outbox sends until a receipt names it
        receipted |= process.take([message(*identity) for identity in sorted(sent - receipted)], 3)
    assert receipted == sent
    assert set(disk.effects.values()) | set(disk.rows.values()) <= {1}
    assert sum(disk.effects.values()) + sum(disk.rows.values()) == len(sent)
