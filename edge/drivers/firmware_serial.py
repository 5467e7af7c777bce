"""The buttons of a microcontroller panel on a serial cable, by the firmware bridge (docs/wire.md).

The panel debounces. Each of its presses is reported here as a closing and an opening edge, so that the agent's own
debouncer makes exactly one press of it, at the time the panel took: the opening is stamped half a lockout after the
closing, and neither is earlier than a `lockout_ms` after the closing before. Presses of one button that the panel took
closer together than that (it does not, as delivered) are moved apart by it and none is lost. A press is acknowledged to
the panel 0.25 s after it was handed over, time for the agent to write it; a panel keeps what is not acknowledged, so a
pulled cable or an agent that restarts loses none. An agent killed within that time may report a press twice.

Lamps, display and the panel's own sensors are not driven from here: the agent has no way down yet, and one unit of the
site file is either buttons or a sensor. Name the port by its path in /dev/serial/by-id, which stays the same wherever
it is plugged in; with `panel`, no other panel is taken for this one.

The twin is a simulated panel on a cable in memory.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta, Struct

from broker.contract.ids import SensorName
from edge.core.presses import LOCKOUT_MS, MIN_OPEN_MS, MS, Edge
from edge.ports import Driver, SensorError
from firmware_bridge.device_sim import SimulatedPanel
from firmware_bridge.link import Link
from firmware_bridge.serial_transport import SerialTransport
from firmware_bridge.transport import Transport, TransportError, pair
from firmware_bridge.wire.events import Connected, Disconnected, Event, Position, Pressed, Refused
from firmware_bridge.wire.session import Session

log = logging.getLogger(__name__)

SETTLE_NS = 250 * MS
"""From handing a press over to acknowledging it: the agent writes it in a few milliseconds."""

ANSWER_S = 3.0
"""A panel says hello within a second of being asked."""

POLL_S = 0.05


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Which panel, and what its buttons are called.

    Attributes:
        port: device file of the serial port.
        buttons: name of each button = its number on the panel, from 0.
        baudrate: as the panel's firmware has it.
        panel: the panel's id, 16 hex digits, as `python -m firmware_bridge monitor` shows it; empty for whichever.
        lockout_ms: least time between two presses of one button; the panel's own is about as long.
        min_open_ms: rest that ends a press, at most half of lockout_ms.
        press_every_s: twin only: seconds between presses of each button; 0 for none.

    Example:
        port = "/dev/serial/by-id/usb-Simpul_panel_01-if00"
        buttons = { pharmacy = 0, cashier = 1 }
    """

    port: Annotated[str, Meta(min_length=1)]
    buttons: Annotated[dict[SensorName, Annotated[int, Meta(ge=0, le=15)]], Meta(min_length=1)]
    baudrate: Annotated[int, Meta(ge=1200, le=1_000_000)] = 57_600
    panel: Annotated[str, Meta(pattern=r"^([0-9a-f]{16})?\Z")] = ""
    lockout_ms: Annotated[int, Meta(ge=2, le=60_000)] = LOCKOUT_MS
    min_open_ms: Annotated[int, Meta(ge=1, le=1000)] = MIN_OPEN_MS
    press_every_s: Annotated[float, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        """Raises ValueError when a number is there twice, or a press could not be told from the next."""
        if len(set(self.buttons.values())) != len(self.buttons):
            raise ValueError("two buttons share one number")
        if self.lockout_ms < 2 * self.min_open_ms:
            raise ValueError("lockout_ms must be at least twice min_open_ms")


def decode(at_ns: int, before_ns: int | None, lockout_ms: int) -> tuple[Edge, Edge]:
    """A press of the panel as the edges of which the debouncer makes exactly one press.

    Args:
        at_ns: when it was pressed, as the panel's clock is known.
        before_ns: the closing edge made of the same button's press before it, None for its first.
        lockout_ms: of the debouncer, at least twice its `min_open_ms`.
    """
    close_ns = at_ns if before_ns is None else max(at_ns, before_ns + lockout_ms * MS)
    return Edge(close_ns, closed=True), Edge(close_ns + lockout_ms * MS // 2, closed=False)


class FirmwareButtons:
    """The Buttons of one panel."""

    def __init__(
        self,
        config: Config,
        open_line: Callable[[], Transport],
        now_ns: Callable[[], int],
        *,
        answer_s: float = ANSWER_S,
    ) -> None:
        """Open the line. Raises SensorError that says what to do."""
        self._answer_s = answer_s
        panel = bytes.fromhex(config.panel) or None
        self._now_ns = now_ns
        self._lockout_ms = config.lockout_ms
        self._link = Link(open_line, Session(session=secrets.randbits(16), panel=panel), now_ns=now_ns)
        self._names = MappingProxyType({number: name for name, number in config.buttons.items()})
        self._closed_ns: dict[int, int] = {}
        self._unsettled: deque[tuple[int, Position]] = deque()
        self._stop = threading.Event()
        self._answered = threading.Event()
        self._trouble = ""
        self._on_edge: Callable[[str, Edge], None] = _nobody
        self._thread = threading.Thread(target=self._run, name="panel", daemon=True)
        try:
            self._link.open()
        except TransportError as error:
            raise SensorError(str(error)[:200]) from error

    def start(self, on_edge: Callable[[str, Edge], None]) -> None:
        """Report presses; returns when the panel has answered. Raises SensorError when it does not in time."""
        self._on_edge = on_edge
        self._thread.start()
        if not self._answered.wait(self._answer_s):
            raise SensorError(
                "no panel answers on the port: check its power, its baudrate, and that it is a panel (monitor shows)"
            )
        if self._trouble:
            raise SensorError(self._trouble[:200])

    def close(self) -> None:
        """Give the port back."""
        self._stop.set()
        self._link.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(2)

    def _run(self) -> None:
        while not self._stop.is_set():
            for event in self._link.poll(POLL_S):
                self._heed(event)
            self._settle()

    def _heed(self, event: Event) -> None:
        match event:
            case Pressed():
                self._pressed(event)
            case Connected():
                if self._trouble:
                    log.info("panel %s is back", event.hello.panel.hex())
                self._trouble = ""
                self._answered.set()
            case Refused():
                self._unavailable(event.remedy)
                self._answered.set()
            case Disconnected():
                self._unavailable(event.why)
            case _:
                return

    def _unavailable(self, why: str) -> None:
        if not self._trouble:
            log.warning("the panel is away: %s", why)
        self._trouble = why

    def _pressed(self, event: Pressed) -> None:
        number = event.press.button
        if number in self._names:
            edges = decode(event.time.at_ns, self._closed_ns.get(number), self._lockout_ms)
            self._closed_ns[number] = edges[0].at_ns
            for edge in edges:
                self._on_edge(self._names[number], edge)
        self._unsettled.append((self._now_ns() + SETTLE_NS, event.position))

    def _settle(self) -> None:
        while self._unsettled and self._unsettled[0][0] <= self._now_ns():
            self._link.accept(self._unsettled.popleft()[1])


class SimulatedButtons:
    """The same over a simulated panel."""

    def __init__(self, config: Config, seed: int) -> None:
        """Plug a simulated panel in; nobody presses before `start`."""
        here, there = pair(seed=seed, now_ns=_now_ns)
        self._config, self._line = config, there
        self._panel = SimulatedPanel(
            panel=bytes.fromhex(config.panel) or b"twin" + (seed & 0xFFFF_FFFF).to_bytes(4, "big"),
            buttons=16,
            started_ms=0xFFFF_FFFF - seed % 60_000,
            now_ns=_now_ns(),
        )
        self._buttons = FirmwareButtons(config, lambda: here, _now_ns)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="simulated-panel", daemon=True)
        self._delivered = threading.Condition()
        self._reported = 0

    def start(self, on_edge: Callable[[str, Edge], None]) -> None:
        """Report presses, then let people press. Raises SensorError."""

        def report(button: str, edge: Edge) -> None:
            on_edge(button, edge)
            with self._delivered:
                self._reported += not edge.closed
                self._delivered.notify_all()

        self._thread.start()
        self._buttons.start(report)

    def press(self, button: str) -> None:
        """Press, and return when it was reported. Raises LookupError, and SensorError when it is not within 5 s."""
        if button not in self._config.buttons:
            raise LookupError(f"no button {button[:48]!r}; there are: {', '.join(self._config.buttons)}")
        with self._delivered:
            wanted = self._reported + 1
            self._push(button)
            if not self._delivered.wait_for(lambda: self._reported >= wanted, 5):
                raise SensorError("the simulated panel does not answer: check that it was started")

    def close(self) -> None:
        """Unplug it."""
        self._stop.set()
        self._buttons.close()

    def _push(self, button: str) -> None:
        with self._lock:
            self._panel.press(self._config.buttons[button], _now_ns())

    def _live(self) -> None:
        every_ns = round(self._config.press_every_s * 1e9)
        due_ns = _now_ns() + every_ns
        while not self._stop.is_set():
            try:
                data = self._line.read(POLL_S / 5)
                with self._lock:
                    self._panel.receive(data, _now_ns())
                    self._panel.tick(_now_ns())
                    answer = self._panel.data_to_send()
                if answer:
                    self._line.write(answer)
            except TransportError:
                return
            if every_ns and _now_ns() >= due_ns:
                due_ns += every_ns
                for button in self._config.buttons:
                    self._push(button)


def _nobody(_button: str, _edge: Edge) -> None:
    """Nobody listens yet."""


def _now_ns() -> int:
    """The clock that counts suspend, as the agent's."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


DRIVER = Driver(
    summary="Buttons of a microcontroller panel on a serial cable",
    config=Config,
    open=lambda config: FirmwareButtons(
        config, lambda: SerialTransport(config.port, baudrate=config.baudrate), _now_ns
    ),
    simulated=SimulatedButtons,
    measures=(),
)
