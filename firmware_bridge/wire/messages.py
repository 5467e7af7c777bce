"""Every message of docs/wire.md, version 1, as a frozen dataclass with `to_bytes` and `from_bytes`."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from firmware_bridge.wire.fields import BadMessage as BadMessage  # noqa: PLC0414 callers catch it from here
from firmware_bridge.wire.fields import Message, need
from firmware_bridge.wire.frame import Frame

VERSION = 1
OLDEST = 1

QUANTITIES = MappingProxyType(
    {
        1: ("temperature", "°C"),
        2: ("humidity", "%RH"),
        3: ("voltage", "V"),
        4: ("illuminance", "lx"),
        5: ("analogue", ""),
        6: ("light switch", ""),
    }
)
CAPABILITIES = ("lamps", "buzzer", "display", "readings", "bootloader")
STATUS = ("good", "missing", "bad checksum", "out of range")
LEVELS = ("debug", "info", "warning", "error")
SETTINGS = MappingProxyType(
    {1: ("debounce_ms", 1, 50), 2: ("reading_s", 0, 3600), 3: ("click_ms", 0, 1000), 4: ("address", 0, 247)}
)
MAGIC = 0xB007


@dataclass(frozen=True, slots=True)
class Hello(Message):
    """Who a panel is and where it stands; sent until it is welcomed.

    Attributes:
        version, oldest: newest and oldest version it speaks.
        panel: id, 8 bytes, not all zero.
        firmware: major, minor, patch.
        boot: how often it has started, modulo 2^16.
        session: the last one welcomed in this boot, 0 for none.
        first, next: seq of the oldest press kept, and of the next to come; equal when none is kept.
        lost: presses of this boot for which its ring had no room.
        capabilities: bits, as CAPABILITIES counts them.
        buttons, lamps, digits: how many it has.
        reset: the cause of its start, as the processor's register has it.
        ring: presses it can keep.
        uptime_ms: since it started, modulo 2^32.
    """

    KIND: ClassVar[int] = 0x01
    LAYOUT: ClassVar[str] = "BB8s3BHHHHHHBBBBBI"
    GROWS: ClassVar[bool] = True

    version: int
    oldest: int
    panel: bytes
    firmware: tuple[int, int, int]
    boot: int
    session: int
    first: int
    next: int
    lost: int
    capabilities: int
    buttons: int
    lamps: int
    digits: int
    reset: int
    ring: int
    uptime_ms: int

    @classmethod
    def shape(cls, flat: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*flat[:3], tuple(flat[3:6]), *flat[6:])

    def check(self) -> None:
        need(len(self.panel) == 8 and any(self.panel), "a panel's id is 8 bytes, not all zero")


@dataclass(frozen=True, slots=True)
class Press(Message):
    """One press, debounced by the panel.

    Attributes:
        boot: of the panel when it was pressed.
        button: which, from 0.
        at_ms: device time of its first edge, modulo 2^32.
        edges: of this contact since its last press, a measure of wear; stops at 65535.
        number: presses of this panel in its life, this one included.
    """

    KIND: ClassVar[int] = 0x02
    LAYOUT: ClassVar[str] = "HBIHI"
    NUMBERED: ClassVar[bool] = True

    boot: int
    button: int
    at_ms: int
    edges: int
    number: int

    def check(self) -> None:
        need(self.button < 16, f"button {self.button}; a panel has 16 at most")


@dataclass(frozen=True, slots=True)
class Reading(Message):
    """A value of one of the panel's own sensors: `value` x 10^`exponent`, at device time `at_ms`."""

    KIND: ClassVar[int] = 0x03
    LAYOUT: ClassVar[str] = "IBBBbi"

    at_ms: int
    sensor: int
    quantity: int
    status: int
    exponent: int
    value: int

    def check(self) -> None:
        need(self.status < len(STATUS), f"status {self.status}")
        need(-9 <= self.exponent <= 9, f"exponent {self.exponent}")


@dataclass(frozen=True, slots=True)
class Outputs(Message):
    """What a panel shows: lamps lit and blinking as bits, milliseconds left to sound, text on the display."""

    KIND: ClassVar[int] = 0x04
    LAYOUT: ClassVar[str] = "HHH"
    TEXT: ClassVar[int | None] = 16

    lamps: int
    blinking: int
    buzzer_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Log(Message):
    """A line for a technician; `level` counts in LEVELS."""

    KIND: ClassVar[int] = 0x05
    LAYOUT: ClassVar[str] = "IB"
    TEXT: ClassVar[int | None] = 56

    at_ms: int
    level: int
    text: str

    def check(self) -> None:
        need(self.level < len(LEVELS), f"level {self.level}")


