"""What the agent says of itself: the state of its drivers, in its birth, its last will and its heartbeat."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from broker.contract import codec
from broker.contract.messages import VERSION, Clock, Heartbeat, Sensor, Status
from edge.ports import OutboxCounters, OutboxFull

log = logging.getLogger(__name__)

TEXT = 200
"""Characters of the longest text that the contract takes."""


@dataclass(slots=True)
class Drivers:
    """Which drivers work. `states` may be read from any thread."""

    states: tuple[Sensor, ...]
    _index: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._index = {state.name: number for number, state in enumerate(self.states)}

    def failed(self, name: str, why: str, at_ms: int) -> bool:
        """Note and log, once, that a driver cannot be used; True when that is news."""
        before = self.states[self._index[name]]
        error = why[:TEXT] or "unknown"
        if before.error == error:
            return False
        if before.error is None:
            log.warning("%s (%s) fails: %s; it is tried again until it works", name, before.driver, why)
        self._set(before, error, at_ms / 1000 if before.since is None else before.since)
        return True

    def works(self, name: str) -> bool:
        """Note and log, once, that it can be used again; True when that is news."""
        before = self.states[self._index[name]]
        if before.error is None:
            return False
        log.warning("%s (%s) works again", name, before.driver)
        self._set(before, None, None)
        return True

    def _set(self, before: Sensor, error: str | None, since: float | None) -> None:
        after = Sensor(name=before.name, driver=before.driver, simulated=before.simulated, error=error, since=since)
        number = self._index[before.name]
        self.states = (*self.states[:number], after, *self.states[number + 1 :])


@dataclass(frozen=True, slots=True)
class Identity:
    """What does not change while the agent runs: boot id, version, digest of the site file."""

    boot: str
    version: str
    config: str


def status_payload(identity: Identity, *, session: str, online: bool, at_ms: int, sensors: Iterable[Sensor]) -> bytes:
    """An `up/status` message: the birth, or with `online` false the last will."""
    return codec.encode(
        Status(
            v=VERSION,
            session=session,
            online=online,
            at=at_ms / 1000,
            boot=identity.boot,
            version=identity.version[:TEXT],
            config=identity.config,
            sensors=tuple(sensors),
        )
    )


def heartbeat_payload(
    identity: Identity,
    *,
    at_ms: int,
    clock: Clock,
    uptime_s: float,
    interval_s: float,
    epoch: str,
    counters: OutboxCounters,
    repair_ms: int,
    stuck: int,
    sensors: Iterable[Sensor],
) -> bytes:
    """An `up/heartbeat` message; `repair_ms` sets the times right that were stamped on this boot's estimate."""
    oldest_ms = at_ms if counters.oldest_ms is None else counters.oldest_ms
    age_ms = at_ms - oldest_ms - (repair_ms if counters.oldest_boot == identity.boot else 0)
    return codec.encode(
        Heartbeat(
            v=VERSION,
            at=at_ms / 1000,
            clock=clock,
            boot=identity.boot,
            uptime_s=uptime_s,
            interval_s=interval_s,
            epoch=epoch,
            last_seq=counters.last_seq,
            outbox=counters.depth,
            outbox_bytes=counters.bytes,
            oldest_s=max(0, age_ms) / 1000,
            stuck=stuck,
            evicted=counters.evicted,
            refused=counters.refused,
            sensors=tuple(sensors),
        )
    )


class Disk:
    """Whether the disk takes what the outbox writes; said once when it does not, and once when it does again."""

    def __init__(self) -> None:
        """Begin with a disk that does."""
        self._takes = True

    def attempt(self, action: Callable[[], object]) -> bool:
        """Do what may write or only read; False when the disk failed."""
        try:
            action()
        except OutboxFull as error:
            why = str(error)
        else:
            return True
        if self._takes:
            log.error(
                "the disk takes nothing: %s; until it does, readings are refused and counted, and presses held in"
                " memory",
                why,
            )
        self._takes = False
        return False

    def write(self, action: Callable[[], object]) -> bool:
        """Do what certainly writes; False when the disk did not take it."""
        done = self.attempt(action)
        if done and not self._takes:
            self._takes = True
            log.warning("the disk takes what is written again")
        return done
