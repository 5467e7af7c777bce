"""What is told of a device, and how often (promise P5: what is gone or stale never looks alive)."""

from __future__ import annotations

from collections.abc import Iterable

from api.ingest.contacts import MOST_VALUES, SELDOM_MS, SOON_MS, STORE_SELDOM_MS, Contacts, Remembered
from api.ingest.outcome import Incoming, Ledger
from api.ingest.pipeline import sort
from api.ingest.screening import Screened
from broker.contract import codec
from broker.contract.messages import DeviceState, Latest
from broker.contract.senml import Reading
from broker.contract.series import Quality
from broker.contract.topics import DEVICE as STATE
from broker.contract.topics import LATEST, topic
from tests.unit.api.ingest.messages import (
    DEVICE,
    EPOCH,
    NOW_MS,
    SITE,
    birth,
    heartbeat,
    press,
    readings,
    well,
    will,
)

FIRST, SECOND = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
STATE_TOPIC, LATEST_TOPIC = topic(SITE, DEVICE, STATE), topic(SITE, DEVICE, LATEST)


class Heard:
    """Contacts that hear messages as if each batch were committed."""

    def __init__(self, *messages: Incoming, duplicates: int = 0) -> None:
        self.ledger = Ledger({}, {})
        self.contacts = Contacts(self.ledger, {DEVICE: duplicates})
        self.hear(*messages)

    def hear(self, *messages: Incoming, quarantined: int = 0) -> None:
        outcome = sort(messages, self.ledger)
        self.ledger.take(outcome.fresh)
        self.contacts.note(outcome.news, outcome.duplicates, {DEVICE: quarantined})

    @property
    def state(self) -> DeviceState:
        return self.contacts.state(DEVICE)

    def told(self, now_ms: int) -> dict[str, bytes]:
        return dict(self.contacts.messages(now_ms))


def online(messages: Iterable[Incoming]) -> bool:
    return Heard(*messages).state.online


def test_a_device_is_online_from_its_birth_to_its_will() -> None:
    assert online([birth(FIRST)])
    assert not online([birth(FIRST), will(FIRST)])
    assert online([birth(FIRST), will(FIRST), birth(SECOND)])


def test_the_will_of_an_earlier_connection_is_out_of_date() -> None:
    """The broker notices a dead connection after the agent has made a new one."""
    heard = Heard(birth(FIRST), birth(SECOND), will(FIRST))
    assert heard.state.online
    assert heard.state.status is not None
    assert heard.state.status.session == SECOND


def test_a_will_whose_birth_was_never_heard_counts() -> None:
    assert not online([will(FIRST)])


def test_a_retained_will_tells_that_it_went_while_nobody_listened_and_is_no_contact() -> None:
    heard = Heard(birth(FIRST))
    heard.hear(will(FIRST, retained=True, now_ms=NOW_MS + 60_000))
    assert (heard.state.online, heard.state.contact) == (False, NOW_MS / 1000)


def test_a_retained_birth_of_a_device_never_heard_is_no_contact() -> None:
    assert (Heard(birth(FIRST, retained=True)).state.online, Heard(birth(FIRST, retained=True)).state.contact) == (
        True,
        0,
    )


def test_the_state_says_what_was_received_missing_repeated_and_put_aside() -> None:
    heard = Heard(readings(1), readings(2), press(5), press(5), duplicates=3)
    heard.hear(readings(6), quarantined=2)
    state = heard.state
    assert (state.received, state.missing, state.duplicates, state.quarantined) == (4, 2, 4, 2)


def test_a_heartbeat_is_kept_whole() -> None:
    assert Heard(heartbeat()).state.heartbeat == well()


def test_a_device_is_told_of_at_once_and_then_at_most_twice_a_second() -> None:
    heard = Heard(heartbeat(), readings(1))
    assert set(heard.told(NOW_MS)) == {STATE_TOPIC, LATEST_TOPIC}
    heard.hear(heartbeat(), readings(2, Reading("sds", "pm2_5", NOW_MS, 2.0)))
    assert heard.told(NOW_MS + SOON_MS - 1) == {}
    assert set(heard.told(NOW_MS + SOON_MS)) == {STATE_TOPIC, LATEST_TOPIC}
    assert heard.told(NOW_MS + 10 * SELDOM_MS) == {}


