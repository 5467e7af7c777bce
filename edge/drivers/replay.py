"""A station's recording, given again: its past as backfill, then on into the present at a chosen pace.

The file is CSV in UTF-8. Its header is `time` and names of quantities; `time` is ISO 8601 with an offset and rises from
row to row; a cell is a number in the quantity's unit, or empty where nothing was measured. A missing value or row is
never filled: a gap stays a gap.

At the first start the recording is shifted so that its last row falls on now. Then one recorded interval passes every
`interval_s / pace` seconds, from the beginning of the recording again, each tick stamped with its own time. Ticks that
pass while nobody runs the driver are skipped.
"""

from __future__ import annotations

import csv
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from edge.drivers._noise import Noise
from edge.drivers._quantities import known
from edge.ports import Driver, Page, Recorded, SensorError

PAGE_VALUES = 300
"""Values of one page, a row more or less."""

LATE_MS = 60_000
"""A tick that nobody asked for in this time was not measured: the machine slept."""

TWIN_QUANTITIES = ("pm2_5", "pm10", "temperature", "humidity")
TWIN_ROWS = 48


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Which recording, and how fast.

    Attributes:
        file: path of the CSV file, relative to the agent's working directory.
        pace: seconds of the recording that pass in one second of the present.
        interval_s: seconds from one row of the recording to the next, and the time that a value stands for.
        history: give the recording's past first; without it only the present.

    Example:
        file = "demo/data/wanliu.csv"
        pace = 360
    """

    file: Annotated[str, Meta(min_length=1)]
    pace: Annotated[float, Meta(gt=0, le=36_000)] = 360
    interval_s: Annotated[int, Meta(ge=1, le=86_400)] = 3600
    history: bool = True


class Row(NamedTuple):
    """One row: milliseconds since 1970 UTC, and what was measured then."""

    at_ms: int
    values: tuple[tuple[str, float], ...]


class Position(NamedTuple):
    """Where a replay stands.

    Attributes:
        anchor_ms: when the recording's last row falls.
        row: the next row of the past to give.
        tick: the last tick of the present that was given or passed.
    """

    anchor_ms: int
    row: int
    tick: int

    def __str__(self) -> str:
        return f"{self.anchor_ms}:{self.row}:{self.tick}"


def decode(text: str) -> list[Row]:
    """A recording's CSV text as its rows. Raises ValueError that names line and column."""
    lines = csv.reader(text.splitlines())
    header = next(lines, [])
    if header[:1] != ["time"] or len(header) < 2 or len(set(header)) != len(header):
        raise ValueError("line 1: the header is `time` and then quantities, each once")
    for name in header[1:]:
        try:
            known(name)
        except ValueError as error:
            raise ValueError(f"line 1: {error}") from None
    rows: list[Row] = []
    for number, cells in enumerate(lines, start=2):
        row = _row(number, header, cells)
        if rows and row.at_ms <= rows[-1].at_ms:
            raise ValueError(f"line {number}: {cells[0]} is not after the line before")
        rows.append(row)
    if not rows:
        raise ValueError("line 2: no rows")
    return rows


