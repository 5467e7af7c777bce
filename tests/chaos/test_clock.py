"""P5 and P1 with a clock that wakes in 1970 and is stepped: times are repaired, or say that they cannot be."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from broker.contract.series import Quality
from tests.brokers import require
from tests.chaos.clocked_agent import hold
from tests.chaos.ledger import Produced, compare
from tests.whole_node import SITE, running, until

TABLES = """
[clock]
patience_s = 300
[outbox]
commit_s = 0.1
[[sensor]]
name = "roof"
driver = "simulated"
interval_s = 0.1
quantities = ["pm2_5"]
[[button]]
name = "panel"
driver = "gpio_buttons"
simulated = true
buttons = { call = 17 }
press_every_s = 0.5
"""

TO_1970_MS = -1_700_000_000_000
FIRST_BOOT, SECOND_BOOT = "a" * 32, "b" * 32


@pytest.mark.slow
@pytest.mark.mosquitto
def test_p5_readings_of_a_boot_in_1970_are_repaired_when_the_clock_is_set(tmp_path: Path) -> None:
    require("mosquitto")
    with running(tmp_path, "mosquitto") as node:
        agent = node.agent("pi", TABLES, command=("-m", "tests.chaos.clocked_agent"))
        site_file = tmp_path / "pi.toml"
        produced = Produced(SITE, "pi", tmp_path / "pi" / "outbox.db")
        hold(site_file, offset_ms=TO_1970_MS, synchronised=False, boot=FIRST_BOOT)
        began_ms = time.time_ns() // 1_000_000
        node.start()
        until(lambda: len(produced.messages()) > 20, "messages are accepted in 1970")
        until(lambda: len(node.get("/api/v1/presses")["items"]) > 0 if node.ready() else False, "a press does not wait")
        assert node.get("/api/v1/series?quantity=pm2_5")["items"] == [], "readings wait for the clock"
        hold(site_file, offset_ms=0, synchronised=True, boot=FIRST_BOOT)
        until(lambda: len(node.get("/api/v1/series?quantity=pm2_5")["items"]) == 1, "the repaired readings arrive")
        agent.stop()
        until(lambda: produced.waiting() == 0 or not agent.alive(), "the outbox drains")
        node.agent("pi", "", command=("-m", "tests.chaos.clocked_agent")).start()
        until(lambda: produced.waiting() == 0, "the outbox drains")
        until(lambda: not compare([produced], tmp_path).faults, "what was produced is what is stored")
        verdict = compare([produced], tmp_path)
        assert verdict.repaired > 3
        series = node.get("/api/v1/series?quantity=pm2_5")["items"][0]["id"]
        readings = node.get(f"/api/v1/readings?series={series}&interval=raw&from={_iso(began_ms)}&limit=10000")["items"]
        assert len(readings) == verdict.readings, "every reading lies after the real beginning"


def _iso(at_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms // 1000))


@pytest.mark.slow
@pytest.mark.mosquitto
def test_p5_readings_of_an_earlier_boot_that_never_knew_the_time_say_so(tmp_path: Path) -> None:
    require("mosquitto")
    with running(tmp_path, "mosquitto") as node:
        agent = node.agent("pi", TABLES, command=("-m", "tests.chaos.clocked_agent"))
        site_file = tmp_path / "pi.toml"
        produced = Produced(SITE, "pi", tmp_path / "pi" / "outbox.db")
        hold(site_file, offset_ms=-3_600_000, synchronised=False, boot=FIRST_BOOT)
        node.start()
        until(lambda: len(produced.messages()) > 20, "messages are accepted")
        agent.kill()
        hold(site_file, offset_ms=0, synchronised=True, boot=SECOND_BOOT)
        node.agent("pi", "", command=("-m", "tests.chaos.clocked_agent")).start()
        until(lambda: produced.waiting() == 0, "they are sent although nobody can repair them")
        until(lambda: not compare([produced], tmp_path).faults, "what was produced is what is stored")
        latest = node.get("/api/v1/latest?quantity=pm2_5")["items"]
        assert [one["quality"] for one in latest] == [Quality.SUSPECT]
