"""What tests of the pages say and look for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.browser import Browser
from tests.e2e.city import City

ROOF = '[data-reading="roof/air/pm2_5"]'
"""The place of the roof's newest PM2.5."""


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def value(city: City, number: float, *, ago_ms: int = 0, quality: int = 2, sensor: str = "air") -> dict[str, Any]:
    at = iso(city.now() - ago_ms)
    return {"sensor": sensor, "quantity": "pm2_5", "at": at, "value": number, "quality": quality}


def is_live(browser: Browser) -> None:
    browser.until(lambda: browser.text("#link-says") == "Langsung", "the page is live")


def is_lost(browser: Browser, says: str) -> None:
    browser.until(lambda: says in browser.text("#link-says"), f"the page says {says!r}")
    assert browser.find("#link").get_attribute("data-state") == "lost"