def test_a_mere_contact_is_told_seldom() -> None:
    heard = Heard(heartbeat())
    heard.told(NOW_MS)
    heard.hear(press(1))
    assert heard.told(NOW_MS + SELDOM_MS - 1) == {}
    assert set(heard.told(NOW_MS + SELDOM_MS)) == {STATE_TOPIC}


def test_the_latest_values_are_all_the_newest_of_the_device() -> None:
    heard = Heard(
        readings(1, Reading("sds", "pm2_5", NOW_MS, 1.0)), readings(2, Reading("bme", "humidity", NOW_MS, 50))
    )
    heard.told(NOW_MS)
    heard.hear(readings(3, Reading("sds", "pm2_5", NOW_MS + 1000, 3.0)), readings(4, Reading("sds", "pm2_5", 1, 9.0)))
    latest = codec.decode_as(Latest, LATEST, heard.told(NOW_MS + SOON_MS)[LATEST_TOPIC])
    assert [(value.sensor, value.quantity, value.at, value.value, value.quality) for value in latest.values] == [
        ("bme", "humidity", NOW_MS / 1000, 50.0, 2),
        ("sds", "pm2_5", NOW_MS / 1000 + 1, 3.0, 2),
    ]


def test_backfill_older_than_what_is_known_is_not_told() -> None:
    heard = Heard(readings(1, Reading("sds", "pm2_5", NOW_MS, 1.0)))
    heard.told(NOW_MS)
    heard.hear(readings(2, Reading("sds", "pm2_5", NOW_MS - 60_000, 9.0)))
    assert LATEST_TOPIC not in heard.told(NOW_MS + SOON_MS)


def test_after_a_reconnection_everything_is_told_anew() -> None:
    """The broker may have lost what it retained."""
    heard = Heard(heartbeat(), readings(1))
    heard.told(NOW_MS)
    heard.contacts.all_due(NOW_MS + SOON_MS)
    assert set(heard.told(NOW_MS + SOON_MS)) == {STATE_TOPIC, LATEST_TOPIC}


def test_a_device_that_keeps_inventing_sensors_keeps_its_newest_values_only() -> None:
    heard = Heard()
    heard.contacts.renew(
        DEVICE, SITE, [Screened(f"s{n}", "noise", NOW_MS + n, 1.0, 0, Quality.PASS) for n in range(MOST_VALUES + 5)]
    )
    payload = heard.told(NOW_MS)[LATEST_TOPIC]
    values = codec.decode_as(Latest, LATEST, payload).values
    assert len(values) == MOST_VALUES
    assert min(value.at for value in values) == (NOW_MS + 5) / 1000


def test_a_row_is_due_soon_after_news_and_seldom_after_mere_contact() -> None:
    heard = Heard(heartbeat())
    assert heard.contacts.unstored(NOW_MS) == [DEVICE]
    heard.contacts.stored([DEVICE], NOW_MS)
    heard.hear(press(1))
    assert heard.contacts.unstored(NOW_MS + STORE_SELDOM_MS - 1) == []
    assert heard.contacts.unstored(NOW_MS + STORE_SELDOM_MS) == [DEVICE]
    heard.contacts.stored([DEVICE], NOW_MS)
    assert heard.contacts.unstored(NOW_MS + 10 * STORE_SELDOM_MS) == []


def test_what_was_stored_before_fills_in_what_was_not_heard_since() -> None:
    earlier = Heard(birth(FIRST), heartbeat()).state
    remembered = Remembered(SITE, NOW_MS - 5000, earlier.status, earlier.heartbeat, 7)
    heard = Heard(press(1))
    heard.contacts.learn(DEVICE, remembered)
    heard.hear(will(SECOND))
    assert (heard.state.online, heard.state.contact, heard.state.quarantined) == (True, NOW_MS / 1000, 7)
    assert heard.state.heartbeat == well()
    assert STATE_TOPIC in heard.told(NOW_MS)


def test_what_was_stored_before_does_not_undo_what_was_heard_since() -> None:
    earlier = Heard(birth(FIRST)).state
    heard = Heard(birth(SECOND), will(SECOND))
    heard.contacts.learn(DEVICE, Remembered(SITE, NOW_MS + 1, earlier.status, None, 0))
    assert (heard.state.online, heard.state.received) == (False, 0)
    assert heard.ledger.progress(DEVICE) == (0, 0)
    assert EPOCH not in repr(heard.state.status)
