"""Carries out what the pipeline decides: facts first, then the journal, and only then is a message done.

A kill between the two is harmless: the message comes again, its facts find themselves in the inbox, and its number is
not yet in the journal. After the second commit it is a duplicate.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from api.ingest.contact_rows import ContactRows
from api.ingest.contacts import Contacts
from api.ingest.facts import Facts, FactsAway
from api.ingest.journal import Journal, JournalError
from api.ingest.metrics import IngestMetrics
from api.ingest.outcome import Incoming, Ledger, Outcome
from api.ingest.pipeline import readings_of, sort
from api.ingest.screening import Screened, screen
from broker.contract import codec
from broker.contract.errors import ContractError
from broker.contract.messages import VERSION, Latest, Receipt
from broker.contract.series import Quality
from broker.contract.topics import LATEST, RECEIPT, parse, topic

_LOG = logging.getLogger(__name__)

SNAPSHOT_MS = 5_000
"""How often the newest values are copied into the journal; what came since is read again at the next start."""

RELEARN_MS = 5_000
"""How long the rows of contacts are left alone after the facts store was away."""


class Taken(NamedTuple):
    """What became of a batch.

    Attributes:
        receipts: topic and payload of each receipt that is now owed.
        held: places in the batch of messages that wait for the facts store; all others are committed for good.
    """

    receipts: list[tuple[str, bytes]]
    held: frozenset[int]


class Intake:
    """The stores of one ingest process, and the order in which they are written."""

    def __init__(
        self, journal: Journal, facts: Facts, rows: ContactRows, metrics: IngestMetrics, monotonic: Callable[[], float]
    ) -> None:
        """Go on where the journal ends.

        Args:
            monotonic: seconds, for measuring how long a commit takes.
        """
        self._journal, self._facts, self._rows = journal, facts, rows
        self._metrics, self._monotonic = metrics, monotonic
        self._ledger: Ledger = journal.ledger()
        self.contacts = Contacts(self._ledger, journal.duplicates())
        self._away = False
        self._learned = False
        self._rows_ms = 0
        self._snapshot_ms = 0
        metrics.devices(lambda: len(self.contacts))
        self._recall()

    def take(self, batch: Sequence[Incoming], now_ms: int, *, ask_facts: bool = True) -> Taken:
        """Commit a batch.

        Args:
            ask_facts: False to hold back what needs the facts store, which was away a moment ago.

        Raises:
            JournalError: nothing is done that may not be done again; hand in the same messages later.
        """
        begun = self._monotonic()
        outcome, held, quarantined = self._facts_first(batch, ask_facts=ask_facts)
        if outcome.fresh or outcome.rows or outcome.duplicates:
            received = [(stream, self._ledger.joined(stream, numbers)) for stream, numbers in outcome.fresh.items()]
            self._journal.append(outcome.rows, received, outcome.duplicates, now_ms)
        self._ledger.take(outcome.fresh)
        self.contacts.note(outcome.news, outcome.duplicates, quarantined)
        self._metrics.committed(len(batch) - len(held), self._monotonic() - begun, outcome)
        self._metrics.held(len(held))
        return Taken(self._receipts(outcome), held)

    def tend(self, now_ms: int) -> None:
        """Store contacts and newest values where they are due; a store that is away is asked again later."""
        try:
            if now_ms >= self._rows_ms:
                self._tend_rows(now_ms)
            if now_ms - self._snapshot_ms >= SNAPSHOT_MS:
                self._snapshot_ms = now_ms
                self._snapshot()
        except FactsAway as error:
            self._rows_ms = now_ms + RELEARN_MS
            self._note_away(error)
        except JournalError as error:
            _LOG.warning("newest values are not copied: %s", error)

    def close(self, now_ms: int) -> None:
        """Store what is known and let go of the journal."""
        self.contacts.store_all()
        self._rows_ms = self._snapshot_ms = 0
        self.tend(now_ms)
        self._facts.close()
        self._journal.close()

    def _facts_first(
        self, batch: Sequence[Incoming], *, ask_facts: bool
    ) -> tuple[Outcome, frozenset[int], Counter[str]]:
        """The outcome of what can be committed now, the places of what cannot, and what was put aside by device."""
        outcome = sort(batch, self._ledger)
        if not outcome.facts and not outcome.aside:
            return outcome, frozenset(), Counter()
        if not ask_facts:
            return *self._without_facts(batch, outcome), Counter()
        try:
            quarantined = self._facts.commit(outcome.facts, outcome.aside)
        except FactsAway as error:
            self._note_away(error)
            return *self._without_facts(batch, outcome), Counter()
        self._note_back()
        return outcome, frozenset(), quarantined

    def _without_facts(self, batch: Sequence[Incoming], outcome: Outcome) -> tuple[Outcome, frozenset[int]]:
        """Readings do not wait for presses: the rest of the batch, and the places that are held back."""
        places = list(range(len(batch)))
        while needing := outcome.needing_facts():
            places = [place for index, place in enumerate(places) if index not in needing]
            outcome = sort([batch[place] for place in places], self._ledger)
        return outcome, frozenset(range(len(batch))).difference(places)

    def _receipts(self, outcome: Outcome) -> list[tuple[str, bytes]]:
        """One a device and epoch; it names whole committed ranges, so that it makes up for one that got lost."""
        return [
            (
                topic(site, device, RECEIPT),
                codec.encode(
                    Receipt(v=VERSION, epoch=epoch, ranges=tuple(self._ledger.joined((device, epoch), numbers)))
                ),
            )
            for (site, device, epoch), numbers in outcome.receipted.items()
        ]

    def _tend_rows(self, now_ms: int) -> None:
        if not self._learned:
            for device, row in self._rows.load().items():
                self.contacts.learn(device, row)
            self._learned = True
        devices = self.contacts.unstored(now_ms)
        if devices:
            states = {device: (self.contacts.site(device), self.contacts.state(device)) for device in devices}
            self._rows.save(states)
            self.contacts.stored(devices, now_ms)
        self._note_back()

    def _snapshot(self) -> None:
        snapshots = self.contacts.unsnapped()
        if snapshots:
            self._journal.save_latest(snapshots)
            self.contacts.snapped(snapshots)

    def _recall(self) -> None:
        """The newest values as the journal copied them, and then from what it took in since."""
        kept, since = self._journal.latest()
        for device, (site, newest) in kept.items():
            self.contacts.renew(device, site, _values(newest))
        for row in since:
            address = parse(row.topic)
            try:
                records, clock = readings_of(row.topic, row.payload)
            except ContractError:  # taken in by another version
                continue
            good, _ = screen(records, clock, row.received_ms)
            self.contacts.renew(address.device, address.site, good)

    def _note_away(self, error: FactsAway) -> None:
        if not self._away:
            _LOG.warning("the facts store is away, presses wait and readings go on: %s", error)
        self._away = True

    def _note_back(self) -> None:
        if self._away:
            _LOG.warning("the facts store is back")
        self._away = False


def _values(newest: bytes) -> list[Screened]:
    return [
        Screened(value.sensor, value.quantity, round(value.at * 1000), value.value, 0, Quality(value.quality))
        for value in codec.decode_as(Latest, LATEST, newest).values
    ]
