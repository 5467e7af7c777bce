"""Device milliseconds become host nanoseconds within the uncertainty that is said."""

from __future__ import annotations

import random

import pytest

from firmware_bridge.wire.clock import UNKNOWN_DRIFT, DeviceClock

MS = 1_000_000
START_NS = 7_000_000 * MS


class Device:
    def __init__(self, started_ms: int = 0, ppm: float = 0.0) -> None:
        self._started_ms, self._rate = started_ms, 1 + ppm / 1e6

    def ms(self, at_ns: int) -> int:
        return (self._started_ms + int((at_ns - START_NS) * self._rate // MS)) % 2**32


def probed(device: Device, seconds: int, rng: random.Random) -> tuple[DeviceClock, int]:
    clock, now_ns = DeviceClock(), START_NS
    for _ in range(seconds):
        there_ns, back_ns = (int(rng.expovariate(1 / 3) * MS) + MS // 2 for _ in range(2))
        clock.trip(now_ns, now_ns + there_ns + back_ns, device.ms(now_ns + there_ns))
        now_ns += 1000 * MS
    return clock, now_ns


@pytest.mark.parametrize("ppm", [-4000, -50, 0, 50, 4000])
@pytest.mark.parametrize("started_ms", [0, 2**32 - 30_000], ids=["from zero", "wraps"])
@pytest.mark.parametrize("seconds", [1, 5, 120])
def test_the_true_time_is_within_the_uncertainty(seconds: int, started_ms: int, ppm: float) -> None:
    rng = random.Random(seconds)
    device = Device(started_ms, ppm)
    clock, now_ns = probed(device, seconds, rng)
    for _ in range(50):
        true_ns = now_ns - rng.randrange(0, 20_000) * MS
        time = clock.host(device.ms(true_ns), now_ns)
        assert abs(time.at_ns - true_ns) <= time.uncertainty_ns


def test_after_two_minutes_of_probes_a_slow_resonator_is_known_within_some_milliseconds() -> None:
    device = Device(ppm=4000)
    clock, now_ns = probed(device, 120, random.Random(2))
    time = clock.host(device.ms(now_ns - 5 * MS), now_ns)

    assert clock.drift < UNKNOWN_DRIFT / 5
    assert 1 / clock.rate == pytest.approx(1.004, abs=0.001)
    assert time.uncertainty_ns < 8 * MS


def test_the_fastest_round_trip_is_believed() -> None:
    clock = DeviceClock()
    clock.trip(START_NS, START_NS + 80 * MS, 70)
    clock.trip(START_NS + 100 * MS, START_NS + 102 * MS, 101)
    clock.trip(START_NS + 200 * MS, START_NS + 280 * MS, 205)

    assert clock.host(150, START_NS + 300 * MS).at_ns == START_NS + 150 * MS


def test_a_press_is_never_later_than_now() -> None:
    clock = DeviceClock()
    clock.trip(START_NS, START_NS + 20 * MS, 18)

    assert clock.host(30, START_NS + 21 * MS).at_ns == START_NS + 21 * MS


def test_without_a_round_trip_there_is_no_time() -> None:
    with pytest.raises(LookupError):
        DeviceClock().host(1, START_NS)


def test_memory_is_bounded_and_a_silence_over_a_wrap_is_bridged() -> None:
    device = Device()
    clock, now_ns = probed(device, 500, random.Random(1))
    later_ns = now_ns + 30 * 86_400_000 * MS
    clock.trip(later_ns, later_ns + 2 * MS, device.ms(later_ns + MS))
    time = clock.host(device.ms(later_ns - 5000 * MS), later_ns)

    assert abs(time.at_ns - (later_ns - 5000 * MS)) <= time.uncertainty_ns
