"""The names of sites, devices and sensors, and the identity of a message."""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple, NewType

from msgspec import Meta

from broker.contract.errors import ContractError, Reason

SiteId = NewType("SiteId", str)
DeviceId = NewType("DeviceId", str)

NAME = r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?"
"""Sites and devices: 1 to 48 of a-z, 0-9 and inner hyphens; safe in a topic, a URL, a file name, a tag."""

SENSOR = r"[a-z0-9](?:[a-z0-9_-]{0,46}[a-z0-9])?"
"""Sensors and buttons on a device: as a name, underscores allowed."""

Seq = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Epoch = Annotated[str, Meta(pattern=r"^[0-9a-f]{12}\Z")]
BootId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8,32}\Z")]
SensorName = Annotated[str, Meta(pattern=rf"^{SENSOR}\Z")]

_NAME = re.compile(NAME)


class MessageId(NamedTuple):
    """The identity that makes a repeated message take effect once.

    Attributes:
        device: from the topic, which the broker's access table vouches for; never from the payload.
        epoch: 12 hex digits, made when the device's outbox file is created.
        seq: 1, 2, 3, ... within the epoch; it only grows.
    """

    device: DeviceId
    epoch: str
    seq: int


def site_id(text: str) -> SiteId:
    """`text` as a site's id. Raises ContractError when it does not match NAME."""
    return SiteId(_checked("site", text))


def device_id(text: str) -> DeviceId:
    """`text` as a device's id. Raises ContractError when it does not match NAME."""
    return DeviceId(_checked("device", text))


def _checked(what: str, text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ContractError(
            Reason.BAD_TOPIC,
            f"{text[:64]!r} is no {what} id: use 1 to 48 of a-z, 0-9 and inner hyphens",
        )
    return text
