"""A clock that moves when told, and the far end of a connection."""

from __future__ import annotations

from broker.contract import codec
from broker.contract.messages import Heartbeat, Press, Readings
from broker.contract.topics import HEARTBEAT, PRESS, READINGS

S = 1_000_000_000
JUNE_2024_MS = 1_717_200_000_000
BOOT = "b" * 32


class FakeClock:
    """The Clock port; nothing moves by itself."""

    def __init__(self, wall_ms: int = JUNE_2024_MS, *, synchronised: bool = True, boot: str = BOOT) -> None:
        self.now_ns = 100 * S
        self.now_wall_ms = wall_ms
        self.in_step = synchronised
        self.boot_id = boot

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)
        self.now_wall_ms += round(seconds * 1000)

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ms(self) -> int:
        return self.now_wall_ms

    def synchronised(self) -> bool:
        return self.in_step

    def boot(self) -> str:
        return self.boot_id


class Wire:
    """The Publisher port: what was handed to it, in order; `takes` says whether it takes more."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.takes = True
        self.connection = 1
        self.tended = 0

    def tend(self) -> None:
        self.tended += 1

    def publish(self, connection: int, kind: str, payload: bytes) -> bool:
        if not self.takes or connection != self.connection:
            return False
        self.sent.append((kind, payload))
        return True

    def take(self) -> list[tuple[str, bytes]]:
        """What was sent since the last time."""
        sent, self.sent = self.sent, []
        return sent

    def presses(self) -> list[Press]:
        return [codec.decode_as(Press, PRESS, payload) for kind, payload in self.sent if kind == "press"]

    def readings(self) -> list[Readings]:
        return [codec.decode_as(Readings, READINGS, payload) for kind, payload in self.sent if kind == "readings"]

    def heartbeats(self) -> list[Heartbeat]:
        return [codec.decode_as(Heartbeat, HEARTBEAT, payload) for kind, payload in self.sent if kind == "heartbeat"]
