"""A frame: address, kind, sequence number, payload, CRC; stuffed, with a delimiter."""

from __future__ import annotations

import struct
from typing import NamedTuple

from firmware_bridge.wire import cobs, crc

DELIMITER = b"\0"
MAX_PAYLOAD = 64
MAX_BODY = 4 + MAX_PAYLOAD + 2
MIN_BODY = 4 + 2
MAX_CODED = MAX_BODY + 1
"""Bytes between two delimiters."""

_HEAD = struct.Struct("<BBH")


class BadFrame(ValueError):
    """Bytes that are no frame; `why` is "cobs", "length" or "crc"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Frame(NamedTuple):
    """One frame.

    Attributes:
        kind: of its message.
        seq: the number of a press or command, 0 to 65535; 0 in others.
        payload: up to 64 bytes.
        address: 0 on a line with one panel, else 1 to 247.
    """

    kind: int
    seq: int = 0
    payload: bytes = b""
    address: int = 0

    def to_bytes(self) -> bytes:
        """As it goes on the line, with its delimiter. Raises ValueError when the payload is too long."""
        if len(self.payload) > MAX_PAYLOAD:
            raise ValueError(f"a payload of {len(self.payload)} bytes; a frame takes {MAX_PAYLOAD}")
        body = _HEAD.pack(self.address, self.kind, self.seq) + self.payload
        return cobs.encode(body + crc.crc16(body).to_bytes(2, "little")) + DELIMITER

    @classmethod
    def from_bytes(cls, coded: bytes) -> Frame:
        """The frame that stands between two delimiters. Raises BadFrame."""
        try:
            body = cobs.decode(coded)
        except cobs.Malformed:
            raise BadFrame("cobs") from None
        if not MIN_BODY <= len(body) <= MAX_BODY:
            raise BadFrame("length")
        if crc.register(body) != crc.RESIDUE:
            raise BadFrame("crc")
        address, kind, seq = _HEAD.unpack_from(body)
        return cls(kind, seq, body[4:-2], address)
