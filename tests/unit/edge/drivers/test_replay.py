"""P5: a replay gives what was measured, when it says, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.drivers.replay import DRIVER, LATE_MS, PAGE_VALUES, Config, Replay, Row, decode
from edge.ports import Page, Recorded, SensorError

HOUR_MS = 3_600_000
NOW_MS = 1_800_000_000_000
TICK_MS = 10_000

TEXT = """time,pm2_5,temperature
2016-12-01T00:00+08:00,4,5.4
2016-12-01T01:00+08:00,,6
2016-12-01T03:00+08:00,9,
"""
"""Three rows of four hours: a missing value, a missing row, a missing value."""

FIRST_MS = 1_480_521_600_000
"""2016-11-30T16:00Z."""


def replay(rows: list[Row] | None = None, **config: object) -> Replay:
    return Replay(Config(file="x", **config), rows or decode(TEXT))  # type: ignore[arg-type]


def drain(recorder: Replay, position: str | None, now_ms: int) -> tuple[list[Recorded], Page]:
    """All pages that are there at once, and the last page."""
    values: list[Recorded] = []
    while True:
        page = recorder.since(position, now_ms)
        values += page.values
        if page.again_s:
            return values, page
        position = page.position


def test_decode_reads_times_with_their_offset_and_leaves_out_what_is_missing() -> None:
    assert decode(TEXT) == [
        Row(FIRST_MS, (("pm2_5", 4.0), ("temperature", 5.4))),
        Row(FIRST_MS + HOUR_MS, (("temperature", 6.0),)),
        Row(FIRST_MS + 3 * HOUR_MS, (("pm2_5", 9.0),)),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: the header"),
        ("pm2_5\n1\n", "line 1: the header"),
        ("time\n2016-12-01T00:00Z\n", "line 1: the header"),
        ("time,pm2_5,pm2_5\n", "line 1: the header"),
        ("time,PM2.5\n2016-12-01T00:00Z,1\n", "line 1: 'PM2.5' is no quantity"),
        ("time,pm2_5\n", "line 2: no rows"),
        ("time,pm2_5\n2016-12-01T00:00Z\n", "line 2: 1 cells where the header has 2"),
        ("time,pm2_5\nyesterday,1\n", "line 2, time: 'yesterday' is no ISO 8601 time"),
        ("time,pm2_5\n2016-12-01T00:00,1\n", "line 2, time: 2016-12-01T00:00 has no offset"),
        ("time,pm2_5\n2016-12-01T00:00Z,NA\n", "line 2, pm2_5: 'NA' is no number"),
        ("time,pm2_5\n2016-12-01T00:00Z,nan\n", "line 2, pm2_5: 'nan' is no number"),
        ("time,pm2_5\n2016-12-01T00:00Z,1\n2016-12-01T00:00Z,1\n", "line 3: 2016-12-01T00:00Z is not after"),
    ],
)
def test_decode_names_line_and_column_of_what_it_cannot_read(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        decode(text)


def test_at_the_first_start_the_last_row_falls_on_now_and_gaps_stay_gaps() -> None:
    values, _ = drain(replay(), None, NOW_MS)

    assert values == [
        Recorded("pm2_5", 4.0, NOW_MS - 3 * HOUR_MS, HOUR_MS),
        Recorded("temperature", 5.4, NOW_MS - 3 * HOUR_MS, HOUR_MS),
        Recorded("temperature", 6.0, NOW_MS - 2 * HOUR_MS, HOUR_MS),
        Recorded("pm2_5", 9.0, NOW_MS, HOUR_MS),
    ]


def test_the_past_comes_in_pages_of_a_few_hundred_values_as_fast_as_they_are_asked_for() -> None:
    rows = [Row(FIRST_MS + hour * HOUR_MS, (("pm2_5", float(hour)), ("pm10", 1.0))) for hour in range(1000)]
    recorder, position, pages = replay(rows), None, []
    while not pages or not pages[-1].again_s:
        pages.append(recorder.since(position, NOW_MS))
        position = pages[-1].position

    assert max(len(page.values) for page in pages) == PAGE_VALUES
    assert len([value for page in pages for value in page.values]) == 2000


def test_p1_p2_a_restart_at_any_page_repeats_nothing_and_skips_nothing() -> None:
    rows = [Row(FIRST_MS + hour * HOUR_MS, (("pm2_5", float(hour)),)) for hour in range(1000)]
    position, values = None, []
    for restart in range(100):
        page = replay(rows).since(position, NOW_MS + restart)
        values += page.values
        position = page.position

    assert [value.value for value in values] == [float(hour) for hour in range(1000)]
    assert [value.at_ms for value in values] == [NOW_MS - (999 - hour) * HOUR_MS for hour in range(1000)]


def test_the_present_is_the_recording_from_its_beginning_one_row_a_tick_stamped_with_the_tick() -> None:
    recorder = replay(pace=360)
    _, page = drain(recorder, None, NOW_MS)

    given = []
    for tick in range(1, 6):
        assert page.again_s == TICK_MS / 1000
        page = recorder.since(page.position, NOW_MS + tick * TICK_MS)
        given.append(list(page.values))

    assert given == [
        [Recorded("pm2_5", 4.0, NOW_MS + TICK_MS, TICK_MS), Recorded("temperature", 5.4, NOW_MS + TICK_MS, TICK_MS)],
        [Recorded("temperature", 6.0, NOW_MS + 2 * TICK_MS, TICK_MS)],
        [],
        [Recorded("pm2_5", 9.0, NOW_MS + 4 * TICK_MS, TICK_MS)],
        [
            Recorded("pm2_5", 4.0, NOW_MS + 5 * TICK_MS, TICK_MS),
            Recorded("temperature", 5.4, NOW_MS + 5 * TICK_MS, TICK_MS),
        ],
    ]


def test_asking_early_gives_nothing_and_asking_late_gives_each_tick_at_its_own_time() -> None:
    recorder = replay()
    _, page = drain(recorder, None, NOW_MS)

    early = recorder.since(page.position, NOW_MS + TICK_MS - 1)
    late = recorder.since(early.position, NOW_MS + 2 * TICK_MS + 300)

    assert (list(early.values), early.again_s) == ([], 0.001)
    assert [value.at_ms for value in late.values] == [NOW_MS + TICK_MS, NOW_MS + TICK_MS, NOW_MS + 2 * TICK_MS]
    assert late.again_s == 9.7


def test_a_page_that_could_not_be_stored_is_given_again() -> None:
    recorder = replay()
    _, page = drain(recorder, None, NOW_MS)

    once = recorder.since(page.position, NOW_MS + TICK_MS)
    again = recorder.since(page.position, NOW_MS + TICK_MS + 500)

    assert list(again.values) == list(once.values) != []


def test_p5_ticks_that_passed_while_the_agent_was_down_are_skipped_not_invented() -> None:
    _, page = drain(replay(), None, NOW_MS)
    down_ms = NOW_MS + 3 * TICK_MS + 2000

    restarted = replay()
    first = restarted.since(page.position, down_ms)
    second = restarted.since(first.position, NOW_MS + 4 * TICK_MS)

    assert (list(first.values), first.again_s) == ([], 8.0)
    assert [value.at_ms for value in second.values] == [NOW_MS + 4 * TICK_MS]


def test_p5_ticks_that_passed_while_the_machine_slept_are_skipped() -> None:
    recorder = replay()
    _, page = drain(recorder, None, NOW_MS)

    page = recorder.since(page.position, NOW_MS + 1000 * TICK_MS)

    assert {value.at_ms for value in page.values} <= set(
        range(NOW_MS + 1000 * TICK_MS - LATE_MS, NOW_MS + 1000 * TICK_MS + 1)
    )


def test_a_clock_that_steps_back_does_not_stop_the_replay() -> None:
    recorder = replay()
    _, page = drain(recorder, None, NOW_MS)
    page = recorder.since(page.position, NOW_MS + 500 * TICK_MS)

    back_ms = NOW_MS - 1000 * TICK_MS
    page = recorder.since(page.position, back_ms)
    assert (list(page.values), page.again_s) == ([], 10.0)

    page = recorder.since(page.position, back_ms + TICK_MS)
    assert {value.at_ms for value in page.values} == {back_ms + TICK_MS}


def test_without_history_only_the_present_is_given() -> None:
    recorder = replay(history=False)
    values, page = drain(recorder, None, NOW_MS)

    assert values == []
    assert {value.at_ms for value in recorder.since(page.position, NOW_MS + TICK_MS).values} == {NOW_MS + TICK_MS}


def test_a_position_of_something_else_is_refused_with_a_remedy() -> None:
    with pytest.raises(SensorError, match="give the sensor a new name"):
        replay().since("page 7", NOW_MS)


def test_a_recording_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text("time,pm2_5\n2016-12-01T00:00Z,many\n")

    with pytest.raises(SensorError, match="No such file or directory; set `file`"):
        DRIVER.open(Config(file=str(tmp_path / "missing.csv")))
    with pytest.raises(SensorError, match=r"broken\.csv: line 2, pm2_5: 'many' is no number"):
        DRIVER.open(Config(file=str(broken)))


def test_a_file_is_replayed(tmp_path: Path) -> None:
    file = tmp_path / "station.csv"
    file.write_text(TEXT)

    assert len(drain(DRIVER.open(Config(file=str(file))), None, NOW_MS)[0]) == 4  # type: ignore[arg-type]
