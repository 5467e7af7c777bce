from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract.errors import ContractError, Reason
from broker.contract.ids import NAME, BootId, Epoch, MessageId, SensorName, Seq, device_id, site_id

GOOD = ("a", "7", "rsud-kota", "a" * 48, "0-0", "a--b")
BAD = ("", "-a", "a-", "A", "a_b", "a b", "a/b", "a+b", "a#", "a.b", "a\n", "\na", "é", "a" * 49, "a\0", "..", "a:b")


@pytest.mark.parametrize("text", GOOD)
def test_a_name_is_taken_as_it_is(text: str) -> None:
    assert site_id(text) == text
    assert device_id(text) == text


@pytest.mark.parametrize("text", BAD)
def test_a_text_that_is_no_name_is_refused_with_what_a_name_is(text: str) -> None:
    for check in (site_id, device_id):
        with pytest.raises(ContractError, match="1 to 48 of a-z, 0-9 and inner hyphens") as caught:
            check(text)
        assert caught.value.reason is Reason.BAD_TOPIC
        assert not caught.value.retryable


def test_the_detail_never_repeats_an_endless_text() -> None:
    with pytest.raises(ContractError) as caught:
        device_id("x" * 100_000)
    assert len(caught.value.detail) < 200


@given(st.from_regex(re.compile(NAME), fullmatch=True))
def test_a_name_is_safe_in_topics_files_and_urls(name: str) -> None:
    assert device_id(name) == name
    assert re.fullmatch("[a-z0-9-]+", name)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (
            Epoch,
            ["0a1b2c3d4e5f"],
            ["0A1B2C3D4E5F", "0a1b2c3d4e5", "0a1b2c3d4e5f0", "0a1b2c3d4e5f\n", "0a1b2c3d4e5g", ""],
        ),
        (BootId, ["5f0c1d2e", "a" * 32], ["a" * 7, "a" * 33, "a" * 8 + "\n", "A" * 8]),
        (SensorName, ["main", "take-ticket_1", "a" * 48], ["", "_a", "a_", "a/b", "a\n", "a" * 49]),
        (Seq, [1, 2**53 - 1], [0, -1, 2**53, 1.5, "1", True]),
    ],
)
def test_the_fields_of_an_envelope_take_only_their_own_shape(
    kind: object, good: list[object], bad: list[object]
) -> None:
    for value in good:
        assert msgspec.convert(value, kind) == value
    for value in bad:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(value, kind)


def test_a_message_is_the_same_by_device_epoch_and_number() -> None:
    one = MessageId(device_id("a"), "0a1b2c3d4e5f", 1)
    assert one == MessageId(device_id("a"), "0a1b2c3d4e5f", 1)
    assert len({one, one._replace(device=device_id("b")), one._replace(epoch="0" * 12), one._replace(seq=2)}) == 4
