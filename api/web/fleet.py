"""The fleet page's view of the world: each device and what is wrong with it, the worst first; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from api.web.answers import Device, Outbox, Site
from api.web.i18n import Speech
from api.web.stations import made_up, silent, silent_at_ms

BACKLOG_S = 300
"""An outbox whose oldest message waits longer than this is worth a look."""


class Severity(IntEnum):
    """How much a problem matters; the worst sorts first."""

    WELL = 0
    NOTICE = 1
    WARNING = 2
    FAILURE = 3


_STATES = {"silent": Severity.FAILURE, "offline": Severity.FAILURE, "never": Severity.NOTICE}
"""States that are a trouble by themselves."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, said in the reader's language."""

    severity: Severity
    says: str


@dataclass(frozen=True, slots=True)
class Card:
    """A device with its problems, the worst first.

    Attributes:
        state: "revoked", "never", "silent", "offline", "online", or for a third party's instrument "heard".
        silent_at_ms: when it counts, or counted, as silent; None while nothing is known of its contact.
    """

    device: Device
    place: str
    state: str
    made_up: str
    silent_at_ms: int | None
    problems: Sequence[Problem]

    @property
    def severity(self) -> Severity:
        """Of its state and its problems, the worst."""
        return max([_STATES.get(self.state, Severity.WELL), *(problem.severity for problem in self.problems)])

    @property
    def completeness(self) -> float | None:
        """The share of the messages sent so far that have arrived; None before the first."""
        told = self.device.messages
        if told is None or told.received + told.missing == 0:
            return None
        return told.received / (told.received + told.missing)


def cards(devices: Sequence[Device], sites: Sequence[Site], speech: Speech, now_ms: int) -> list[Card]:
    """A card for each device: those with the worst problems first, revoked ones last, else by title."""
    places = {site.id: site.title for site in sites}
    found = [_card(device, places.get(device.site, device.site), speech, now_ms) for device in devices]
    return sorted(found, key=lambda card: (card.device.revoked, -card.severity, card.device.title.casefold()))


def _card(device: Device, place: str, speech: Speech, now_ms: int) -> Card:
    state = _state(device, now_ms)
    problems = [] if device.revoked else sorted(_problems(device, state, speech), key=lambda one: -one.severity)
    return Card(device, place, state, made_up(device), silent_at_ms(device), problems)


def _state(device: Device, now_ms: int) -> str:
    if device.revoked:
        return "revoked"
    if device.contact is None:
        return "never"
    if silent(device, now_ms):
        return "silent"
    if device.role == "sensor":
        return "heard"
    return "online" if device.online else "offline"


def _problems(device: Device, state: str, speech: Speech) -> Iterator[Problem]:
    _, _n = speech.gettext, speech.ngettext
    if state == "offline":
        yield Problem(Severity.FAILURE, _("Offline: its connection to the broker has ended"))
    if device.clock == "untrusted":
        yield Problem(Severity.WARNING, _("Its clock is not synchronised; times of its values are estimates"))
    for sensor in device.sensors:
        if sensor.error is not None:
            yield Problem(Severity.WARNING, _("Sensor %(name)s cannot be read", name=sensor.name))
    if device.outbox is not None:
        yield from _outbox_problems(device.outbox, speech)
    if device.messages is not None and device.messages.missing:
        missing = device.messages.missing
        says = _n("%(count)s message has not arrived yet", "%(count)s messages have not arrived yet", missing)
        yield Problem(Severity.NOTICE, says)
    if device.messages is not None and device.messages.quarantined:
        aside = device.messages.quarantined
        says = _n("%(count)s message is in quarantine", "%(count)s messages are in quarantine", aside)
        yield Problem(Severity.NOTICE, says)


def _outbox_problems(outbox: Outbox, speech: Speech) -> Iterator[Problem]:
    _, _n = speech.gettext, speech.ngettext
    if outbox.refused:
        yield Problem(
            Severity.FAILURE,
            _n(
                "Disk full: %(count)s reading could not be kept",
                "Disk full: %(count)s readings could not be kept",
                outbox.refused,
            ),
        )
    if outbox.evicted:
        yield Problem(
            Severity.WARNING,
            _n(
                "Outbox full: %(count)s old reading was given up",
                "Outbox full: %(count)s old readings were given up",
                outbox.evicted,
            ),
        )
    if outbox.stuck:
        yield Problem(
            Severity.WARNING,
            _n(
                "%(count)s message was sent again and again without a receipt",
                "%(count)s messages were sent again and again without a receipt",
                outbox.stuck,
            ),
        )
    if outbox.depth and outbox.oldest_s > BACKLOG_S:
        age = speech.duration(outbox.oldest_s * 1000)
        yield Problem(Severity.NOTICE, _("Messages have been waiting in the outbox for %(age)s", age=age))


def reason_text(reason: str, speech: Speech) -> str:
    """Why a message was put aside, in the reader's language; a word of its own where it is a new one."""
    _ = speech.gettext
    return {
        "bad_topic": _("unknown topic"),
        "bad_envelope": _("broken envelope"),
        "bad_body": _("broken content"),
        "unknown_version": _("unknown version"),
        "too_large": _("too large"),
        "unknown_quantity": _("unknown quantity"),
        "wrong_unit": _("wrong unit"),
        "not_a_number": _("not a number"),
        "time_future": _("time in the future"),
        "time_past": _("time in the past"),
    }.get(reason, reason)