class Replay:
    """A Recorder over the rows of a file."""

    def __init__(self, config: Config, rows: Sequence[Row]) -> None:
        """Hold `rows`, at least one, in time order."""
        self._rows = rows
        self._times = [row.at_ms for row in rows]
        self._history = config.history
        self._interval_ms = config.interval_s * 1000
        self._tick_ms = max(1, round(self._interval_ms / config.pace))
        self._ticks_round = (rows[-1].at_ms - rows[0].at_ms) // self._interval_ms + 1
        self._began_ms: int | None = None

    def since(self, position: str | None, now_ms: int) -> Page:
        """The next page of the past; when there is none left, the ticks that have passed since the last call.

        Raises:
            SensorError: `position` is not one of a replay.
        """
        at = _position(position) if position is not None else Position(now_ms, 0, 0)
        self._began_ms = min(now_ms, self._began_ms if self._began_ms is not None else now_ms)
        if self._history and at.row < len(self._rows):
            return self._past(at)
        return self._present(at, max(self._began_ms, now_ms - LATE_MS), now_ms)

    def close(self) -> None:
        """Nothing to give back."""

    def _past(self, at: Position) -> Page:
        shift_ms = at.anchor_ms - self._times[-1]
        values: list[Recorded] = []
        row = at.row
        while row < len(self._rows) and len(values) < PAGE_VALUES:
            values += self._recorded(self._rows[row], self._times[row] + shift_ms, self._interval_ms)
            row += 1
        return Page(values, str(at._replace(row=row)), 0)

    def _present(self, at: Position, seen_ms: int, now_ms: int) -> Page:
        """Ticks fall on anchor + n x tick; those after `seen_ms` up to now are given, those before are passed over."""
        newest = (now_ms - at.anchor_ms) // self._tick_ms
        tick = max(min(at.tick, newest), (seen_ms - at.anchor_ms) // self._tick_ms)
        values: list[Recorded] = []
        while tick < newest and len(values) < PAGE_VALUES:
            tick += 1
            for row in self._at_tick(tick):
                values += self._recorded(row, at.anchor_ms + tick * self._tick_ms, self._tick_ms)
        due_ms = at.anchor_ms + (tick + 1) * self._tick_ms - now_ms
        return Page(values, str(at._replace(tick=tick)), max(0, due_ms) / 1000)

    def _at_tick(self, tick: int) -> Iterator[Row]:
        """The rows of the recorded interval that a tick stands for; none in a gap."""
        begin_ms = self._times[0] + (tick - 1) % self._ticks_round * self._interval_ms
        index = bisect_left(self._times, begin_ms)
        while index < len(self._rows) and self._times[index] < begin_ms + self._interval_ms:
            yield self._rows[index]
            index += 1

    @staticmethod
    def _recorded(row: Row, at_ms: int, interval_ms: int) -> list[Recorded]:
        return [Recorded(quantity, value, at_ms, interval_ms) for quantity, value in row.values]


def _position(text: str) -> Position:
    try:
        anchor, row, tick = map(int, text.split(":"))
    except ValueError:
        raise SensorError(
            f"the stored position {text[:40]!r} is none of a replay: give the sensor a new name in the "
            "site file to begin again"
        ) from None
    return Position(anchor, row, tick)


def _row(number: int, header: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(header):
        raise ValueError(f"line {number}: {len(cells)} cells where the header has {len(header)}")
    try:
        at = datetime.fromisoformat(cells[0])
    except ValueError:
        raise ValueError(f"line {number}, time: {cells[0][:40]!r} is no ISO 8601 time") from None
    if at.tzinfo is None:
        raise ValueError(f"line {number}, time: {cells[0]} has no offset from UTC, such as +07:00")
    named = zip(header[1:], cells[1:], strict=True)
    return Row(round(at.timestamp() * 1000), tuple((name, _number(number, name, cell)) for name, cell in named if cell))


def _number(line: int, name: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"line {line}, {name}: {cell[:40]!r} is no number; leave the cell of a missing value empty")
    return value


def _open(config: Config) -> Replay:
    try:
        rows = decode(Path(config.file).read_text(encoding="utf-8"))
    except OSError as error:
        raise SensorError(
            f"recording {config.file}: {error.strerror}; set `file` to a CSV file that can be read"
        ) from error
    except ValueError as error:
        raise SensorError(f"recording {config.file}: {error}") from error
    return Replay(config, rows)


def _simulated(config: Config, seed: int) -> Replay:
    """Two made-up days as CSV text, read by the same `decode`; `file` is not looked at."""
    courses = [Noise(quantity, seed) for quantity in TWIN_QUANTITIES]
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    lines = [",".join(("time", *TWIN_QUANTITIES))]
    for number in range(TWIN_ROWS):
        at = begin + timedelta(seconds=number * config.interval_s)
        lines.append(",".join((at.isoformat(), *(str(course.at(at.timestamp())) for course in courses))))
    return Replay(config, decode("\n".join(lines)))


DRIVER = Driver(
    summary="A recorded station, shifted to now and going on at a chosen pace",
    config=Config,
    open=_open,
    simulated=_simulated,
    measures=(),
    made_up=True,
)
