"""The vectors that firmware authors are given say what this code does, frame by frame."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_bridge.wire import cobs, crc, messages
from firmware_bridge.wire.receiver import Fault, Received, Receiver

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "wire" / "v1" / "vectors.json").read_text("utf-8"))
FRAMES = pytest.mark.parametrize("vector", VECTORS["frames"], ids=lambda vector: vector["meaning"])


def message_in(vector: dict) -> messages.Message:
    kind = getattr(messages, vector["message"])
    fields = {
        name: bytes.fromhex(value) if name == "panel" else tuple(value) if isinstance(value, list) else value
        for name, value in vector["fields"].items()
    }
    return kind(**fields)


@FRAMES
def test_a_message_is_written_as_the_vector_says(vector: dict) -> None:
    message = message_in(vector)

    assert message.to_bytes().hex() == vector["payload"]
    assert messages.frame_of(message, seq=vector["seq"], address=vector["address"]).hex() == vector["frame"]


@FRAMES
def test_a_vectors_frame_is_read_as_its_message(vector: dict) -> None:
    found = Receiver(vector["address"]).feed(bytes.fromhex(vector["frame"]))

    assert found == [Received(message_in(vector), vector["seq"])]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["meaning"])
def test_a_bad_vector_is_discarded_for_the_reason_it_says(vector: dict) -> None:
    found = Receiver().feed(bytes.fromhex(vector["bytes"]))

    assert [fault.why for fault in found if isinstance(fault, Fault)] == [vector["why"]]
    assert len(found) == 1


def test_crc_and_stuffing_are_as_the_vectors_say() -> None:
    for vector in VECTORS["crc"]:
        assert crc.crc16(bytes.fromhex(vector["data"])) == vector["crc"]
    for vector in VECTORS["cobs"]:
        assert cobs.encode(bytes.fromhex(vector["data"])).hex() == vector["coded"]
        assert cobs.decode(bytes.fromhex(vector["coded"])).hex() == vector["data"]


def test_every_kind_of_message_has_a_vector() -> None:
    assert {vector["message"] for vector in VECTORS["frames"]} == {kind.__name__ for kind in messages.KINDS.values()}


def test_the_longest_frame_fits_what_the_page_says() -> None:
    assert max(len(vector["frame"]) // 2 for vector in VECTORS["frames"]) <= 72
