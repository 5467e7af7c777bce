"""P5: the demo's stations are the published ones, value by value and gap by gap."""

from __future__ import annotations

import hashlib
import runpy
from pathlib import Path
from typing import Any

import pytest

from broker.contract.quantities import QUANTITIES
from edge.drivers.replay import decode

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "demo" / "data"
SOURCE = ROOT.parent / "shared" / "data"

MISSING = {"aotizhongxin": 235, "huairou": 285, "wanliu": 256}
"""Station -> missing values of its 2,160 rows of 12."""

DIGESTS = {
    "aotizhongxin": "aca649cb75cc084a16d9475ed94f655526c06825cce910e2f754ae7275623bf4",
    "huairou": "cdd848c17ea40e365b6ebe91e572acf59f5e3d5c61548ff80427b7d5d0661e28",
    "wanliu": "9f3389649ef841bdf3dff79bd46e28319c586ec97636212d9b1720fa25525858",
}
"""Station -> SHA-256 of its file."""

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def make() -> dict[str, Any]:
    """The script that makes the files."""
    return runpy.run_path(str(FOLDER / "make.py"))


@pytest.mark.parametrize("station", MISSING)
def test_every_hour_of_three_months_is_there_with_its_gaps_and_nothing_implausible(station: str) -> None:
    rows = decode((FOLDER / f"{station}.csv").read_text(encoding="utf-8"))

    assert [row.at_ms - rows[0].at_ms for row in rows] == [hour * HOUR_MS for hour in range(2160)]
    assert sum(12 - len(row.values) for row in rows) == MISSING[station]
    for row in rows:
        assert all(QUANTITIES[name].low <= value <= QUANTITIES[name].high for name, value in row.values)


@pytest.mark.parametrize("station", DIGESTS)
def test_the_files_are_those_that_were_checked(station: str) -> None:
    assert hashlib.sha256((FOLDER / f"{station}.csv").read_bytes()).hexdigest() == DIGESTS[station]


@pytest.mark.skipif(not SOURCE.is_dir(), reason="the published data set is not beside the project")
@pytest.mark.parametrize("station", MISSING)
def test_the_files_are_what_the_script_makes_of_the_published_ones(station: str, make: dict[str, Any]) -> None:
    source = (SOURCE / f"prsa_{station}_2016-12_2017-02.csv").read_text(encoding="utf-8")

    assert make["convert"](source) == (FOLDER / f"{station}.csv").read_text(encoding="utf-8")
    assert sum(row.split(",")[5:17].count("NA") for row in source.splitlines()) == MISSING[station]


def test_a_row_keeps_its_values_and_gets_an_offset_degrees_and_empty_cells(make: dict[str, Any]) -> None:
    head = "No,year,month,day,hour,PM2.5,PM10,SO2,NO2,CO,O3,TEMP,PRES,DEWP,RAIN,wd,WSPM,station\n"
    row = "32908,2016,12,1,3,6,6,5,24,300,58,1.1,1024.3,-10.2,0,NNW,1.2,Aotizhongxin\n"
    gaps = "1,2017,2,28,23,NA,9,NA,NA,NA,NA,-0.5,NA,NA,0.1,NA,NA,Wanliu\n"

    assert make["convert"](head + row + gaps).splitlines()[1:] == [
        "2016-12-01T03:00+08:00,6,6,5,24,300,58,1.1,1024.3,-10.2,0,1.2,337.5",
        "2017-02-28T23:00+08:00,,9,,,,,-0.5,,,0.1,,",
    ]


def test_the_attribution_names_source_licence_and_changes() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")

    for words in ("10.24432/C5RK5G", "CC BY 4.0", "Song Chen", "What was changed"):
        assert words in readme
