"""The firmware's parts without hardware, built with the host's gcc and its sanitizers, on the shared vectors."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_bridge.wire.frame import MAX_CODED, BadFrame, Frame
from firmware_bridge.wire.messages import DOWN, Press, Probe, SetOutputs, Show, Welcome, frame_of
from tests.emulator.emulated import FIRMWARE, ROOT

VECTORS = json.loads((ROOT / "tests" / "data" / "wire" / "v1" / "vectors.json").read_text("utf-8"))
Ask = Callable[..., list[str]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Commands of host_test.c to their answers."""
    if not (shutil.which("gcc") and shutil.which("make")):
        why = "the firmware's parts need: apt install gcc make libc6-dev"
        if os.environ.get("CI"):
            pytest.fail(f"{why}, and in CI no test is skipped")
        pytest.skip(why)
    out: Path = tmp_path_factory.mktemp("parts")
    made = subprocess.run(
        ["make", "-C", FIRMWARE, "host-test", f"BUILD={out}", "CC=gcc"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert made.returncode == 0, made.stderr

    def run(*commands: str) -> list[str]:
        done = subprocess.run(
            [out / "host_test"],
            input="\n".join(commands) + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [answer.strip() for answer in done.stdout.splitlines()]

    return run


def test_crc_is_that_of_the_vectors(ask: Ask) -> None:
    answers = ask(*(f"crc {vector['data']}" for vector in VECTORS["crc"]))
    assert [int(answer, 16) for answer in answers] == [vector["crc"] for vector in VECTORS["crc"]]


def test_stuffing_and_its_undoing_are_those_of_the_vectors(ask: Ask) -> None:
    assert ask(*(f"stuff {vector['data']}" for vector in VECTORS["cobs"])) == [v["coded"] for v in VECTORS["cobs"]]
    assert ask(*(f"unstuff {vector['coded']}" for vector in VECTORS["cobs"])) == [v["data"] for v in VECTORS["cobs"]]


def test_every_frame_of_the_vectors_is_written_and_read(ask: Ask) -> None:
    kinds = {message.__name__: message.KIND for message in DOWN}
    for vector in VECTORS["frames"]:
        frame = Frame.from_bytes(bytes.fromhex(vector["frame"])[:-1])
        head = f"{frame.address} {frame.kind} {frame.seq} {frame.payload.hex()}"
        written, read = ask(f"frame {head}", f"receive {vector['frame']}")
        assert written == vector["frame"], vector["meaning"]
        assert read == f"{head} {int(vector['message'] in kinds)};", vector["meaning"]


def test_no_bad_vector_is_taken_and_the_good_frame_behind_it_is(ask: Ask) -> None:
    good = frame_of(Probe(9)).hex()
    for vector in VECTORS["bad"]:
        frames = ask(f"receive 00{vector['bytes']}00{good}")[0].split(";")
        sound = [frame for frame in frames if frame.endswith(" 1")]
        assert sound == ["0 69 0 0900 1"], vector["meaning"]


def test_a_frame_is_found_whole_and_byte_by_byte(ask: Ask) -> None:
    line = frame_of(Welcome(1, 5, 7)).hex()
    pieces = [line[i : i + 2] for i in range(0, len(line), 2)]
    assert ask(*(f"receive {piece}" for piece in pieces)) == [""] * (len(pieces) - 1) + ["0 66 0 01050700 1;"]


def test_a_million_damaged_bytes_give_the_same_frames_as_the_hosts_receiver(ask: Ask) -> None:
    rng = random.Random(5)
    frames = [
        frame_of(Press(1, 3, 1000, 5, 9), seq=4),
        frame_of(SetOutputs(15), seq=1),
        frame_of(Show(0, "A017"), seq=2),
        frame_of(Probe(0)),
    ]
    lines = [_damaged(rng, frames) for _ in range(700)]
    assert sum(map(len, lines)) > 1_000_000
    expected = [_good_frames(line) for line in lines]
    answers = ask(*(command for line in lines for command in (f"receive {line.hex()}00", "reset")))[::2]
    heads = [[frame.rsplit(" ", 1)[0] for frame in answer.split(";") if frame] for answer in answers]
    assert heads == expected
    assert sum(map(len, expected)) > 1000


def _damaged(rng: random.Random, frames: list[bytes]) -> bytes:
    """Good frames, frames with a few bits flipped or bytes dropped, and noise."""
    line = bytearray()
    while len(line) < 1500:
        frame = bytearray(rng.choice(frames))
        match rng.randrange(4):
            case 0:
                frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
            case 1:
                del frame[rng.randrange(len(frame))]
            case 2:
                frame = bytearray(rng.randbytes(rng.randrange(90)))
        line += frame
    return bytes(line)


def _good_frames(line: bytes) -> list[str]:
    found = []
    for piece in line.split(b"\0"):
        if 0 < len(piece) <= MAX_CODED:
            try:
                frame = Frame.from_bytes(piece)
            except BadFrame:
                continue
            found.append(f"{frame.address} {frame.kind} {frame.seq} {frame.payload.hex()}")
    return found


@pytest.mark.parametrize(
    ("samples", "presses"),
    [
        ("0" * 9 + "1" * 30 + "0" * 30, "16:9:1"),
        ("0" * 8 + "10110" + "1" * 30 + "0110100" + "0" * 30, "19:8:5"),
        ("1" * 7 + "0" * 20 + "1" * 7 + "0" * 20, ""),
        ("1" * 20 + "0" * 7 + "1" * 20 + "0" * 20, "7:0:1"),
        ("1" * 20 + "0" * 20 + "1" * 20, "7:0:1 47:40:2"),
        ("1" * 20 + "0" * 9 + "1" * 20, "7:0:1 36:29:2"),
    ],
    ids=["clean", "bouncing", "too short", "a gap in a long press", "two presses", "two in haste"],
)
def test_a_contact_is_integrated_into_presses(ask: Ask, samples: str, presses: str) -> None:
    assert ask(f"bounce 8 {samples}") == [presses]


def test_an_acknowledgement_forgets_up_to_its_number_and_a_strange_one_nothing(ask: Ask) -> None:
    assert ask("ring +++-2", "ring +++-4", "ring +++-0", "ring ++-2+-2") == [
        "3 1 0 1003", "1 3 0 1003", "1 3 0 1003", "3 1 0 1003",
    ]  # fmt: skip


def test_a_full_ring_counts_what_is_lost_and_keeps_the_oldest(ask: Ask) -> None:
    assert ask("ring " + "+" * 70, "ring " + "+" * 70 + "-10" + "+") == ["1 64 6 1070", "11 55 6 1071"]


def test_numbers_of_presses_wrap_round(ask: Ask) -> None:
    script = "".join(f"+-{(n + 1) & 0xFFFF}" for n in range(65540))
    assert ask(f"ring {script}") == ["5 0 0 66540"]


def test_counters_survive_a_torn_write_and_go_round_the_ring(ask: Ask) -> None:
    assert ask("slots 0", "slots 1", "slots 2", "slots 250", "slots 65000") == [
        "0 0 0 0", "1 3 0 0", "2 6 1 3", "250 750 249 747", "65000 195000 64999 194997",
    ]  # fmt: skip
