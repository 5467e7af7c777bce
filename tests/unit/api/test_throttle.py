"""How many failures an address may have."""

from __future__ import annotations

from api.access.throttle import Throttle


def test_the_address_waits_for_the_rest_of_the_window_after_the_last_allowed_failure() -> None:
    throttle = Throttle(allowed=3, window_ms=60_000)
    for at_ms in (0, 10_000):
        throttle.failed("a", at_ms)
    assert throttle.wait_s("a", 10_000) == 0
    throttle.failed("a", 20_000)
    assert throttle.wait_s("a", 20_001) == 40
    assert throttle.wait_s("b", 20_001) == 0
    assert throttle.wait_s("a", 59_999) == 1
    assert throttle.wait_s("a", 60_000) == 0


def test_a_new_window_begins_with_the_next_failure() -> None:
    throttle = Throttle(allowed=2, window_ms=60_000)
    for at_ms in (0, 1, 60_001):
        throttle.failed("a", at_ms)
    assert throttle.wait_s("a", 60_002) == 0
    throttle.failed("a", 60_003)
    assert throttle.wait_s("a", 60_004) == 60


def test_memory_is_bounded_however_many_addresses_fail() -> None:
    throttle = Throttle(allowed=1, remembered=100)
    for number in range(1000):
        throttle.failed(f"2001:db8::{number:x}", number)
    assert len(throttle) == 100
    assert throttle.wait_s("2001:db8::0", 1000) == 0
    assert throttle.wait_s(f"2001:db8::{999:x}", 1000) > 0
