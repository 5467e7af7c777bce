"""How a message's fields stand in a payload: fixed ones by `struct`, then perhaps a text to the end."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self


class BadMessage(ValueError):
    """A payload of a wrong length, or a field out of its range."""


@dataclass(frozen=True, slots=True)
class Message:
    """What all messages can do.

    Attributes:
        KIND: its number on the line.
        LAYOUT: `struct` format of the fixed fields, in order.
        TEXT: longest text behind them; None for none.
        NUMBERED: its frame carries a sequence number (presses, commands).
        GROWS: more fields may follow in later versions, and are ignored.
    """

    KIND: ClassVar[int]
    LAYOUT: ClassVar[str]
    TEXT: ClassVar[int | None] = None
    NUMBERED: ClassVar[bool] = False
    GROWS: ClassVar[bool] = False

    def to_bytes(self) -> bytes:
        """Its payload. Raises BadMessage."""
        self.check()
        values = [getattr(self, field.name) for field in fields(self)]
        text = values.pop() if self.TEXT is not None else ""
        flat = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
        try:
            return struct.pack("<" + self.LAYOUT, *flat) + _ascii(text, self.TEXT or 0)
        except struct.error as error:
            raise BadMessage(f"{type(self).__name__}: {error}") from None

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The message in a payload. Raises BadMessage."""
        size = struct.calcsize("<" + cls.LAYOUT)
        longest = len(payload) if cls.GROWS else size + (cls.TEXT or 0)
        if not size <= len(payload) <= longest:
            raise BadMessage(f"{cls.__name__}: {len(payload)} bytes")
        values = list(cls.shape(struct.unpack_from("<" + cls.LAYOUT, payload)))
        if cls.TEXT is not None:
            values.append(_text(payload[size:]))
        message = cls(*values)
        message.check()
        return message

    @classmethod
    def shape(cls, flat: tuple[Any, ...]) -> tuple[Any, ...]:
        """The unpacked numbers as the class's fields."""
        return flat

    def check(self) -> None:
        """Raises BadMessage when a field is out of the range that the page gives it."""


def need(holds: bool, what: str) -> None:
    """Raises BadMessage with `what` unless it holds."""
    if not holds:
        raise BadMessage(what)


def _ascii(text: str, longest: int) -> bytes:
    need(len(text) <= longest, f"a text of {len(text)} characters; {longest} fit")
    need(all(" " <= letter <= "~" for letter in text), "a text has printable ASCII only")
    return text.encode("ascii")


def _text(data: bytes) -> str:
    need(all(0x20 <= byte <= 0x7E for byte in data), "a text has printable ASCII only")
    return data.decode("ascii")
