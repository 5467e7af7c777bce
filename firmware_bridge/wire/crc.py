"""CRC-16/IBM-SDLC (also X-25): the same as avr-libc's `_crc_ccitt_update` from 0xFFFF on, inverted at the end.

Parameters (Rocksoft model): width 16, poly 0x1021, init 0xFFFF, refin, refout, xorout 0xFFFF, check 0x906E.
"""

from __future__ import annotations

INITIAL = 0xFFFF
RESIDUE = 0xF0B8
"""The register after a good frame and its CRC, low byte first."""

POLYNOMIAL = 0x8408
"""0x1021 reflected."""


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(_entry(byte) for byte in range(256))


def register(data: bytes, start: int = INITIAL) -> int:
    """The shift register after `data`."""
    for byte in data:
        start = start >> 8 ^ _TABLE[(start ^ byte) & 0xFF]
    return start


def crc16(data: bytes) -> int:
    """The CRC of `data`, 0 to 65535."""
    return register(data) ^ 0xFFFF
