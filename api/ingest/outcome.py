"""What goes into the pipeline and what comes out of it. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from api.ingest.screening import Screened
from broker.contract.errors import Reason
from broker.contract.ids import MessageId
from broker.contract.messages import Envelope, Heartbeat, Status
from broker.contract.seqset import Range, SeqSet
from broker.contract.topics import Address

Stream = tuple[str, str]
"""Device and epoch: what numbers are counted within."""


class Incoming(NamedTuple):
    """One message as the broker delivered it.

    Attributes:
        received_ms: when it arrived, by the server's clock.
        retained: the broker kept it and repeats it because we subscribed; nobody sent it now.
    """

    topic: str
    payload: bytes
    received_ms: int
    retained: bool = False


class Row(NamedTuple):
    """What the journal keeps of a message with readings."""

    received_ms: int
    topic: str
    payload: bytes


class Fact(NamedTuple):
    """A message for the city services.

    Attributes:
        place: of its message in the batch.
        message: decoded; source is the message it was decoded from.
    """

    place: int
    identity: MessageId
    site: str
    kind: str
    message: Envelope
    source: Incoming


class PutAside(NamedTuple):
    """A message, or readings of one, that cannot be used.

    Attributes:
        place: of its message in the batch.
        identity: what makes a repetition of it count once; None when it could not be read.
        site, device: as in the topic, whatever stands there; never longer than the broker lets through.
        kind: "" when the topic is none of ours.
    """

    place: int
    identity: MessageId | None
    site: str
    device: str
    kind: str
    reason: Reason
    detail: str
    source: Incoming


@dataclass(slots=True)
class News:
    """What a batch says of one device.

    Attributes:
        contact_ms: when anything of it last arrived, 0 when nothing did but what the broker repeated.
        statuses: births and wills in the order of arrival.
        latest: newest good reading by (sensor, quantity).
    """

    site: str
    contact_ms: int = 0
    statuses: list[Status] = field(default_factory=list)
    heartbeat: Heartbeat | None = None
    latest: dict[tuple[str, str], Screened] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """Everything that follows from a batch.

    Attributes:
        rows: for the journal.
        readings: how many good readings the rows hold.
        facts: for the services.
        aside: for the quarantine.
        fresh: numbers that were not received before.
        receipted: numbers that are owed a receipt by (site, device, epoch), new or not.
        duplicates: by device.
        news: by device.
        accepted: new, good messages by kind.
    """

    rows: list[Row] = field(default_factory=list)
    readings: int = 0
    facts: list[Fact] = field(default_factory=list)
    aside: list[PutAside] = field(default_factory=list)
    fresh: defaultdict[Stream, SeqSet] = field(default_factory=lambda: defaultdict(SeqSet))
    receipted: defaultdict[tuple[str, str, str], SeqSet] = field(default_factory=lambda: defaultdict(SeqSet))
    duplicates: Counter[str] = field(default_factory=Counter)
    news: dict[str, News] = field(default_factory=dict)
    accepted: Counter[str] = field(default_factory=Counter)

    def of(self, address: Address) -> News:
        """The news of the device at that address."""
        news = self.news.get(address.device)
        if news is None:
            news = self.news[address.device] = News(address.site)
        return news

    def needing_facts(self) -> set[int]:
        """Messages of the batch that cannot be committed without the relational store."""
        return {fact.place for fact in self.facts} | {aside.place for aside in self.aside}


class Ledger:
    """Which numbers are committed, by device and epoch. Only `take` changes it, once a commit is done."""

    def __init__(self, received: Mapping[Stream, SeqSet], present: Mapping[str, str]) -> None:
        """Begin with what the journal says.

        Args:
            received: numbers by stream.
            present: device -> the epoch that last grew.
        """
        self.received = dict(received)
        self._present = dict(present)

    def take(self, fresh: Mapping[Stream, SeqSet]) -> None:
        """Add what has been committed."""
        for stream, numbers in fresh.items():
            held = self.received.setdefault(stream, SeqSet())
            for first, last in numbers.ranges():
                held.add_range(first, last)
            self._present[stream[0]] = stream[1]

    def joined(self, stream: Stream, numbers: SeqSet) -> list[Range]:
        """The ranges of committed numbers that `numbers` are part of, or would be once they are taken."""
        held = self.received.get(stream)
        if held is None:
            return numbers.ranges()
        return SeqSet(held.joined(first, last) for first, last in numbers.ranges()).ranges()

    def progress(self, device: str) -> tuple[int, int]:
        """Numbers received in the device's present epoch, and numbers missing below the highest of them."""
        held = self.received.get((device, self._present.get(device, "")))
        if held is None:
            return 0, 0
        count = len(held)
        return count, held.highest - count


class Snapshot(NamedTuple):
    """A device's newest values as an encoded `state/latest`."""

    site: str
    newest: bytes
