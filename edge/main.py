"""Puts the agent together and runs it: the one place that knows the concrete classes."""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import random
import signal
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

from broker.client import Login
from broker.contract.messages import Sensor
from edge import config
from edge.agent import Agent, Ending, Settings
from edge.clock import SystemClock
from edge.config import ConfigError, Site
from edge.core.delivery import Pace
from edge.events import Event, Reload, Stop
from edge.intake import Wiring
from edge.mqtt import Connection
from edge.outbox import SqliteOutbox
from edge.ports import Clock, OutboxFull
from edge.report import Identity
from edge.units import Unit

log = logging.getLogger(__name__)

OUTBOX = "outbox.db"
LOCK = "agent.lock"
DAY_MS = 86_400_000
DRIVERS_END_S = 1.0
"""How long a stop waits for all drivers to give their buses back."""


class CannotStart(Exception):
    """The agent cannot run now; the message says what to do, and the service manager may try again."""

    retryable = True


def run(path: Path, *, clock: Clock | None = None) -> int:
    """Run the agent of a site file until SIGTERM or SIGINT; SIGHUP takes up a changed file by starting anew.

    Args:
        path: of the site file.
        clock: instead of the system's.

    Returns:
        The exit status, 0.

    Raises:
        ConfigError: the site file is wrong.
        CannotStart: a file is missing, the state directory is in use, or the disk takes nothing.
    """
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    _obey_signals(events)
    site = config.load(path)
    with _alone(site.path(site.agent.state_dir)):
        ending = _serve(site, path, events, clock or SystemClock(always_trusted=site.clock.trust == "always"))
    if ending is Ending.RELOAD:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until our next self obeys it again; a handler would not survive
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 ourselves, with our own arguments
    return 0


def login(site: Site) -> Login:
    """The broker and our password there. Raises CannotStart when a file of it cannot be read."""
    secret = site.path(site.mqtt.password_file)
    ca_file = site.path(site.mqtt.ca_file) if site.mqtt.ca_file else None
    try:
        password = secret.read_text("utf-8").split("\n", 1)[0].strip()
        if ca_file is not None:
            ca_file.read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"[mqtt] password_file or ca_file: {error}") from None
    return Login(site.mqtt.host, site.mqtt.port, site.agent.device, password, ca_file)


def _serve(site: Site, path: Path, events: queue.SimpleQueue[Event], clock: Clock) -> Ending:
    connection = Connection(login(site), site=site.agent.site, emit=events.put)
    try:
        outbox = SqliteOutbox(site.path(site.agent.state_dir) / OUTBOX, max_bytes=site.outbox.max_bytes)
        agent = _agent(site, path, events, clock=clock, outbox=outbox, connection=connection)
    except OutboxFull as error:
        raise CannotStart(f"[agent] state_dir: {error}; make room, or see to the disk") from None
    units = {unit.name: _unit(unit, site, agent, events, clock=clock, outbox=outbox) for unit in site.units}
    agent.silent_s = lambda name, now_ns: units[name].silent_s(now_ns)
    connection.start(agent.status)
    for unit in units.values():
        unit.start()
    log.info("agent of %s at %s with %d drivers", site.agent.device, site.agent.site, len(units))
    ending = _until_ended(agent, path)
    for unit in units.values():
        unit.stop()
    deadline = time.monotonic() + DRIVERS_END_S
    for unit in units.values():
        unit.join(max(0.0, deadline - time.monotonic()))
    agent.finish()
    connection.stop()
    outbox.close()
    return ending


def _until_ended(agent: Agent, path: Path) -> Ending:
    """Run; a reload of a site file that is wrong is refused and changes nothing."""
    while agent.run() is Ending.RELOAD:
        try:
            config.load(path)
        except ConfigError as error:
            log.error("the site file is not taken up, the agent goes on as it was:\n%s", error)  # noqa: TRY400 the text is all
        else:
            log.info("taking up the site file: starting anew")
            return Ending.RELOAD
    return Ending.STOP


def _agent(
    site: Site,
    path: Path,
    events: queue.SimpleQueue[Event],
    *,
    clock: Clock,
    outbox: SqliteOutbox,
    connection: Connection,
) -> Agent:
    wiring = Wiring(
        commit_s=site.outbox.commit_s,
        intervals_ms={unit.name: round(unit.interval_s * 1000) for unit in site.units},
        debounce={
            unit.name: (unit.settings.lockout_ms, unit.settings.min_open_ms)
            for unit in site.units
            if config.reports_presses(unit.kind)
        },
    )
    settings = Settings(
        heartbeat_s=site.agent.heartbeat_s,
        patience_s=site.clock.patience_s,
        max_age_ms=round(site.outbox.max_age_days * DAY_MS),
        not_before_ms=path.stat().st_mtime_ns // 1_000_000,
        wiring=wiring,
        pace=Pace(backfill_per_s=site.outbox.backfill_per_s),
    )
    sensors = [
        Sensor(name=unit.name, driver=unit.driver, simulated=unit.simulated or unit.kind.made_up) for unit in site.units
    ]
    return Agent(
        settings,
        Identity(clock.boot(), version("simpul"), site.digest),
        sensors,
        events=events,
        outbox=outbox,
        publisher=connection,
        clock=clock,
        jitter=random.random,
        notify=_notifier(),
    )


def _unit(
    unit: config.Unit,
    site: Site,
    agent: Agent,
    events: queue.SimpleQueue[Event],
    *,
    clock: Clock,
    outbox: SqliteOutbox,
) -> Unit:
    seed = zlib.crc32(f"{site.agent.device}/{unit.name}".encode())
    opening = (
        partial(unit.kind.simulated, unit.settings, seed) if unit.simulated else partial(unit.kind.open, unit.settings)
    )
    return Unit(
        unit.name,
        opening,
        interval_s=unit.interval_s,
        emit=events.put,
        monotonic_ns=clock.monotonic_ns,
        now_ms=agent.keeper.now_ms,
        may_ask=agent.keeper.settled,
        position=outbox.position(unit.name),
    )


def _obey_signals(events: queue.SimpleQueue[Event]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: events.put(Stop()))
    signal.signal(signal.SIGHUP, lambda _number, _frame: events.put(Reload()))


def _notifier() -> Callable[[str], None]:
    """What tells systemd how we are; nothing when it did not start us."""
    if "NOTIFY_SOCKET" not in os.environ:
        return lambda _: None
    from sdnotify import SystemdNotifier  # noqa: PLC0415 only a service needs it

    notify: Callable[[str], None] = SystemdNotifier().notify
    return notify


@contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
    """Hold the state directory's lock; two agents on one outbox would give numbers out twice."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / LOCK).open("a+", encoding="ascii")
    except OSError as error:
        raise CannotStart(f"[agent] state_dir: {error}; make it a directory that the agent may write to") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise CannotStart(
                f"[agent] state_dir: {state_dir} is in use by the agent with process id {lock.read().strip() or '?'}; "
                "end that one, or give this agent a directory of its own"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
