# ruff: noqa: INP001  a script beside its data, no package
"""Makes the compact station files of this folder from the cut of the published data set.

Run: python demo/data/make.py <folder with prsa_<station>_2016-12_2017-02.csv>
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

STATIONS = ("aotizhongxin", "huairou", "wanliu")

COLUMNS = {
    "PM2.5": "pm2_5",
    "PM10": "pm10",
    "SO2": "so2",
    "NO2": "no2",
    "CO": "co",
    "O3": "o3",
    "TEMP": "temperature",
    "PRES": "pressure",
    "DEWP": "dew_point",
    "RAIN": "rain",
    "WSPM": "wind_speed",
    "wd": "wind_direction",
}
"""Column of the source -> quantity of the contract, in the order of the compact files; the units are the same."""

POINTS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
"""The compass points; the n-th one is n x 22.5 degrees clockwise from true north."""

MISSING = "NA"


def convert(text: str) -> str:
    """The source's CSV text as a compact one: local time with its offset, our names, degrees, empty where missing."""
    lines = [",".join(("time", *COLUMNS.values()))]
    for row in csv.DictReader(text.splitlines()):
        time = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}T{int(row['hour']):02}:00+08:00"
        lines.append(",".join((time, *(_cell(column, row[column]) for column in COLUMNS))))
    return "\n".join(lines) + "\n"


def _cell(column: str, cell: str) -> str:
    if cell == MISSING:
        return ""
    if column == "wd":
        return f"{POINTS.index(cell) * 22.5:g}"
    return cell


if __name__ == "__main__":
    source = Path(sys.argv[1])
    for station in STATIONS:
        text = (source / f"prsa_{station}_2016-12_2017-02.csv").read_text(encoding="utf-8")
        Path(__file__).with_name(f"{station}.csv").write_text(convert(text), encoding="utf-8")
