"""Devices that only print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.line import LONGEST, LineReader, Value, decode


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("temperature 21.5 Cel", [Value("temperature", 21.5, "Cel")]),
        ("  pm2.5\t7 ug/m3\r", [Value("pm2.5", 7.0, "ug/m3")]),
        ("count -3", [Value("count", -3.0, "")]),
        ('{"t": 21.5, "door": true, "who": "x", "n": 3}', [Value("t", 21.5, ""), Value("n", 3.0, "")]),
        ("{}", []),
    ],
)
def test_a_line_gives_its_values(line: str, values: list[Value]) -> None:
    assert decode(line) == values


@pytest.mark.parametrize(
    "line", ["", "x", "a b c d", "1 2 3", "t nan C", "t inf", "t 1 " + "u" * 17, '{"t": NaN}', "{", "[1]", "t one C"]
)
def test_what_is_no_line_of_values_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(line)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_are_read_in_pieces_of_any_size_and_the_first_is_not_believed(size: int) -> None:
    stream = b"5 C\nt 21 C\nnoise \xff\n" + b"z" * 600 + b"\nh 40 %\n\nt 2"
    reader = LineReader()
    values = [value for at in range(0, len(stream), size) for value in reader.feed(stream[at : at + size])]

    assert values == [Value("t", 21.0, "C"), Value("h", 40.0, "%")]
    assert reader.bad == 3


@given(st.lists(st.binary(max_size=700), max_size=20))
def test_whatever_comes_nothing_is_raised_and_memory_is_bounded(pieces: list[bytes]) -> None:
    reader = LineReader()
    for piece in pieces:
        reader.feed(piece)
    assert len(reader._pending) <= LONGEST
