"""What the server tells of a device: its registration and its last signs of life, in one shape; pure."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from api.db import Contact, Device
from api.http.answers import local
from api.http.shapes import DeviceItem, Messages, Outbox, SensorState
from broker.contract.codec import decode_as
from broker.contract.errors import ContractError
from broker.contract.messages import DeviceState, Heartbeat, Sensor, Status
from broker.contract.topics import HEARTBEAT, STATUS

_Said = TypeVar("_Said", Heartbeat, Status)

SILENT_INTERVALS = 3
"""A device is silent when nothing came for so many heartbeat intervals."""

UNKNOWN_INTERVAL_S = 300.0
"""What is used for a device that sends no heartbeat."""


def state_of(contact: Contact) -> DeviceState:
    """What ingest has written of a device, in the shape of the state topic."""
    return DeviceState(
        v=1,
        online=contact.online,
        contact=contact.contact_ms / 1000,
        heartbeat=_decoded(Heartbeat, contact.heartbeat),
        status=_decoded(Status, contact.status),
        received=contact.received,
        missing=contact.missing,
        duplicates=contact.duplicates,
        quarantined=contact.quarantined,
    )


def describe(device: Device, role: str, state: DeviceState | None, now_ms: int, zone: ZoneInfo) -> DeviceItem:
    """The item of /devices, and the data of the live event `device`.

    Args:
        role: of its account.
        state: None when nothing of it ever arrived.
        now_ms: decides whether it is silent.
    """
    heartbeat = state.heartbeat if state else None
    status = state.status if state else None
    return DeviceItem(
        id=device.id,
        site=device.site_id,
        title=device.title,
        latitude=device.latitude,
        longitude=device.longitude,
        role=role,
        revoked=device.revoked_ms is not None,
        online=state.online if state else None,
        contact=_moment(state.contact, zone) if state else None,
        clock=heartbeat.clock.value if heartbeat else None,
        version=status.version if status else None,
        config=status.config if status else None,
        uptime_s=heartbeat.uptime_s if heartbeat else None,
        heartbeat_interval_s=heartbeat.interval_s if heartbeat else None,
        silent=_silent(state, now_ms),
        outbox=_outbox(heartbeat) if heartbeat else None,
        messages=_messages(state),
        sensors=[_sensor(sensor, zone) for sensor in _sensors(heartbeat, status)],
    )


def _silent(state: DeviceState | None, now_ms: int) -> bool:
    if state is None:
        return True
    interval_s = state.heartbeat.interval_s if state.heartbeat else UNKNOWN_INTERVAL_S
    return now_ms / 1000 - state.contact > SILENT_INTERVALS * interval_s


def _outbox(heartbeat: Heartbeat) -> Outbox:
    return Outbox(
        depth=heartbeat.outbox,
        bytes=heartbeat.outbox_bytes,
        oldest_s=heartbeat.oldest_s,
        stuck=heartbeat.stuck,
        evicted=heartbeat.evicted,
        refused=heartbeat.refused,
    )


def _messages(state: DeviceState | None) -> Messages:
    if state is None:
        return Messages(0, 0, 0, 0, None)
    due = state.received + state.missing
    share = state.received / due if due else None
    return Messages(state.received, state.missing, state.duplicates, state.quarantined, share)


def _sensors(heartbeat: Heartbeat | None, status: Status | None) -> tuple[Sensor, ...]:
    """The newer word on the drivers: the heartbeat's, unless the device has started again since."""
    if heartbeat is not None and (status is None or status.boot == heartbeat.boot):
        return heartbeat.sensors
    return status.sensors if status is not None else ()


def _sensor(sensor: Sensor, zone: ZoneInfo) -> SensorState:
    since = _moment(sensor.since, zone) if sensor.since is not None else None
    return SensorState(sensor.name, sensor.driver, sensor.simulated, sensor.error, since)


def _moment(at_s: float, zone: ZoneInfo) -> datetime | None:
    """A time that a device claims; None where no calendar has it."""
    try:
        return local(round(at_s * 1000), zone)
    except (ValueError, OverflowError, OSError):
        return None


def _decoded(shape: type[_Said], payload: bytes | None) -> _Said | None:
    if payload is None:
        return None
    try:
        return decode_as(shape, HEARTBEAT if shape is Heartbeat else STATUS, payload)
    except ContractError:
        return None
