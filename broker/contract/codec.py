"""Bytes <-> message, with a reason when the bytes are none."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec

from broker.contract.errors import ContractError, Reason
from broker.contract.ids import Epoch, Seq
from broker.contract.messages import VERSION
from broker.contract.topics import Kind

MAX_PAYLOAD = 65_536
"""Bytes of the largest payload that is taken; brokers are told to refuse far larger packets."""

MAX_PACKET = 262_144
"""Bytes of the largest MQTT packet that a broker lets in: what is between the two is put aside with its reason."""

_T = TypeVar("_T")
_encoder = msgspec.json.Encoder()


class Identity(msgspec.Struct, frozen=True):
    """As much of an envelope as a receipt needs, read on its own when the rest cannot be."""

    epoch: Epoch
    seq: Seq


class _Versioned(msgspec.Struct):
    v: int


_identity = msgspec.json.Decoder(Identity)
_versioned = msgspec.json.Decoder(_Versioned)


def encode(message: msgspec.Struct | tuple[msgspec.Struct, ...]) -> bytes:
    """A message as JSON in UTF-8."""
    return _encoder.encode(message)


def decode(kind: Kind, payload: bytes) -> Any:
    """The message in `payload`, of the type that the table names for `kind`.

    Raises:
        ContractError: too large, another version, or not that shape; the detail names the field.
    """
    if len(payload) > MAX_PAYLOAD:
        raise ContractError(Reason.TOO_LARGE, f"{len(payload)} bytes where {MAX_PAYLOAD} are taken")
    try:
        message = _decoder(kind.message).decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _why(kind, payload, error) from None
    if getattr(message, "v", VERSION) != VERSION:
        raise ContractError(Reason.UNKNOWN_VERSION, f"version {message.v} where {VERSION} is spoken")
    return message


def decode_as(shape: type[_T], kind: Kind, payload: bytes) -> _T:
    """`decode` for a caller that knows the kind's type and wants it checked."""
    message = decode(kind, payload)
    if not isinstance(message, shape):
        raise TypeError(f"{kind.name} carries {type(message).__name__}, not {shape.__name__}")
    return message


def identity(payload: bytes) -> Identity | None:
    """Epoch and number of a payload that could not be decoded, when at least they can be read."""
    if len(payload) > MAX_PACKET:
        return None
    try:
        return _identity.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


@cache
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


def _why(kind: Kind, payload: bytes, error: Exception) -> ContractError:
    try:
        version = _versioned.decode(payload).v
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        version = VERSION
    if version != VERSION:
        return ContractError(Reason.UNKNOWN_VERSION, f"version {version} where {VERSION} is spoken")
    if isinstance(error, msgspec.ValidationError):
        enveloped = kind.receipted and identity(payload) is None
        return ContractError(Reason.BAD_ENVELOPE if enveloped else Reason.BAD_BODY, str(error))
    return ContractError(Reason.BAD_ENVELOPE if kind.receipted else Reason.BAD_BODY, f"not JSON: {error}")
