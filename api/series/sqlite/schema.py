"""The tables of a series file, and the SQL that more than one module says."""

from __future__ import annotations

import math
import sqlite3

from broker.contract.quantities import QUANTITIES
from broker.contract.series import Quality

APPLICATION_ID = 0x53504C53
VERSION = 1

_TALLY_COLUMNS = """
    good INTEGER NOT NULL, failed INTEGER NOT NULL, total REAL NOT NULL, low REAL, high REAL,
    known INTEGER NOT NULL, covered_ms INTEGER NOT NULL, sine REAL NOT NULL, cosine REAL NOT NULL
"""

TABLES = (
    """CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1), day_offset_ms INTEGER NOT NULL,
        raw_floor_ms INTEGER NOT NULL, hour_floor_ms INTEGER NOT NULL, drain_run INTEGER NOT NULL) STRICT""",
    """CREATE TABLE series (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        site TEXT NOT NULL, device TEXT NOT NULL, sensor TEXT NOT NULL, quantity TEXT NOT NULL,
        UNIQUE (site, device, sensor, quantity)) STRICT""",
    """CREATE TABLE latest (
        series INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, value REAL NOT NULL, quality INTEGER NOT NULL,
        interval_ms INTEGER NOT NULL, first_ms INTEGER) STRICT""",
    """CREATE TABLE log (
        run INTEGER NOT NULL, series INTEGER NOT NULL, at_ms INTEGER NOT NULL, value REAL NOT NULL,
        quality INTEGER NOT NULL, interval_ms INTEGER NOT NULL,
        PRIMARY KEY (run, series, at_ms)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE sample (
        series INTEGER NOT NULL, at_ms INTEGER NOT NULL, value REAL NOT NULL, quality INTEGER NOT NULL,
        interval_ms INTEGER NOT NULL, PRIMARY KEY (series, at_ms)) STRICT, WITHOUT ROWID""",
    f"""CREATE TABLE hour (
        series INTEGER NOT NULL, start_ms INTEGER NOT NULL, {_TALLY_COLUMNS},
        PRIMARY KEY (series, start_ms)) STRICT, WITHOUT ROWID""",
    f"""CREATE TABLE day (
        series INTEGER NOT NULL, start_ms INTEGER NOT NULL, {_TALLY_COLUMNS},
        PRIMARY KEY (series, start_ms)) STRICT, WITHOUT ROWID""",
)
"""
log: what write() appends, in runs 1, 2, 3, … that are each in the order of the key, so that appending touches the end
    of the tree only and one series is found by a seek a run. Of the same series and time the later run counts, and
    any run counts before `sample`.
sample: what has been moved out of the log.
hour, day: tallies of what is in `sample`. Nothing else: hours that have something in the log are added up when read.
latest: newest point of each series, and the time of the oldest sample (NULL when retention has left none).
state: samples before raw_floor_ms and hours before hour_floor_ms no longer exist for a reader; they are deleted when
    runs up to drain_run have been moved.
"""

_GOOD = f"FILTER (WHERE quality <> {int(Quality.FAIL)})"

_SUMS = f"""
    count(*) {_GOOD}, count(*) FILTER (WHERE quality = {int(Quality.FAIL)}), total(value) {_GOOD}, min(value) {_GOOD},
    max(value) {_GOOD}, count(*) FILTER (WHERE interval_ms > 0), coalesce(sum(interval_ms), 0)
"""

TALLY_OF_SAMPLES = {
    False: f"{_SUMS}, 0.0, 0.0",
    True: f"{_SUMS}, total(sin_deg(value)) {_GOOD}, total(cos_deg(value)) {_GOOD}",
}
"""Whether the quantity is circular -> the columns of a Tally, in its order, over rows of samples."""

TALLY = "good, failed, total, low, high, known, covered_ms, sine, cosine"

TALLY_OF_TALLIES = """
    sum(good), sum(failed), total(total), min(low), max(high), sum(known), sum(covered_ms), total(sine), total(cosine)
"""

RUNS = """
    run(n) AS (
        SELECT (SELECT min(run) FROM log)
        UNION ALL
        SELECT n + 1 FROM run WHERE n < (SELECT max(run) FROM log))
"""
"""The runs of the log, for WITH RECURSIVE; a run that is missing in between costs one seek."""

CIRCULAR = frozenset(name for name, quantity in QUANTITIES.items() if quantity.circular)


def begin_of(column: str, width: str, offset: str) -> str:
    """SQL for the beginning of the bucket that holds `column`, right on both sides of 1970."""
    return f"({column} - ((({column} + {offset}) % {width}) + {width}) % {width})"


def add_functions(connection: sqlite3.Connection) -> None:
    """Sine and cosine of degrees, which not every build of SQLite has."""
    connection.create_function("sin_deg", 1, lambda degrees: math.sin(math.radians(degrees)), deterministic=True)
    connection.create_function("cos_deg", 1, lambda degrees: math.cos(math.radians(degrees)), deterministic=True)


def create(connection: sqlite3.Connection, day_offset_ms: int) -> None:
    """All tables of an empty file, within the caller's transaction."""
    for table in TABLES:
        connection.execute(table)
    connection.execute("INSERT INTO state VALUES (1, ?, 0, 0, 0)", (day_offset_ms,))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
