"""A site file is right, or every mistake in it is named with its key and remedy, before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge import config
from edge.config import ConfigError

RIGHT = """
[agent]
site = "rsud"
device = "roof"
state_dir = "state"

[mqtt]
host = "broker"
password_file = "password"

[[sensor]]
name = "air"
driver = "simulated"
interval_s = 2
quantities = ["temperature"]

[[button]]
name = "panel"
driver = "gpio_buttons"
simulated = true
buttons = { red = 17 }
lockout_ms = 120
"""


def loaded(tmp_path: Path, text: str) -> config.Site:
    path = tmp_path / "site.toml"
    path.write_text(text)
    return config.load(path)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert str(tmp_path / "site.toml") in str(caught.value)
    return caught.value.problems


def test_a_right_file_is_read_with_its_defaults_and_its_drivers_keys(tmp_path: Path) -> None:
    site = loaded(tmp_path, RIGHT)
    assert (site.agent.device, site.agent.heartbeat_s, site.mqtt.port) == ("roof", 30, 1883)
    assert (site.clock.trust, site.clock.patience_s, site.outbox.max_age_days) == ("kernel", 300, 90)
    air, panel = site.units
    assert (air.name, air.interval_s, air.simulated, air.settings.quantities) == ("air", 2, False, ("temperature",))
    assert (panel.driver, panel.simulated, panel.settings.lockout_ms) == ("gpio_buttons", True, 120)
    assert site.path("state") == tmp_path / "state"
    assert len(site.digest) == 12


def test_another_file_has_another_digest(tmp_path: Path) -> None:
    assert loaded(tmp_path, RIGHT).digest != loaded(tmp_path, RIGHT + "# changed\n").digest


@pytest.mark.parametrize(
    ("wrong", "right", "says"),
    [
        ('device = "roof"', 'device = "Roof"', "[agent] device: Expected `str` matching regex"),
        ('device = "roof"', 'device = "Roof"', "use 1 to 48 of a-z, 0-9 and inner hyphens"),
        ('state_dir = "state"', "", "[agent] state_dir: is missing; state_dir = directory of the outbox"),
        ('host = "broker"', 'host = "broker"\nprot = 1884', "[mqtt] prot: there is no such key; did you mean 'port'?"),
        ('host = "broker"', 'host = "broker"\nport = 70000', "[mqtt] port: Expected `int` <= 65535"),
        ("[mqtt]", "[clock]\ntrust = 'ntp'\n[mqtt]", "trust: Invalid enum value 'ntp'; allowed are: always, kernel"),
        ("[mqtt]", "[outbox]\nmax_bytes = 10\n[mqtt]", "[outbox] max_bytes: Expected `int` >= 1000000"),
        ("[mqtt]", "[brocker]\n[mqtt]", "brocker: there is no such key; known are: agent, mqtt"),
        ("[agent]", "clock = 5\n[agent]", "clock: write it as a table, [clock]"),
        ('driver = "simulated"', 'driver = "simulatd"', "air: driver: no driver 'simulatd'; did you mean 'simulated'?"),
        ('driver = "simulated"', "", "[[sensor]] air: driver: is missing"),
        ("interval_s = 2", "intervall_s = 2", "air: intervall_s: there is no such key; did you mean 'interval_s'?"),
        ("interval_s = 2", "interval_s = 0", "[[sensor]] air: interval_s: Expected `float` >= 0.01"),
        ('["temperature"]', '["temprature"]', "[[sensor]] air: 'temprature' is no quantity"),
        ('name = "air"', "", "[[sensor]] number 1: name: is missing; name = of the sensor on this device"),
        ('name = "panel"', 'name = "air"', "[[button]] air: name: air is there already"),
        ("lockout_ms = 120", "interval_s = 1", "[[button]] panel: interval_s: there is no such key"),
        ("[[button]]", "[[sensor]]", "[[sensor]] panel: driver: gpio_buttons belongs under [[button]]"),
        ("[[sensor]]", "[[button]]", "[[button]] air: driver: simulated belongs under [[sensor]]"),
        ("[[sensor]]", "[sensor]", "sensor: write each as a table of its own, [[sensor]]"),
        ("{ red = 17 }", "{ red = 17, blue = 17 }", "[[button]] panel: two buttons share one pin"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_to_do(tmp_path: Path, wrong: str, right: str, says: str) -> None:
    assert wrong in RIGHT
    found = problems(tmp_path, RIGHT.replace(wrong, right, 1))
    assert any(says in problem for problem in found), found


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = RIGHT.replace("roof", "Roof").replace("interval_s = 2", "interval_s = 'x'").replace("= 17", "= 99")
    assert len(problems(tmp_path, text)) == 3


def test_one_name_for_two_buttons_would_count_their_presses_together(tmp_path: Path) -> None:
    second = RIGHT[RIGHT.index("[[button]]") :].replace("panel", "other")
    (problem,) = problems(tmp_path, RIGHT + second)
    assert problem == "[[button]] other: buttons: red is there already; names are there once on a device"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[agent\n", "is no TOML: "),
        (b"\xff\xfe", "is no TOML: "),
    ],
)
def test_what_is_no_toml_is_said_to_be_none(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        config.load(path)


def test_a_file_that_is_not_there_is_said_not_to_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        config.load(tmp_path / "none.toml")


def test_sql_in_a_name_is_a_mistake_like_any_other(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, RIGHT.replace('name = "air"', 'name = "air\'; DROP TABLE row; --"'))
    assert "name: Expected `str` matching regex" in problem


def test_checking_opens_nothing_and_creates_nothing(tmp_path: Path) -> None:
    loaded(tmp_path, RIGHT)
    assert [file.name for file in tmp_path.iterdir()] == ["site.toml"]
