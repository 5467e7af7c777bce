"""A simulated panel: the microcontroller's side of docs/wire.md on the same wire code, time as an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from firmware_bridge.wire.fields import Message
from firmware_bridge.wire.frame import DELIMITER
from firmware_bridge.wire.messages import (
    OLDEST,
    SETTINGS,
    VERSION,
    AckCommand,
    AckPress,
    Configure,
    Hello,
    Log,
    Outputs,
    Press,
    Probe,
    Reading,
    Reboot,
    Refuse,
    SetOutputs,
    Show,
    Time,
    Welcome,
    Who,
    frame_of,
)  # fmt: skip
from firmware_bridge.wire.receiver import Received, Receiver
from firmware_bridge.wire.resend import MS, Backoff

IN_FLIGHT = 8
HELLO_NS = 1000 * MS
REFUSED_NS = 5000 * MS
PANEL = bytes.fromhex("51a0000000000001")


@dataclass(slots=True)
class Eeprom:
    """What outlives a power cut."""

    boot: int = 0
    number: int = 0


@dataclass(slots=True)
class Shown:
    """What a person in front of the panel sees and hears."""

    lamps: int = 0
    blinking: int = 0
    buzzer_ms: int = 0
    text: str = ""
    settings: dict[str, int] = field(default_factory=dict)
    in_bootloader: bool = False


class SimulatedPanel:
    """One panel, used from one thread."""

    def __init__(
        self,
        *,
        panel: bytes = PANEL,
        eeprom: Eeprom | None = None,
        buttons: int = 8,
        ring: int = 32,
        started_ms: int = 0,
        rate: float = 1.0,
        speaks: tuple[int, int] = (OLDEST, VERSION),
        now_ns: int = 0,
    ) -> None:
        """Start up.

        Args:
            panel: its id.
            eeprom: what it remembers from before; nothing when None.
            buttons: how many it has, up to 16.
            ring: presses it can keep.
            started_ms: what its millisecond count begins at.
            rate: its milliseconds in a true millisecond.
            speaks: oldest and newest version.
            now_ns: true time.
        """
        self.eeprom = eeprom or Eeprom()
        self.shown = Shown()
        self.lost = 0
        self._panel, self._buttons, self._ring_size = panel, buttons, ring
        self._started_ms, self._rate, self._speaks = started_ms, rate, speaks
        self._out = bytearray()
        self.restart(now_ns)

    def restart(self, now_ns: int) -> None:
        """Lose everything but the EEPROM, as a power cut does; presses not acknowledged are gone with it."""
        self.eeprom.boot = (self.eeprom.boot + 1) & 0xFFFF
        self.shown, self.lost = Shown(), 0
        self._began_ns = now_ns
        self._ring: deque[tuple[int, Press]] = deque()
        self._next, self._sent = 1, 0
        self._session, self._command = 0, 0
        self._linked = False
        self._receiver = Receiver()
        self._resend = Backoff()
        self._heard_ns, self._patience_ns = now_ns, 0
        self._hello_due_ns = now_ns

    @property
    def kept(self) -> int:
        """Presses that the host has not acknowledged."""
        return len(self._ring)

    @property
    def linked(self) -> bool:
        """Whether it believes in a link."""
        return self._linked

    def device_ms(self, now_ns: int) -> int:
        """Its millisecond count at true time `now_ns`."""
        return (self._started_ms + int((now_ns - self._began_ns) * self._rate) // MS) & 0xFFFF_FFFF

    def press(self, button: int, now_ns: int, edges: int = 1) -> bool:
        """A debounced press; False when the ring is full and it is lost. Raises LookupError."""
        if not 0 <= button < self._buttons:
            raise LookupError(f"no button {button}; there are {self._buttons}")
        if len(self._ring) >= self._ring_size:
            self.lost = min(0xFFFF, self.lost + 1)
            return False
        self.eeprom.number = (self.eeprom.number + 1) & 0xFFFF_FFFF
        press = Press(self.eeprom.boot, button, self.device_ms(now_ns), min(0xFFFF, edges), self.eeprom.number)
        self._ring.append((self._next, press))
        self._next = (self._next + 1) & 0xFFFF
        return True

    def say(self, message: Reading | Log) -> None:
        """A reading or a line of log, when there is a link."""
        if self._linked:
            self._send(message)

    def receive(self, data: bytes, now_ns: int) -> None:
        """Bytes from the host."""
        for result in self._receiver.feed(data):
            if isinstance(result, Received):
                self._heard_ns = now_ns
                self._take(result.message, result.seq, now_ns)

    def tick(self, now_ns: int) -> None:
        """Let time pass; to be called after `receive`, after `press` and every 10 to 50 ms."""
        if self._linked and now_ns - self._heard_ns >= self._patience_ns:
            self._unlink(now_ns)
        if not self._linked:
            if now_ns >= self._hello_due_ns:
                self._hello_due_ns = now_ns + HELLO_NS
                self._send(self._hello(now_ns))
            return
        if self._resend.due(now_ns):
            self._sent = 0
        due = list(self._ring)[self._sent : IN_FLIGHT]
        for seq, press in due:
            self._send(press, seq)
        if due and (self._sent == 0 or self._resend.due_ns is None):
            self._resend.sent(now_ns)
        self._sent += len(due)

    def data_to_send(self) -> bytes:
        """What goes on the line now; it is forgotten here."""
        data = bytes(self._out)
        self._out.clear()
        return DELIMITER + data if data else b""

    def _take(self, message: Message, seq: int, now_ns: int) -> None:
        match message:
            case Who():
                self._unlink(now_ns)
            case Welcome():
                self._on_welcome(message)
            case Refuse():
                self._unlink(now_ns)
                self._hello_due_ns = now_ns + REFUSED_NS
            case AckPress():
                self._on_ack(message, now_ns)
            case Probe():
                self._send(Time(message.probe, self.device_ms(now_ns)))
            case SetOutputs() | Show() | Configure() | Reboot() if self._linked:
                self._on_command(message, seq, now_ns)
            case _:
                return

    def _unlink(self, now_ns: int) -> None:
        self._linked = False
        self._hello_due_ns = now_ns

    def _on_welcome(self, welcome: Welcome) -> None:
        if welcome.session != self._session:
            self._session, self._command = welcome.session, 0
        self._linked, self._patience_ns = True, welcome.patience_s * 1000 * MS
        self._sent = 0
        self._resend.reset()
        self._send(AckCommand(self._session, self._command))
        self._send_outputs()

    def _on_ack(self, ack: AckPress, now_ns: int) -> None:
        if ack.boot != self.eeprom.boot or not self._ring:
            return
        forget = ((ack.seq - self._ring[0][0]) & 0xFFFF) + 1
        if forget > len(self._ring):
            return
        for _ in range(forget):
            self._ring.popleft()
        self._sent = max(0, self._sent - forget)
        self._resend.reset()
        if self._sent:
            self._resend.sent(now_ns)

    def _on_command(self, command: Message, seq: int, now_ns: int) -> None:
        fresh = seq == (self._command + 1) & 0xFFFF
        if fresh:
            self._command = seq
        self._send(AckCommand(self._session, self._command))
        if fresh:
            self._carry_out(command, now_ns)

    def _carry_out(self, command: Message, now_ns: int) -> None:
        match command:
            case SetOutputs():
                self.shown.lamps, self.shown.blinking = command.lamps, command.blinking
                self.shown.buzzer_ms = command.buzzer_ms
            case Show():
                self.shown.text = command.text
            case Configure():
                self.shown.settings[SETTINGS[command.setting][0]] = command.value
            case _:
                self.restart(now_ns)
                self.shown.in_bootloader = True
                return
        self._send_outputs()

    def _send_outputs(self) -> None:
        shown = self.shown
        self._send(Outputs(shown.lamps, shown.blinking, shown.buzzer_ms, shown.text))

    def _hello(self, now_ns: int) -> Hello:
        return Hello(
            version=self._speaks[1],
            oldest=self._speaks[0],
            panel=self._panel,
            firmware=(1, 0, 0),
            boot=self.eeprom.boot,
            session=self._session,
            first=self._ring[0][0] if self._ring else self._next,
            next=self._next,
            lost=self.lost,
            capabilities=0b01111,
            buttons=self._buttons,
            lamps=8,
            digits=4,
            reset=1,
            ring=self._ring_size,
            uptime_ms=self.device_ms(now_ns),
        )

    def _send(self, message: Message, seq: int = 0) -> None:
        self._out += frame_of(message, seq=seq)
