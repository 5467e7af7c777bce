"""The pages in a real browser are for everybody: signing in, languages, keyboard, screen reader, phone and wall."""

from __future__ import annotations

import json
from pathlib import Path

import axe_selenium_python
import pytest
from selenium.webdriver import ActionChains, Keys

from api.web.i18n import Speech
from broker.contract.messages import Sensor
from broker.contract.series import Quality
from tests.browser import Browser
from tests.e2e.city import HOUR_MS, MINUTE_MS, City
from tests.e2e.reading import is_live

pytestmark = pytest.mark.browser

EVIL = "<script>window.evil = true</script><img src=x onerror='window.evil = true'>"
PHONE = (360, 780)
AXE = Path(axe_selenium_python.__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


def test_the_token_in_the_address_signs_in_and_leaves_no_trace_in_it(city: City, browser: Browser) -> None:
    assert "token" not in browser.driver.current_url
    assert browser.driver.get_cookie("simpul_session") is not None
    assert city.token not in str(browser.run("return performance.getEntries().map((entry) => entry.name).join()"))


def test_who_signs_out_elsewhere_is_led_to_the_form(city: City, browser: Browser) -> None:
    is_live(browser)
    browser.driver.delete_all_cookies()
    city.stop()
    city.start()
    browser.until(lambda: "/login" in browser.driver.current_url, "the form")
    assert browser.find("#token").is_displayed()


def test_the_server_and_the_browser_write_times_ages_and_numbers_alike(city: City, browser: Browser) -> None:
    now = city.now()
    moments = [now - ago for ago in (0, 3 * HOUR_MS, 30 * HOUR_MS, 400 * 24 * HOUR_MS)]
    ages = [0, 4_999, 12_400, 59_999, 61 * MINUTE_MS, 25 * HOUR_MS, 4000 * HOUR_MS]
    numbers = [(1234.56, 1), (-0.04, 1), (0.5, 0), (2.25, 1), (713, 0), (1e6, 3)]
    shares = [0.9999, 1.0, 0.29, 0.0]
    for language in ("id", "en"):
        browser.driver.add_cookie({"name": "simpul_language", "value": language})
        browser.open("/environment")
        written = browser.run(
            """
            const here = document.querySelector("script[src*='environment.js']").src;
            const f = await import(here.replace("environment.js", "format.js"));
            const [now, moments, ages, numbers, shares] = args;
            return [
              moments.map((at) => f.moment(at, now)), ages.map((ago) => f.age(ago)),
              numbers.map(([value, decimals]) => f.number(value, decimals)), shares.map((share) => f.percent(share)),
            ];
            """,
            now,
            moments,
            ages,
            numbers,
            shares,
        )
        speech = Speech(language, city.settings.zone)
        assert written == [
            [speech.moment(at, now) for at in moments],
            [speech.age(ago) for ago in ages],
            [speech.number(value, decimals) for value, decimals in numbers],
            [speech.percent(share) for share in shares],
        ]


def test_who_chooses_a_language_and_an_appearance_keeps_them(browser: Browser) -> None:
    browser.find('button[name="language"]').click()
    browser.until(lambda: browser.text("h1") == "Environment", "English")
    browser.find('button[name="theme"]').click()
    browser.until(lambda: browser.find("html").get_attribute("data-theme") == "dark", "dark")
    browser.open("/fleet")
    assert browser.text("h1") == "Devices"
    assert browser.find("html").get_attribute("data-theme") == "dark"


def test_titles_of_others_run_no_script(city: City, browser: Browser) -> None:
    city.add("evil", "evil", place=EVIL, title=EVIL)
    city.heard("evil", "evil", sensors=[Sensor(name="air", driver="x", error=EVIL, since=1.0)])
    city.write("evil", "evil", "pm2_5", [(city.now(), 1.0)])
    city.quarantine("evil", "evil", "bad_body", EVIL)
    for path in ("/environment", "/environment/evil?range=1h", "/fleet"):
        browser.open(path)
        is_live(browser)
        assert browser.run("return window.evil ?? null") is None
        assert "<script>" in browser.text("main")
        assert browser.complaints() == []


def test_everything_is_reached_by_keyboard(browser: Browser) -> None:
    browser.open("/environment/wanliu-1")
    browser.find("body").send_keys(Keys.TAB)
    assert browser.driver.switch_to.active_element.text == "Langsung ke isi"
    assert browser.driver.switch_to.active_element.is_displayed()
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    reached = []
    for _ in range(9):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        active = browser.driver.switch_to.active_element
        reached.append(active.get_attribute("data-range") or active.tag_name)
        outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", reached
    assert {"1h", "6h", "24h", "7d", "30d", "60d", "summary"} <= set(reached)
    assert "a" in reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, (1920, 1080)])
def test_axe_finds_nothing_serious_and_nothing_runs_over_the_edge(
    city: City, browser: Browser, scheme: str, size: tuple[int, int]
) -> None:
    trouble(city)
    browser.resize(*size)
    browser.prefer(scheme)
    for path in ("/environment", "/environment/roof?range=6h", "/fleet", "/environment/none", "/login"):
        if path == "/login":
            browser.driver.delete_all_cookies()
        browser.open(path)
        if path.startswith("/environment/roof"):
            browser.find(".chart[data-step] .numbers summary").click()
        assert serious(browser) == [], path
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), f"{path} is too wide"
    assert [one for one in browser.complaints() if "404" not in one] == []


def trouble(city: City) -> None:
    """One of everything that looks different."""
    now = city.now()
    city.heard(
        "rsud",
        "roof",
        clock="untrusted",
        outbox=1204,
        stuck=4,
        evicted=2,
        refused=1,
        oldest_s=11_000,
        sensors=[Sensor(name="air", driver="sen5x", error="no answer at 0x69", since=now / 1000 - 60)],
        counts=(900, 3, 1, 2),
    )
    city.write("rsud", "roof", "humidity", [(now, 180.0)], interval_ms=10_000, quality=Quality.FAIL)
    city.write("rsud", "roof", "co2", [(now, 420.0)], interval_ms=10_000, quality=Quality.SUSPECT)
    city.write("rsud", "roof", "no2", [(now - 2 * HOUR_MS, 420.0)], interval_ms=10_000)
    city.heard("wanliu", "wanliu-1", ago_s=7200, sensors=[Sensor(name="air", driver="replay", simulated=True)])
    city.add("rsud", "off", title="Terputus")
    city.heard("rsud", "off", online=False)
    city.add("rsud", "old", title="Dicabut")
    city.revoke("old")
    city.add("rsud", "new", title="Belum pernah terhubung")
    city.quarantine("rsud", "roof", "time_future", "2100-01-01T00:00:00Z is more than 10 minutes ahead", total=3)


def serious(browser: Browser) -> list[str]:
    """What axe-core finds of serious or critical impact, by rule and place."""
    browser.run(AXE.read_text("utf-8") + "; window.axe = axe;")
    # this axe-core is older than HTML 5.2, which lets a dl group its terms in divs
    older = {"dlitem": {"enabled": False}, "definition-list": {"enabled": False}}
    rules = json.dumps({"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"], "rules": older})
    found = browser.run(f"return (await window.axe.run(document, {rules})).violations")
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in {"serious", "critical", "moderate"}
        for node in one["nodes"]
    ]
