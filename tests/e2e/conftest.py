"""A reader at a browser, and the city that the pages are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from broker.contract.messages import Sensor
from tests.browser import Browser
from tests.e2e.city import City, day_wave

DESK = (1280, 900)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with closing(Browser(tmp_path_factory.mktemp("chromium"), size=DESK)) as window:
        yield window


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    """A hospital's roof that measures every ten seconds, and a replayed station that measures every hour."""
    with closing(City(tmp_path)) as city:
        now = city.now()
        city.add("rsud", "roof", place="RSUD Tangerang Selatan", title="Atap", where=(-6.31, 106.71))
        city.heard("rsud", "roof", ago_s=5, sensors=[Sensor(name="air", driver="sen5x")])
        city.write("rsud", "roof", "pm2_5", [(now - 6_000, 86.44)], interval_ms=10_000)
        city.add("wanliu", "wanliu-1", place="Taman", title="Wanliu", where=(-6.28, 106.75))
        city.heard("wanliu", "wanliu-1", sensors=[Sensor(name="air", driver="replay", simulated=True)])
        city.write("wanliu", "wanliu-1", "pm2_5", day_wave(now, 62, 5, 300))
        city.write("wanliu", "wanliu-1", "temperature", day_wave(now, 62, -5, 12))
        city.settle()
        city.start()
        yield city


@pytest.fixture
def browser(city: City, window: Browser) -> Browser:
    """A reader who has signed in by the address that a node prints; at a desk, by daylight."""
    window.base = city.url
    window.resize(*DESK)
    window.prefer("light")
    window.open("/login")
    window.driver.delete_all_cookies()
    window.open(f"/login#token={city.token}")
    window.until(lambda: window.driver.current_url == city.url + "/environment", "the token in the address signs in")
    window.complaints()
    return window
