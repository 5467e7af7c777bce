"""Captures, diagnoses and the words of port errors."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from firmware_bridge.capture import Piece, Tap, diagnose, load
from firmware_bridge.serial_transport import SerialTransport, why
from firmware_bridge.transport import TransportError, pair


def test_what_passes_a_tap_is_read_back_from_its_file(tmp_path: Path) -> None:
    here, there = pair()
    file = io.StringIO()
    tap = Tap(here, file)
    tap.write(b"\x00\x01")
    there.write(b"abc")
    assert tap.read(0) == b"abc"
    path = tmp_path / "capture"
    path.write_text(file.getvalue())

    assert [(piece.panel, piece.data) for piece in load(path)] == [(False, b"\x00\x01"), (True, b"abc")]
    assert tap.heard == b"abc"


@pytest.mark.parametrize("line", ["nonsense", '{"t": 1}', '{"t": 1, "from": "panel", "hex": "x"}', "3"])
def test_a_file_that_is_no_capture_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "capture"
    path.write_text('{"t": 0, "from": "host", "hex": ""}\n' + line + "\n")
    pieces = load(path)
    assert next(pieces) == Piece(0.0, False, b"")

    with pytest.raises(ValueError, match="line 2: is no piece of a capture"):
        next(pieces)


@pytest.mark.parametrize(
    ("heard", "good", "word"),
    [(b"", 0, "power"), (b"OK\r\nRING\r\n", 0, "modem"), (bytes(range(128, 256)), 0, "--baudrate"), (b"xx", 1, "")],
)
def test_a_line_without_good_frames_is_diagnosed(heard: bytes, good: int, word: str) -> None:
    said = diagnose(heard, good)

    assert word in said
    assert bool(said) == (good == 0)


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.ENOENT, "is missing: plug"),
        (errno.EACCES, "add this user to the group dialout"),
        (errno.EAGAIN, "is used by"),
        (errno.EBUSY, "stop that"),
        (errno.ENOTTY, "is no serial port"),
        (errno.EIO, "cannot be opened"),
    ],
)
def test_a_port_that_cannot_be_opened_says_what_to_do(number: int, word: str) -> None:
    assert word in why("/dev/ttyNOSUCH", OSError(number, "said so"))


def test_a_file_that_is_no_port_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(TransportError, match="is no serial port: check the path"):
        SerialTransport(str(tmp_path / "file"))
