"""python -m firmware_bridge, over a simulated panel on a pseudo-terminal."""

from __future__ import annotations

import os
import threading
import time
import tty
from pathlib import Path

import pytest

from firmware_bridge.__main__ import main
from firmware_bridge.device_sim import SimulatedPanel
from firmware_bridge.pty_panel import PtyPanel


def panel(**settings: tuple[int, int]) -> PtyPanel:
    return PtyPanel(SimulatedPanel(now_ns=time.monotonic_ns(), **settings))  # type: ignore[arg-type]


def test_monitor_shows_the_panel_and_its_presses_and_leaves_them_for_the_agent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = panel()
    there.press(3)
    assert main(["monitor", there.path, "--seconds", "1.5"]) == 0
    kept = there.kept
    there.close()
    said = capsys.readouterr().out

    assert "panel 51a0000000000001" in said
    assert "press button 3  seq 1  number 1" in said
    assert "good frames" in said
    assert kept == 1


def test_a_capture_is_replayed_frame_by_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there, file = panel(), tmp_path / "capture"
    there.press(3)
    assert main(["capture", there.path, str(file), "--accept", "--seconds", "1.5"]) == 0
    assert there.kept == 0
    there.close()
    capsys.readouterr()
    assert main(["replay", str(file), "--pace", "50"]) == 0
    said = capsys.readouterr().out

    assert "Hello version=1 oldest=1 panel=51a0000000000001" in said
    assert "Press seq=1 boot=1 button=3" in said
    assert "AckPress boot=1 seq=1" in said
    assert "panel: " in said


def test_monitor_says_what_a_refused_panel_needs(capsys: pytest.CaptureFixture[str]) -> None:
    there = panel(speaks=(2, 2))
    assert main(["monitor", there.path, "--seconds", "1.5"]) == 0
    there.close()

    assert "update this program" in capsys.readouterr().out


def test_monitor_reads_a_device_that_prints_lines(capsys: pytest.CaptureFixture[str]) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    talk = threading.Timer(0.3, os.write, (master, b"cut off\ntemperature 21.5 Cel\nnonsense\n"))
    talk.start()  # opening a port throws away what came before
    assert main(["monitor", os.ttyname(slave), "--lines", "--seconds", "1"]) == 0
    talk.join()
    os.close(slave)
    os.close(master)
    said = capsys.readouterr().out

    assert "temperature 21.5 Cel" in said
    assert "2 lines were not understood" in said


def test_simulate_is_a_port_that_monitor_can_be_pointed_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--seconds", "0.3", "--press-every", "0.02"]) == 0
    said = capsys.readouterr().out

    assert "a panel is at /dev/" in said
    assert "not acknowledged" in said


@pytest.mark.parametrize(
    ("command", "word"),
    [(["monitor", "/dev/nosuch"], "/dev/nosuch is missing: plug"), (["replay", "/nosuch"], "No such file")],
)
def test_what_cannot_be_used_is_said_in_a_line(
    command: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 1
    assert word in capsys.readouterr().out
