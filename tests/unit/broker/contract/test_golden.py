"""Contract version 1 on the wire: these files never change, and later code reads and writes them as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.contract import codec, senml
from broker.contract.messages import Clock, DeviceState, Heartbeat, Latest, Press, Readings, Receipt, Status
from broker.contract.senml import Reading, Refusal
from broker.contract.topics import KINDS, Kind

V1 = Path(__file__).parents[3] / "data" / "contract" / "v1"
FILES = sorted(V1.glob("*.json"))


def kind_of(path: Path) -> Kind:
    """`up-press.json` and `up-press.anything.json` hold an `up/press`."""
    direction, _, name = path.name.split(".")[0].partition("-")
    return next(of for of in KINDS.values() if (of.direction, of.name) == (direction, name))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_golden_payload_is_decoded_and_encoded_byte_for_byte(path: Path) -> None:
    payload = path.read_bytes()
    assert codec.encode(codec.decode(kind_of(path), payload)) == payload


def test_every_kind_has_a_golden_payload() -> None:
    assert {kind_of(path).name for path in FILES} == {of.name for of in KINDS.values()}


def test_what_the_golden_payloads_say() -> None:
    def read(name: str) -> object:
        return codec.decode(kind_of(V1 / name), (V1 / name).read_bytes())

    press = read("up-press.json")
    assert isinstance(press, Press)
    assert (press.epoch, press.seq, press.clock, press.button) == ("0a1b2c3d4e5f", 3, Clock.SYNCED, "take-ticket_1")
    assert (press.at, press.count, press.edges) == (1751500801.042, 17, 6)

    readings = read("up-readings.json")
    assert isinstance(readings, Readings)
    assert list(senml.resolve(readings.e, 0)) == [
        Reading("station", "pm2_5", 1_751_500_800_000, 35.5, 3_600_000),
        Reading("station", "temperature", 1_751_500_860_250, -0.5),
        Reading("station", "press_count", 1_751_500_800_000, 1e9),
    ]
    repaired = read("up-readings.repaired.json")
    assert isinstance(repaired, Readings)
    assert (repaired.clock, repaired.seq) == (Clock.REPAIRED, 2**53 - 1)
    assert list(senml.resolve(repaired.e, 0)) == [Reading("room", "humidity", 1_751_500_800_125, 63.5)]

    third_party = read("up-senml.json")
    assert isinstance(third_party, tuple)
    resolved = list(senml.resolve(third_party, 0))
    assert resolved[0] == Reading("roof", "co2", 1_751_500_800_000, 415.0)
    assert resolved[-1] == Reading("roof", "rain", 1_751_500_795_000, 0.2)
    assert all(isinstance(one, Refusal) for one in resolved[1:-1])

    birth, will = read("up-status.json"), read("up-status.will.json")
    assert isinstance(birth, Status)
    assert isinstance(will, Status)
    assert (birth.online, will.online, birth.session) == (True, False, will.session)
    assert birth.sensors[0].simulated
    assert birth.sensors[1].error is not None

    beat = read("up-heartbeat.json")
    assert isinstance(beat, Heartbeat)
    assert (beat.last_seq, beat.outbox, beat.interval_s, beat.sensors) == (3, 2, 30.0, birth.sensors)

    receipt, latest, state = read("down-receipt.json"), read("state-latest.json"), read("state-device.json")
    assert isinstance(receipt, Receipt)
    assert receipt.ranges[:2] == ((1, 3), (5, 5))
    assert isinstance(latest, Latest)
    assert [(value.value, value.quality) for value in latest.values] == [(35.5, 2), (-0.5, 4)]
    assert isinstance(state, DeviceState)
    assert (state.heartbeat, state.status, state.missing) == (beat, birth, 1)
