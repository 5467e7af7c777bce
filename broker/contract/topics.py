"""The table of kinds: what travels on which topic, in which direction, how, and who may write and read it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from broker.contract import messages
from broker.contract.errors import ContractError, Reason
from broker.contract.ids import DeviceId, SiteId, device_id, site_id

ROOT = "city"


class Direction(StrEnum):
    """The third level but one of a topic."""

    UP = "up"
    """From a device to the server."""
    DOWN = "down"
    """From the server to one device."""
    STATE = "state"
    """From the server to whoever watches; retained, so a late watcher sees the present at once."""


class Role(StrEnum):
    """Who an account is; one account is one process, and its name is its MQTT client id."""

    DEVICE = "device"
    """One of our agents."""
    SENSOR = "sensor"
    """A third-party instrument that publishes bare SenML."""
    INGEST = "ingest"
    API = "api"
    WORKER = "worker"
    WATCHER = "watcher"
    """A display or an integrator that reads the state of one site."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message.

    Attributes:
        name: the last level of the topic.
        direction: the level before it.
        message: the type in `messages` that its payload decodes to.
        qos: MQTT quality of service of publisher and subscriber.
        retained: the broker keeps the last one for whoever subscribes later.
        receipted: it carries an envelope, stands in an outbox, and is sent until a receipt names it.
        writers, readers: roles; a device or sensor as itself only, a watcher within its site only.
        says: one line for the generated table in the docs.
    """

    name: str
    direction: Direction
    message: Any
    qos: int
    retained: bool
    receipted: bool
    writers: frozenset[Role]
    readers: frozenset[Role]
    says: str


def _roles(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


# fmt: off
_TABLE = (
    Kind("readings", Direction.UP, messages.Readings, 1, False, True, _roles(Role.DEVICE), _roles(Role.INGEST),
         "readings of sensors, a SenML pack in an envelope"),
    Kind("press", Direction.UP, messages.Press, 1, False, True, _roles(Role.DEVICE), _roles(Role.INGEST),
         "one press of a button"),
    Kind("status", Direction.UP, messages.Status, 1, True, False, _roles(Role.DEVICE), _roles(Role.INGEST),
         "birth at connecting, last will at losing the connection"),
    Kind("heartbeat", Direction.UP, messages.Heartbeat, 1, True, False, _roles(Role.DEVICE), _roles(Role.INGEST),
         "clock, outbox and drivers, at a steady interval"),
    Kind("senml", Direction.UP, tuple[messages.Record, ...], 1, False, False, _roles(Role.DEVICE, Role.SENSOR),
         _roles(Role.INGEST), "a bare SenML pack of a third party; no identity, no receipt"),
    Kind("receipt", Direction.DOWN, messages.Receipt, 1, False, False, _roles(Role.INGEST), _roles(Role.DEVICE),
         "which sequence numbers are committed"),
    Kind("latest", Direction.STATE, messages.Latest, 0, True, False, _roles(Role.INGEST),
         _roles(Role.API, Role.WATCHER), "a device's newest committed values"),
    Kind("device", Direction.STATE, messages.DeviceState, 0, True, False, _roles(Role.INGEST),
         _roles(Role.API, Role.WATCHER), "contact, clock, outbox and completeness of a device"),
)
# fmt: on

KINDS = MappingProxyType({(kind.direction, kind.name): kind for kind in _TABLE})
"""Every kind by direction and name."""


class Address(NamedTuple):
    """A parsed topic."""

    site: SiteId
    device: DeviceId
    kind: Kind


def kind(direction: Direction, name: str) -> Kind:
    """The kind of that name. Raises ContractError when the table has none."""
    try:
        return KINDS[direction, name]
    except KeyError:
        raise ContractError(Reason.BAD_TOPIC, f"no kind {direction}/{name[:32]} in the contract") from None


READINGS = kind(Direction.UP, "readings")
PRESS = kind(Direction.UP, "press")
STATUS = kind(Direction.UP, "status")
HEARTBEAT = kind(Direction.UP, "heartbeat")
SENML = kind(Direction.UP, "senml")
RECEIPT = kind(Direction.DOWN, "receipt")
LATEST = kind(Direction.STATE, "latest")
DEVICE = kind(Direction.STATE, "device")


def topic(site: str, device: str, of: Kind) -> str:
    """The topic `city/<site>/<device>/<direction>/<kind>`; `+` for site or device makes it a filter."""
    return f"{ROOT}/{site}/{device}/{of.direction}/{of.name}"


def parse(text: str) -> Address:
    """A topic taken apart. Raises ContractError when it is none of ours."""
    levels = text.split("/")
    if len(levels) != 5 or levels[0] != ROOT:
        raise ContractError(Reason.BAD_TOPIC, f"{text[:128]!r} is not {ROOT}/<site>/<device>/<direction>/<kind>")
    _, site, device, direction, name = levels
    try:
        way = Direction(direction)
    except ValueError:
        raise ContractError(Reason.BAD_TOPIC, f"{direction[:32]!r} is no direction of the contract") from None
    return Address(site_id(site), device_id(device), kind(way, name))
