"""The ledger: what agents produced against what the server stored, message by message and reading by reading.

What was produced is written down by a trigger inside each outbox file, in the transaction that accepts a row, so it is
independent of the agent's code and cannot differ from what was accepted.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from broker.contract import codec, senml
from broker.contract.messages import Clock, Press, Readings
from broker.contract.seqset import SeqSet
from broker.contract.topics import PRESS, READINGS, parse
from edge.outbox import SqliteOutbox

_TRIGGER = """
CREATE TABLE IF NOT EXISTS produced (epoch TEXT, seq INTEGER, kind TEXT, payload BLOB, PRIMARY KEY (epoch, seq));
CREATE TRIGGER IF NOT EXISTS write_down AFTER INSERT ON row BEGIN
    INSERT INTO produced SELECT tally.epoch, NEW.seq, NEW.kind, NEW.payload FROM tally;
END;
"""


class Produced:
    """Every message that one agent accepted."""

    def __init__(self, site: str, device: str, outbox: Path) -> None:
        """Make the outbox file if there is none, and set the trigger."""
        self.site, self.device, self._path = site, device, outbox
        outbox.parent.mkdir(parents=True, exist_ok=True)
        if not outbox.exists():
            SqliteOutbox(outbox, max_bytes=1 << 30, reserve_bytes=0).close()
        with contextlib.closing(sqlite3.connect(outbox, timeout=10)) as db:
            db.executescript(_TRIGGER)

    def messages(self) -> dict[tuple[str, int], tuple[str, bytes]]:
        with contextlib.closing(sqlite3.connect(self._path, timeout=10)) as db:
            rows = db.execute("SELECT epoch, seq, kind, payload FROM produced").fetchall()
        return {(epoch, seq): (kind, payload) for epoch, seq, kind, payload in rows}

    def waiting(self) -> int:
        """Rows that no receipt has named yet."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=10)) as db:
            return int(db.execute("SELECT count(*) FROM row").fetchone()[0])


@dataclass
class Verdict:
    """What is wrong, in words; empty lists when nothing is.

    `messages`, `readings`, `presses` are how many were compared, so that a comparison of nothing is seen.
    """

    messages: int = 0
    readings: int = 0
    presses: int = 0
    repaired: int = 0
    faults: list[str] = field(default_factory=list)


def compare(produced: list[Produced], data_dir: Path) -> Verdict:
    """Hold what was produced against journal, facts and series of the node in `data_dir`."""
    verdict = Verdict()
    journalled = _journal(data_dir)
    presses = _presses(data_dir)
    expected_points: dict[tuple[str, ...], float] = {}
    for agent in produced:
        made = agent.messages()
        verdict.messages += len(made)
        _compare_numbers(agent, made, verdict)
        for (epoch, seq), (kind, payload) in made.items():
            identity = (agent.device, epoch, seq)
            if kind == PRESS.name:
                verdict.presses += 1
                _compare_press(identity, payload, presses, verdict)
            else:
                _compare_readings(agent, identity, payload, journalled, expected_points, verdict)
    strangers = set(journalled) - {(a.device, *key) for a in produced for key in a.messages()}
    verdict.faults += [f"stored but never produced: {identity}" for identity in sorted(strangers)[:5]]
    verdict.faults += [f"stored twice: {i}" for i, payloads in journalled.items() if len(payloads) > 1][:5]
    _compare_points(expected_points, data_dir, verdict)
    return verdict


def _compare_numbers(agent: Produced, made: dict[tuple[str, int], tuple[str, bytes]], verdict: Verdict) -> None:
    for epoch in {epoch for epoch, _ in made}:
        numbers = SeqSet((seq, seq) for one, seq in sorted(made) if one == epoch)
        if numbers.ranges() and numbers.ranges() != [(1, len(numbers))]:
            verdict.faults.append(f"{agent.device} {epoch}: numbers with gaps {numbers.gaps()[:5]}")


def _compare_press(
    identity: tuple[str, str, int], payload: bytes, stored: Counter[tuple[str, str, int]], verdict: Verdict
) -> None:
    press = codec.decode_as(Press, PRESS, payload)
    times = stored[identity[0], press.button, press.count]
    if times != 1:
        verdict.faults.append(f"press {identity} ({press.button} number {press.count}) is stored {times} times")


def _compare_readings(
    agent: Produced, identity: tuple[str, str, int], payload: bytes,
    journalled: dict[tuple[str, str, int], list[bytes]], expected: dict[tuple[str, ...], float], verdict: Verdict,
) -> None:  # fmt: skip
    stored = journalled.get(identity, [])
    if not stored:
        verdict.faults.append(f"lost: {identity}")
        return
    made, kept = (codec.decode_as(Readings, READINGS, one) for one in (payload, stored[0]))
    if kept.clock is Clock.REPAIRED:
        verdict.repaired += 1
        by_s = (kept.e[0].bt or 0.0) - (made.e[0].bt or 0.0)
        if [(r.n, r.v) for r in made.e] != [(r.n, r.v) for r in kept.e] or made.clock is not Clock.UNTRUSTED:
            verdict.faults.append(f"changed by the repair of {by_s} s: {identity}")
    elif payload != stored[0]:
        verdict.faults.append(f"changed on the way: {identity}")
    for reading in senml.resolve(kept.e, 0):
        if isinstance(reading, senml.Refusal):
            verdict.faults.append(f"refused: {identity} {reading}")
            continue
        verdict.readings += 1
        key = (agent.site, agent.device, reading.sensor, reading.quantity, str(reading.at_ms))
        expected[key] = reading.value


def _compare_points(expected: dict[tuple[str, ...], float], data_dir: Path, verdict: Verdict) -> None:
    from api.series import open_store

    store = open_store(
        f"sqlite:///{data_dir / 'series.db'}",
        raw_days=400,
        hourly_days=3650,
        day_offset_ms=7 * 3_600_000,
        read_only=True,
    )
    stored: dict[tuple[str, ...], float] = {}
    after = 0
    while page := store.series(after=after, limit=500):
        after = page[-1].id
        for info in page:
            if info.key.quantity == "press_count":
                continue
            start = 0
            while samples := store.samples(info.id, start, 1 << 45, limit=10_000):
                stored |= {(*info.key, str(sample.at_ms)): sample.value for sample in samples}
                start = samples[-1].at_ms + 1
    store.close()
    missing = sorted(set(expected) - set(stored))
    extra = sorted(set(stored) - set(expected))
    wrong = sorted(key for key in set(expected) & set(stored) if expected[key] != stored[key])
    for word, keys in (("not in the series", missing), ("in the series, never measured", extra), ("altered", wrong)):
        if keys:
            verdict.faults.append(f"{len(keys)} readings {word}, such as {keys[:3]}")


def _journal(data_dir: Path) -> dict[tuple[str, str, int], list[bytes]]:
    found: dict[tuple[str, str, int], list[bytes]] = {}
    for path in sorted(data_dir.glob("journal-*.db")):
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as db:
            for topic, payload in db.execute("SELECT topic, payload FROM journal ORDER BY id"):
                identity = codec.identity(payload)
                if identity is not None:
                    key = (parse(topic).device, identity.epoch, identity.seq)
                    found.setdefault(key, []).append(payload)
    return found


def _presses(data_dir: Path) -> Counter[tuple[str, str, int]]:
    with contextlib.closing(sqlite3.connect(data_dir / "facts.db", timeout=10)) as db:
        return Counter(
            (device, button, count) for device, button, count in db.execute("SELECT device, button, count FROM press")
        )
