"""The charts in a real browser: a gap is never a line (promise P5), and what is drawn can be read."""

from __future__ import annotations

from datetime import datetime

import pytest
from selenium.webdriver import ActionChains

from tests.browser import Browser
from tests.e2e.city import HOUR_MS, City

pytestmark = pytest.mark.browser


def test_the_last_day_of_a_station_is_a_small_line(browser: Browser) -> None:
    line = browser.find(".tile[data-key='wanliu-1'] .spark svg")
    assert "24 jam terakhir" in line.get_attribute("aria-label")
    assert line.find_element("css selector", "path").get_attribute("d").count("L") > 15


LINE_AT = """
    const canvas = document.querySelector(".plot canvas");
    const [all, over] = [canvas.getBoundingClientRect(), document.querySelector(".u-over").getBoundingClientRect()];
    const to = Date.now();
    const accent = [11, 102, 112];
    return args[0].map((at) => {
      const x = over.left - all.left + over.width * (1 - (to - at) / (7 * 86400000));
      const strip = canvas.getContext("2d").getImageData(x - 1, over.top - all.top, 3, over.height - 1).data;
      const marked = (i) => strip[i + 3] > 100 && accent.every((part, k) => Math.abs(strip[i + k] - part) < 40);
      return Array.from({ length: strip.length / 4 }, (_, i) => marked(4 * i)).filter(Boolean).length;
    });
"""
"""How many pixels of the line's colour the chart shows at each time."""


def test_p5_no_line_crosses_a_gap(city: City, browser: Browser) -> None:
    now = city.now() - city.now() % HOUR_MS
    times = [now - hours * HOUR_MS for hours in range(40, 0, -1) if not 10 < hours < 16]
    city.add("rsud", "gap", title="Celah")
    city.write("rsud", "gap", "pm2_5", [(at, 20.0) for at in times])
    city.settle()
    browser.open("/environment/gap?range=7d")
    found = browser.run(
        """
        const here = document.querySelector("script[src*='station.js']").src;
        const { load, columns } = await import(here.replace("station.js", "series.js"));
        const period = await load(document.querySelector(".plot").dataset.series, "7d", Date.now());
        const [at, , , mean] = columns(period);
        return { step: period.step, at, mean };
        """
    )
    assert found["step"] == "1h"
    assert found["mean"].count(None) == 1, "one gap breaks the line once"
    hole = found["mean"].index(None)
    assert found["at"][hole + 1] - found["at"][hole - 1] == 6 * HOUR_MS
    assert found["mean"][hole - 1] == found["mean"][hole + 1] == 20
    browser.find(".chart[data-step]")
    drawn = browser.run(LINE_AT, [found["at"][hole], found["at"][hole - 8]])
    assert drawn[0] == 0, "nothing is drawn in the gap"
    assert drawn[1] > 0, "the line is drawn beside it"


@pytest.mark.parametrize(
    ("series", "step", "limit", "lonely"),
    [
        ([0, 10, 20, 30], "raw", 15_000, 0),
        ([0, 10, 70, 80], "raw", 15_000, 0),
        ([0, 3600, 7200], "10m", 900_000, 1),
        ([0, 600, 1200, 5000, 5600], "10m", 900_000, 0),
        ([0], "raw", 15_000, 1),
    ],
)
def test_values_finer_than_their_step_are_told_from_gaps(
    browser: Browser, series: list[int], step: str, limit: int, lonely: float
) -> None:
    browser.open("/environment/wanliu-1")
    found = browser.run(
        """
        const here = document.querySelector("script[src*='station.js']").src;
        const { reach, lonely } = await import(here.replace("station.js", "series.js"));
        const [times, step] = args;
        return [reach(times, step, 10000), lonely(times, reach(times, step, 10000))];
        """,
        [at * 1000 for at in series],
        step,
    )
    assert found == [limit, lonely]


def test_each_range_shows_its_length_at_a_fitting_step(browser: Browser) -> None:
    browser.open("/environment/wanliu-1?range=7d")
    chart = ".chart[data-step]"
    browser.until(lambda: "rata-rata per jam" in browser.text(f"{chart} .caption"), "hourly means of a week")
    browser.find('[data-range="60d"]').click()
    browser.until(lambda: "rata-rata per hari" in browser.text(f"{chart} .caption"), "daily means of two months")
    assert browser.driver.current_url.endswith("?range=60d")
    assert browser.find('[data-range="60d"]').get_attribute("aria-pressed") == "true"
    assert browser.find('[data-range="7d"]').get_attribute("aria-pressed") == "false"
    assert "lengkap" in browser.text(f"{chart} .caption")
    assert browser.complaints() == []


def test_the_numbers_of_a_chart_can_be_read_as_a_table(browser: Browser) -> None:
    browser.open("/environment/wanliu-1?range=7d")
    browser.find(".chart[data-step] .numbers summary").click()
    browser.until(lambda: len(browser.all(".chart[data-step] tbody tr")) > 150, "a week of hours")
    heads = [head.text for head in browser.all(".chart[data-step] thead th")][:6]
    assert heads == ["Mulai", "Rata-rata (µg/m³)", "Terendah", "Tertinggi", "Jumlah nilai", "Kelengkapan"]
    assert browser.find(".plot").get_attribute("role") == "img"
    assert "terendah" in browser.find(".plot").get_attribute("aria-label")


def test_the_pointer_is_told_what_was_measured_there(browser: Browser) -> None:
    browser.open("/environment/wanliu-1?range=60d")
    over = browser.find(".chart[data-step] .u-over")
    ActionChains(browser.driver).move_to_element(over).perform()
    browser.until(lambda: "µg/m³" in browser.text(".chart .tip"), "what was measured")


def test_times_are_of_the_city_and_not_of_the_reader(city: City, browser: Browser) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "America/Los_Angeles"})
    try:
        browser.open("/environment/wanliu-1?range=7d")
        browser.find(".chart[data-step] .numbers summary").click()
        newest = browser.text(".chart[data-step] tbody tr td")
        at = datetime.fromtimestamp((city.now() - city.now() % HOUR_MS) / 1000, city.settings.zone)
        assert newest.endswith(f"{at:%H}:00")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})
