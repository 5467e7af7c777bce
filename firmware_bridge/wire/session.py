"""The host's side of a link: bytes and time in, bytes and events out. All its transitions stand in this file.

    SEEKING ──HELLO──▶ WELCOMING ──ACK_COMMAND──▶ UP
       ▲                   │ ten times unanswered   │ 3 s of silence, a command unanswered
       └───────────────────┴────────────────────────┘      (a HELLO leads to WELCOMING from everywhere)

Errors of the other side never raise: they are counted and passed over. Errors of the caller raise.
"""

from __future__ import annotations

import enum
from collections import deque

from firmware_bridge.wire.clock import DeviceClock
from firmware_bridge.wire.events import (
    Connected,
    Disconnected,
    Done,
    Event,
    Position,
    Pressed,
    Refused,
    Told,
)  # fmt: skip
from firmware_bridge.wire.fields import Message
from firmware_bridge.wire.frame import DELIMITER
from firmware_bridge.wire.messages import (
    OLDEST,
    VERSION,
    AckCommand,
    AckPress,
    Hello,
    Log,
    Outputs,
    Press,
    Reading,
    Refuse,
    Time,
    Welcome,
    Who,
    frame_of,
)  # fmt: skip
from firmware_bridge.wire.probing import Probing
from firmware_bridge.wire.receiver import Received, Receiver
from firmware_bridge.wire.resend import MS, Backoff, Commands

SILENCE_NS = 3000 * MS
"""Nothing good for so long, with a probe each second: the panel is gone."""

SEEK_NS = 1000 * MS
PATIENCE_S = 5

UNREAD = 256
"""Events that wait to be read; presses beyond are left to be sent again, other news is dropped and counted."""


class State(enum.Enum):
    """Where the link stands."""

    SEEKING = "seeking"
    WELCOMING = "welcoming"
    UP = "up"


