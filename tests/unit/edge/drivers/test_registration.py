"""A driver is registered by its file's name, and costs nothing until it is opened."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edge.drivers import UnknownDriver, load, names
from edge.drivers.__main__ import PAGE, main
from edge.drivers._page import page
from edge.drivers._uart import port_error
from edge.drivers._vendor import vendor
from edge.ports import SensorError

VENDORS = "gpiozero lgpio smbus2 serial pymodbus sensirion_i2c_scd4x sensirion_i2c_sen5x sensirion_i2c_driver bme280"


def test_the_files_are_the_names() -> None:
    assert names() == [
        "bme280",
        "firmware_serial",
        "gpio_buttons",
        "modbus_station",
        "pms5003",
        "replay",
        "scd41",
        "sen5x",
        "simulated",
    ]


def test_loading_every_driver_imports_no_vendors_library() -> None:
    script = (
        "import sys; from edge.drivers import load, names; [load(name) for name in names()];"
        f"print([vendor for vendor in {VENDORS!r}.split() if vendor in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_names_are_known_without_importing_any_driver() -> None:
    script = (
        "import sys; from edge.drivers import names; names(); print([m for m in sys.modules if 'edge.drivers.' in m])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["bme208", "", "_noise", "../config", "os", "__main__"])
def test_an_unknown_driver_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UnknownDriver, match=r"there are: bme280, firmware_serial, gpio_buttons, .*, simulated$"):
        load(name)


def test_a_misspelt_driver_is_guessed() -> None:
    with pytest.raises(UnknownDriver, match="did you mean 'bme280'"):
        load("bme208")


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(SensorError, match=r"Python package lib_of_nobody is missing: pip install 'simpul\[edge\]'"):
        vendor("lib_of_nobody.sub")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(2, "raspi-config"), (13, "group dialout"), (11, "used by another program"), (5, "Input/output error")],
)
def test_a_serial_port_that_cannot_be_opened_has_a_remedy(number: int, remedy: str) -> None:
    error = port_error("/dev/ttyX", OSError(number, "Input/output error"))

    assert error.startswith("/dev/ttyX ")
    assert remedy in error
    assert len(error) <= 200


def test_the_page_in_the_docs_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m edge.drivers --write"


def test_check_passes_on_a_current_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["edge.drivers", "--check"])

    assert main() == 0


def test_pressing_without_an_agent_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["edge.drivers", "press", "/nowhere/control", "pharmacy"])

    assert main() == 1
    assert "is the agent running" in capsys.readouterr().out
