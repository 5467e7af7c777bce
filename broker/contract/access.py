"""Who may publish and read what: derived from the table of kinds, and without a rule the answer is no."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from broker.contract.topics import KINDS, Kind, Role, topic


class Action(StrEnum):
    """What a client asks of a broker."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"
    RECEIVE = "receive"


class Grant(NamedTuple):
    """One permission: `filter` may be written, or read."""

    write: bool
    filter: str


def grants(role: Role, site: str, device: str) -> list[Grant]:
    """Everything an account may do.

    Args:
        role: whose.
        site, device: the account's own; a server's role has neither and may pass "".
    """
    own_site, own_device = _scope(role, site, device)
    if own_site == "" or own_device == "":
        return []
    return [
        Grant(write, topic(own_site, own_device, kind))
        for kind in KINDS.values()
        for write in (True, False)
        if role in _holders(kind, write)
    ]


def may(role: Role, site: str, device: str, action: Action, asked: str) -> bool:
    """Whether the account may publish to the topic `asked`, subscribe to the filter `asked`, or receive from it."""
    write = action is Action.PUBLISH
    return any(grant.write == write and covers(grant.filter, asked) for grant in grants(role, site, device))


def covers(granted: str, asked: str) -> bool:
    """Whether every topic that `asked` (a topic or filter) can match is one that the filter `granted` matches.

    Granted filters hold `+` only; MQTT 3.1.1 section 4.7.
    """
    ours, theirs = granted.split("/"), asked.split("/")
    return len(ours) == len(theirs) and all(
        other != "#" and (own == other or (own == "+" and other != "")) for own, other in zip(ours, theirs, strict=True)
    )


def _holders(kind: Kind, write: bool) -> frozenset[Role]:
    return kind.writers if write else kind.readers


def _scope(role: Role, site: str, device: str) -> tuple[str, str]:
    match role:
        case Role.DEVICE | Role.SENSOR:
            return site, device
        case Role.WATCHER:
            return site, "+"
        case Role.INGEST | Role.API | Role.WORKER:
            return "+", "+"