class Session:
    """One panel's link, used from one thread."""

    def __init__(
        self, *, session: int, accepted: Position | None = None, panel: bytes | None = None, address: int = 0
    ) -> None:
        """Begin to seek.

        Args:
            session: where to begin numbering sessions, any number; a random one, so that a host that was restarted is
                not taken for its predecessor.
            accepted: what is safe from before, as it was stored.
            panel: the id that alone is welcomed; None for whichever answers.
            address: of the panel, 0 on a line with one.
        """
        self.state = State.SEEKING
        self.clock = DeviceClock()
        self.receiver = Receiver(address)
        self.hello: Hello | None = None
        self.unread_dropped = 0
        self._address = address
        self._session = session % 0xFFFF
        self._agreed = False
        self._accepted = accepted
        self._delivered = accepted.seq if accepted else 0
        self._panel = panel
        self._refused: tuple[bytes, int] | None = None
        self._out = bytearray()
        self._events: deque[Event] = deque()
        self._welcome = Backoff()
        self._commands = Commands(address)
        self._probing = Probing()
        self._seek_due_ns: int | None = None
        self._heard_ns = 0

    @property
    def accepted(self) -> Position | None:
        """The last press that is safe."""
        return self._accepted

    def next_event(self) -> Event | None:
        """The oldest event that was not read yet."""
        return self._events.popleft() if self._events else None

    def data_to_send(self) -> bytes:
        """What is to be written to the line now, behind a delimiter that cuts noise off; it is forgotten here."""
        data = bytes(self._out)
        self._out.clear()
        return DELIMITER + data if data else b""

    def receive(self, data: bytes, now_ns: int) -> None:
        """Bytes from the line, in pieces of any size."""
        for result in self.receiver.feed(data):
            if isinstance(result, Received):
                self._heard_ns = now_ns
                self._take(result.message, result.seq, now_ns)

    def tick(self, now_ns: int) -> None:
        """Let time pass: send again, probe, seek, give up; to be called after `receive` and every 10 to 50 ms."""
        if self.state is State.UP:
            self._tick_up(now_ns)
        elif self.state is State.WELCOMING and self._welcome.due(now_ns):
            if self._welcome.spent:
                self._seek("it does not answer our welcome", now_ns)
            else:
                self._send_welcome(now_ns)
        if self.state is State.SEEKING and (self._seek_due_ns is None or now_ns >= self._seek_due_ns):
            self._seek_due_ns = now_ns + SEEK_NS
            self._send(Who())

    def accept(self, position: Position) -> None:
        """The press there and all before it are safe; the panel may forget them.

        A position of a boot that is gone, or one that was not handed out, is passed over.
        """
        ours = self._accepted
        if ours is None or position[:2] != ours[:2]:
            return
        if 0 < (position.seq - ours.seq) & 0xFFFF <= (self._delivered - ours.seq) & 0xFFFF:
            self._accepted = position
            self._ack_presses()

    def send(self, command: Message) -> int:
        """Queue SetOutputs, Show, Configure or Reboot; the ticket that Done will name.

        Raises:
            BadMessage: a field out of range.
            Full: 16 wait already.
        """
        return self._commands.add(command)

    def line_lost(self, why: str) -> None:
        """The line itself is gone: begin anew with the next one."""
        if self.state is State.UP:
            self._tell(Disconnected(why))
        self.state, self._seek_due_ns = State.SEEKING, None
        self._welcome.reset()
        self._commands.pause()
        self._out.clear()
        self.receiver.feed(b"\0")

    def _take(self, message: Message, seq: int, now_ns: int) -> None:
        match message:
            case Hello():
                self._on_hello(message, now_ns)
            case Time():
                self._on_time(message, now_ns)
            case AckCommand():
                self._on_ack(message)
            case Press() if self.state is State.UP:
                self._on_press(message, seq, now_ns)
            case Reading() | Outputs() | Log() if self.state is State.UP:
                at_ms = None if isinstance(message, Outputs) or not self.clock.known else message.at_ms
                self._tell(Told(message, None if at_ms is None else self.clock.host(at_ms, now_ns)))
            case _:
                return

    def _on_hello(self, hello: Hello, now_ns: int) -> None:
        remedy = self._unfit(hello)
        if remedy:
            self._refuse(hello, remedy, now_ns)
            return
        before, self.hello = self.hello, hello
        same = before is not None and (before.panel, before.boot) == (hello.panel, hello.boot)
        if not same:
            self.clock = DeviceClock()
        if not (same and self._agreed and hello.session == self._session):
            self._new_session(pending=same and self.state is State.WELCOMING)
        if self.state is State.UP:
            self._tell(Disconnected("the panel says hello again"))
        self._resume(hello)
        if self.state is not State.WELCOMING:
            self.state = State.WELCOMING
            self._welcome.reset()
        if self._welcome.due_ns is None:
            self._send_welcome(now_ns)

    def _unfit(self, hello: Hello) -> str:
        """Why this panel cannot be linked with, and what to do; empty when it can."""
        speaks = f"the panel speaks wire versions {hello.oldest} to {hello.version}, we {OLDEST} to {VERSION}"
        if hello.oldest > VERSION:
            return f"{speaks}: update this program"
        if hello.version < OLDEST:
            return f"{speaks}: flash newer firmware"
        if self._panel is not None and hello.panel != self._panel:
            return f"this is panel {hello.panel.hex()}, not {self._panel.hex()}: check which cable is where"
        return ""

    def _refuse(self, hello: Hello, remedy: str, now_ns: int) -> None:
        if self.state is not State.SEEKING:
            self._seek("another panel answers", now_ns)
        self._send(Refuse(OLDEST, VERSION))
        if self._refused != (hello.panel, hello.boot):
            self._refused = (hello.panel, hello.boot)
            self._tell(Refused(hello, remedy))

    def _new_session(self, *, pending: bool) -> None:
        """Begin another one, unless the panel only has not heard yet of the one that begins."""
        if not pending or self._agreed:
            self._session = self._session % 0xFFFF + 1
            self._welcome.reset()
        self._agreed = False
        for ticket in self._commands.restart():
            self._tell(Done(ticket, carried_out=False))

    def _resume(self, hello: Hello) -> None:
        """Rule 3 of the host: go on behind what is safe, when the panel can be where we left it."""

        def fits(seq: int) -> bool:
            return (seq + 1 - hello.first) & 0xFFFF <= (hello.next - hello.first) & 0xFFFF

        ours = self._accepted
        if ours is None or ours[:2] != (hello.panel, hello.boot) or not fits(ours.seq):
            ours = self._accepted = Position(hello.panel, hello.boot, (hello.first - 1) & 0xFFFF)
            self._delivered = ours.seq
        elif not fits(self._delivered):
            self._delivered = ours.seq

    def _send_welcome(self, now_ns: int) -> None:
        self._welcome.sent(now_ns)
        self._send(Welcome(VERSION, PATIENCE_S, self._session))
        self._send(self._probing.next(now_ns))

    def _on_ack(self, ack: AckCommand) -> None:
        if ack.session != self._session:
            return
        if self.state is State.WELCOMING and self.hello is not None:
            self.state = State.UP
            self._welcome.reset()
            self._probing.begin()
            self._tell(Connected(self.hello, fresh=not self._agreed))
            self._agreed = True
        ticket = self._commands.acknowledged(ack.seq)
        if ticket is not None:
            self._tell(Done(ticket, carried_out=True))

    def _on_press(self, press: Press, seq: int, now_ns: int) -> None:
        hello = self.hello
        if hello is None or press.boot != hello.boot:
            self._seek("a press of another boot", now_ns)
        elif seq != (self._delivered + 1) & 0xFFFF:
            self._ack_presses()
        elif self.clock.known and len(self._events) < UNREAD:
            self._delivered = seq
            position = Position(hello.panel, hello.boot, seq)
            self._events.append(Pressed(position, press, self.clock.host(press.at_ms, now_ns)))

    def _ack_presses(self) -> None:
        if self.state is State.UP and self._accepted is not None:
            self._send(AckPress(self._accepted.boot, self._accepted.seq))

    def _on_time(self, time: Time, now_ns: int) -> None:
        sent_ns = self._probing.answered(time.probe)
        if sent_ns is not None and self.state is not State.SEEKING:
            self.clock.trip(sent_ns, now_ns, time.at_ms)

    def _tick_up(self, now_ns: int) -> None:
        if now_ns - self._heard_ns >= SILENCE_NS:
            self._seek("it is silent for 3 s: is it unplugged or without power?", now_ns)
        elif self._commands.failed(now_ns):
            self._seek("it does not acknowledge a command", now_ns)
        else:
            self._out += self._commands.to_send(now_ns)
            if self._probing.due(now_ns):
                self._send(self._probing.next(now_ns))

    def _seek(self, why: str, now_ns: int) -> None:
        if self.state is State.UP:
            self._tell(Disconnected(why))
        self.state, self._seek_due_ns = State.SEEKING, now_ns + SEEK_NS
        self._welcome.reset()
        self._commands.pause()
        self._send(Who())

    def _tell(self, event: Event) -> None:
        if len(self._events) < UNREAD or not isinstance(event, Told):
            self._events.append(event)
        else:
            self.unread_dropped += 1

    def _send(self, message: Message) -> None:
        self._out += frame_of(message, address=self._address)