@dataclass(frozen=True, slots=True)
class Time(Message):
    """The answer to a probe: device time when it was made."""

    KIND: ClassVar[int] = 0x06
    LAYOUT: ClassVar[str] = "HI"

    probe: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class AckCommand(Message):
    """The last command carried out in a session, 0 for none."""

    KIND: ClassVar[int] = 0x07
    LAYOUT: ClassVar[str] = "HH"

    session: int
    seq: int


@dataclass(frozen=True, slots=True)
class Who(Message):
    """Say hello, and believe no longer in a link."""

    KIND: ClassVar[int] = 0x41
    LAYOUT: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class Welcome(Message):
    """The version to speak, the seconds after which a silent host is gone, and the session that begins."""

    KIND: ClassVar[int] = 0x42
    LAYOUT: ClassVar[str] = "BBH"

    version: int
    patience_s: int
    session: int

    def check(self) -> None:
        need(self.patience_s > 0 and self.session > 0, "a welcome without patience or session")


@dataclass(frozen=True, slots=True)
class Refuse(Message):
    """The versions that the host speaks; the panel's are all others."""

    KIND: ClassVar[int] = 0x43
    LAYOUT: ClassVar[str] = "BB"

    oldest: int
    newest: int


@dataclass(frozen=True, slots=True)
class AckPress(Message):
    """Every press of that boot up to and with `seq` is safe."""

    KIND: ClassVar[int] = 0x44
    LAYOUT: ClassVar[str] = "HH"

    boot: int
    seq: int


@dataclass(frozen=True, slots=True)
class Probe(Message):
    """What time is it there?"""

    KIND: ClassVar[int] = 0x45
    LAYOUT: ClassVar[str] = "H"

    probe: int


@dataclass(frozen=True, slots=True)
class SetOutputs(Message):
    """Light, blink and sound: bits of lamps, milliseconds and hertz of the buzzer."""

    KIND: ClassVar[int] = 0x51
    LAYOUT: ClassVar[str] = "HHHH"
    NUMBERED: ClassVar[bool] = True

    lamps: int
    blinking: int = 0
    buzzer_ms: int = 0
    tone_hz: int = 0


@dataclass(frozen=True, slots=True)
class Show(Message):
    """Text for the display."""

    KIND: ClassVar[int] = 0x52
    LAYOUT: ClassVar[str] = "B"
    TEXT: ClassVar[int | None] = 16
    NUMBERED: ClassVar[bool] = True

    blinking: int
    text: str

    def check(self) -> None:
        need(self.blinking in (0, 1), f"blinking {self.blinking}")


@dataclass(frozen=True, slots=True)
class Configure(Message):
    """One of SETTINGS."""

    KIND: ClassVar[int] = 0x53
    LAYOUT: ClassVar[str] = "Bi"
    NUMBERED: ClassVar[bool] = True

    setting: int
    value: int

    def check(self) -> None:
        _, low, high = SETTINGS.get(self.setting, ("", 1, 0))
        need(low <= self.value <= high, f"setting {self.setting} = {self.value}")


@dataclass(frozen=True, slots=True)
class Reboot(Message):
    """Enter the bootloader."""

    KIND: ClassVar[int] = 0x5F
    LAYOUT: ClassVar[str] = "H"
    NUMBERED: ClassVar[bool] = True

    magic: int = MAGIC

    def check(self) -> None:
        need(self.magic == MAGIC, "not the magic number")


UP: tuple[type[Message], ...] = (Hello, Press, Reading, Outputs, Log, Time, AckCommand)
DOWN: tuple[type[Message], ...] = (
    Who, Welcome, Refuse, AckPress, Probe, SetOutputs, Show, Configure, Reboot,
)  # fmt: skip
KINDS = MappingProxyType({message.KIND: message for message in (*UP, *DOWN)})


def frame_of(message: Message, *, seq: int = 0, address: int = 0) -> bytes:
    """A message as it goes on the line. Raises BadMessage."""
    return Frame(message.KIND, seq, message.to_bytes(), address).to_bytes()


def message_of(frame: Frame) -> Message:
    """The message of a frame. Raises BadMessage: its kind is unknown, its length wrong, a field out of range."""
    kind = KINDS.get(frame.kind)
    if kind is None:
        raise BadMessage(f"kind 0x{frame.kind:02x} is unknown")
    need(kind.NUMBERED or frame.seq == 0, f"{kind.__name__} has no number")
    return kind.from_bytes(frame.payload)
