"""A host and a simulated panel on a cable in memory, under a clock that a test moves."""

from __future__ import annotations

from firmware_bridge.device_sim import SimulatedPanel
from firmware_bridge.transport import Cable, pair
from firmware_bridge.wire.events import Event, Position, Pressed
from firmware_bridge.wire.session import Session

MS = 1_000_000
STEP_NS = 10 * MS


class World:
    """The host's program stores each press together with its position and acknowledges it then."""

    def __init__(
        self, panel: SimulatedPanel, cable: Cable | None = None, *, seed: int = 1, accepts: bool = True
    ) -> None:
        self.now_ns = 5_000_000 * MS
        self.panel = panel
        panel.restart(self.now_ns)
        self._cable, self._seed = cable, seed
        self.accepts = accepts
        self.stored: list[Pressed] = []
        self.position: Position | None = None
        self.events: list[Event] = []
        self.pressed_ns: list[int] = []
        self.dies_before_accepting = False
        self.plug()
        self.start_host()

    def plug(self) -> None:
        self._seed += 1
        self.host_end, self.panel_end = pair(self._cable, seed=self._seed, now_ns=lambda: self.now_ns)

    def pull(self) -> None:
        """What is on the cable is gone; it is plugged in again at once."""
        self.plug()
        self.session.line_lost("pulled")

    def start_host(self) -> None:
        """A new process, which knows what was stored."""
        self._seed += 1
        self.session = Session(session=self._seed * 7919, accepted=self.position)

    def press(self, button: int = 0) -> bool:
        kept = self.panel.press(button, self.now_ns)
        if kept:
            self.pressed_ns.append(self.now_ns)
        return kept

    def run(self, ms: int) -> None:
        until_ns = self.now_ns + ms * MS
        while self.now_ns < until_ns:
            self.now_ns += STEP_NS
            self.step()

    def step(self) -> None:
        self.panel.receive(self.panel_end.read(0), self.now_ns)
        self.panel.tick(self.now_ns)
        self.panel_end.write(self.panel.data_to_send())
        self.session.receive(self.host_end.read(0), self.now_ns)
        while (event := self.session.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, Pressed):
                self.stored.append(event)
                self.position = event.position
                if self.dies_before_accepting:
                    self.dies_before_accepting = False
                    self.start_host()
                    return
                if self.accepts:
                    self.session.accept(event.position)
        self.session.tick(self.now_ns)
        self.host_end.write(self.session.data_to_send())

    def settle(self, longest_ms: int = 300_000) -> None:
        """Run until the panel keeps nothing."""
        until_ns = self.now_ns + longest_ms * MS
        while self.panel.kept and self.now_ns < until_ns:
            self.run(50)
        assert self.panel.kept == 0

    def numbers(self) -> list[int]:
        return [event.press.number for event in self.stored]

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]
