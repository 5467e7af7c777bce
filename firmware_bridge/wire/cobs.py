"""Consistent overhead byte stuffing (S. Cheshire and M. Baker, 1999): bytes without 0x00, so that 0x00 can end them."""

from __future__ import annotations

RUN = 254
"""Bytes without a zero that one code byte can announce."""


class Malformed(ValueError):
    """It is no stuffed block: a code byte is 0 or points beyond the end."""


def encode(data: bytes) -> bytes:
    """`data` without any 0x00; one byte longer for each 254 begun."""
    coded = bytearray()
    pieces = data.split(b"\0")
    for number, piece in enumerate(pieces):
        rest = piece
        while len(rest) >= RUN:
            coded += b"\xff" + rest[:RUN]
            rest = rest[RUN:]
            if not rest and number == len(pieces) - 1:
                return bytes(coded)
        coded.append(len(rest) + 1)
        coded += rest
    return bytes(coded)


def decode(coded: bytes) -> bytes:
    """What `encode` was given. Raises Malformed."""
    data = bytearray()
    at = 0
    while at < len(coded):
        code = coded[at]
        piece = coded[at + 1 : at + code]
        if code == 0 or len(piece) != code - 1 or 0 in piece:
            raise Malformed("no stuffed block")
        data += piece
        at += code
        if code <= RUN and at < len(coded):
            data.append(0)
    return bytes(data)
