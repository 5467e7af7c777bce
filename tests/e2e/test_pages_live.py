"""The pages in a real browser are live, and say so when they are not (promise P5)."""

from __future__ import annotations

from datetime import datetime

import pytest

from broker.contract.messages import Sensor
from broker.contract.series import Quality
from tests.browser import Browser
from tests.e2e.city import City
from tests.e2e.reading import ROOF, is_live, is_lost, iso, value

pytestmark = pytest.mark.browser


def test_a_value_that_arrives_is_shown_at_once_with_its_age(city: City, browser: Browser) -> None:
    is_live(browser)
    assert browser.text(f"{ROOF} .value") == "86,4"
    city.say_latest("rsud", "roof", [value(city, 101.26)])
    browser.until(lambda: browser.text(f"{ROOF} .value") == "101,3", "the new value")
    assert browser.text(f"{ROOF} .age") == "baru saja"
    browser.until(lambda: browser.text(f"{ROOF} .age") in {"5 dtk lalu", "6 dtk lalu"}, "its age counts up")
    assert browser.complaints() == []


def test_an_older_value_does_not_replace_a_newer_one(city: City, browser: Browser) -> None:
    is_live(browser)
    city.say_latest("rsud", "roof", [value(city, 1.0, ago_ms=30_000)])
    city.say_latest("wanliu", "wanliu-1", [{**value(city, 77.0), "quantity": "temperature"}])
    browser.until(lambda: browser.text('[data-reading="wanliu-1/air/temperature"] .value') == "77,0", "what came after")
    assert browser.text(f"{ROOF} .value") == "86,4"


def test_p5_a_value_turns_stale_on_an_open_page_and_says_since_when(city: City, browser: Browser) -> None:
    measured = city.now() - 57_000
    city.write("rsud", "roof", "no2", [(measured, 12.0)], interval_ms=10_000)
    browser.open("/environment")
    place = '[data-reading="roof/air/no2"]'
    assert "stale" not in browser.find(place).get_attribute("class")
    browser.until(lambda: "stale" in browser.find(place).get_attribute("class").split(), "the value turns stale")
    local = datetime.fromtimestamp(measured / 1000 + 60, city.settings.zone)
    assert browser.text(f"{place} .stale-says") == f"basi sejak {local:%H:%M}"
    assert browser.find(f"{place} .stale-mark svg").is_displayed()
    browser.until(lambda: "1 nilai basi" in browser.text(".summary"), "the page counts it")
    fresh, stale = (
        browser.run("return getComputedStyle(document.querySelector(args[0])).color", f"{one} .value")
        for one in (ROOF, place)
    )
    assert fresh != stale


def test_p5_a_device_turns_silent_on_an_open_page(city: City, browser: Browser) -> None:
    city.heard("rsud", "roof", ago_s=87)
    browser.open("/environment")
    contact = '.contact[data-device="roof"]'
    assert "senyap" not in browser.text(contact)
    browser.until(lambda: "senyap sejak" in browser.text(contact), "the silence is said")


def test_p5_when_the_stream_is_lost_the_page_says_so_and_ages_go_on(city: City, browser: Browser) -> None:
    is_live(browser)
    city.stop()
    is_lost(browser, "Tidak langsung sejak")
    assert "menyambung ulang" in browser.text("#link-says")
    before = browser.text(f"{ROOF} .age")
    browser.until(lambda: browser.text(f"{ROOF} .age") != before, "ages go on")
    city.start()
    is_live(browser)
    city.say_latest("rsud", "roof", [value(city, 55.0)])
    browser.until(lambda: browser.text(f"{ROOF} .value") == "55,0", "values come again")


def test_p5_a_server_that_hangs_is_not_taken_for_a_live_one(city: City, browser: Browser) -> None:
    is_live(browser)
    with city.hanging():
        browser.run("const real = Date.now; Date.now = () => real() + 41000;")  # more than the server may keep silent
        is_lost(browser, "Tidak langsung sejak")
    is_live(browser)


def test_p5_when_the_server_has_lost_the_broker_the_page_says_so(city: City, browser: Browser) -> None:
    is_live(browser)
    city.broker(connected=False)
    is_lost(browser, "server kehilangan sambungan ke broker")
    city.broker(connected=True)
    is_live(browser)


def test_a_new_station_appears_by_itself(city: City, browser: Browser) -> None:
    is_live(browser)
    city.add("rsud", "hall", title="Aula")
    city.write("rsud", "hall", "pm2_5", [(city.now(), 33.0)], interval_ms=10_000)
    city.say_latest("rsud", "hall", [value(city, 33.0)])
    browser.until(lambda: "Aula" in browser.text(".tiles"), "the new station")
    assert len(browser.all(".tile")) == 3


def test_p5_doubts_about_a_value_are_said_in_words_as_they_arrive(city: City, browser: Browser) -> None:
    is_live(browser)
    city.say_latest("rsud", "roof", [value(city, 900.0, quality=Quality.SUSPECT)])
    browser.until(lambda: "meragukan" in browser.text(ROOF), "suspect")
    city.say_latest("rsud", "roof", [value(city, 9000.0, quality=Quality.FAIL)])
    browser.until(lambda: "tidak masuk akal" in browser.text(ROOF), "implausible")
    assert "meragukan" not in browser.text(ROOF)


def test_the_fleet_page_puts_a_device_that_gets_into_trouble_first(city: City, browser: Browser) -> None:
    city.add("rsud", "aaa", title="Aaa")
    city.heard("rsud", "aaa")
    browser.open("/fleet")
    is_live(browser)
    assert order(browser)[0] == "aaa"
    city.heard("rsud", "roof", clock="untrusted", outbox=1204, stuck=4, oldest_s=11_000)
    city.say_device({"id": "roof", "site": "rsud", "contact": iso(city.now()), "heartbeat_interval_s": 30.0})
    browser.until(lambda: order(browser)[0] == "roof", "the device in trouble comes first")
    card = browser.text('.card[data-key="roof"]')
    assert "4 pesan dikirim berulang kali tanpa tanda terima" in card
    assert "Jamnya tidak tersinkron" in card
    assert "1.204" in card


def order(browser: Browser) -> list[str | None]:
    return [card.get_attribute("data-key") for card in browser.all(".card")]


def test_a_redrawn_page_keeps_the_focus_where_it_was(city: City, browser: Browser) -> None:
    browser.open("/environment")
    is_live(browser)
    browser.run("document.querySelector('[data-key=\"wanliu-1\"] h2 a').focus()")
    city.add("rsud", "hall", title="Aula")
    city.write("rsud", "hall", "pm2_5", [(city.now(), 33.0)], interval_ms=10_000)
    city.heard("rsud", "roof", sensors=[Sensor(name="air", driver="replay", simulated=True)])
    city.write("wanliu", "wanliu-1", "no2", [(city.now(), 3.0)])
    city.say_latest("wanliu", "wanliu-1", [{**value(city, 3.0), "quantity": "no2"}])
    browser.until(lambda: "NO₂" in browser.text('[data-key="wanliu-1"]'), "the redrawn tile")
    assert browser.driver.switch_to.active_element.tag_name == "a"
