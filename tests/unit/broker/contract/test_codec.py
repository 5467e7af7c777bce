from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract import codec, senml
from broker.contract.codec import Identity
from broker.contract.errors import ContractError, Reason
from broker.contract.messages import Press, Record
from broker.contract.topics import HEARTBEAT, KINDS, PRESS, READINGS, RECEIPT, SENML, Kind, parse

V1 = Path(__file__).parents[3] / "data" / "contract" / "v1"
PRESS_1 = (V1 / "up-press.json").read_bytes()
SENML_1 = (V1 / "up-senml.json").read_bytes()
ENVELOPE = b'"v":1,"epoch":"0a1b2c3d4e5f","seq":7,"boot":"5f0c1d2e","clock":"synced"'

BROKEN = [
    pytest.param(PRESS, b"", Reason.BAD_ENVELOPE, id="empty"),
    pytest.param(PRESS, b"hello", Reason.BAD_ENVELOPE, id="text"),
    pytest.param(PRESS, b"\xff\xfe", Reason.BAD_ENVELOPE, id="not UTF-8"),
    pytest.param(PRESS, PRESS_1[:-1], Reason.BAD_ENVELOPE, id="cut off"),
    pytest.param(PRESS, PRESS_1 + b"x", Reason.BAD_ENVELOPE, id="trailing"),
    pytest.param(PRESS, b"[]", Reason.BAD_ENVELOPE, id="a list"),
    pytest.param(PRESS, b"[" * 60_000, Reason.BAD_ENVELOPE, id="deep"),
    pytest.param(PRESS, b"{}", Reason.BAD_ENVELOPE, id="no envelope"),
    pytest.param(PRESS, PRESS_1.replace(b'"seq":3', b'"seq":0'), Reason.BAD_ENVELOPE, id="number 0"),
    pytest.param(PRESS, PRESS_1.replace(b'"seq":3', b'"seq":9007199254740992'), Reason.BAD_ENVELOPE, id="number 2^53"),
    pytest.param(PRESS, PRESS_1.replace(b"0a1b2c3d4e5f", b"0A1B2C3D4E5F"), Reason.BAD_ENVELOPE, id="epoch in capitals"),
    pytest.param(PRESS, PRESS_1.replace(b'"synced"', b'"sure"'), Reason.BAD_BODY, id="unknown clock"),
    pytest.param(PRESS, PRESS_1.replace(b'"count":17', b'"count":-17'), Reason.BAD_BODY, id="negative count"),
    pytest.param(PRESS, PRESS_1.replace(b"1751500801.042", b"null"), Reason.BAD_BODY, id="no time, as NaN is encoded"),
    pytest.param(PRESS, PRESS_1.replace(b"take-ticket_1", b"a/../b"), Reason.BAD_BODY, id="path in a name"),
    pytest.param(PRESS, b"{" + ENVELOPE + b"}", Reason.BAD_BODY, id="envelope alone"),
    pytest.param(READINGS, b"{" + ENVELOPE + b',"e":[]}', Reason.BAD_BODY, id="no readings"),
    pytest.param(
        READINGS, b"{" + ENVELOPE + b',"e":[' + b",".join([b"{}"] * 1001) + b"]}", Reason.BAD_BODY, id="1,001 records"
    ),
    pytest.param(READINGS, b"{" + ENVELOPE + b',"e":[{"v":"1"}]}', Reason.BAD_BODY, id="number as text"),
    pytest.param(HEARTBEAT, b'{"v":1}', Reason.BAD_BODY, id="heartbeat without content"),
    pytest.param(HEARTBEAT, b"NaN", Reason.BAD_BODY, id="heartbeat that is no JSON"),
    pytest.param(SENML, b'{"n":"co2"}', Reason.BAD_BODY, id="SenML that is no pack"),
    pytest.param(SENML, SENML_1.replace(b"415.0", b"true"), Reason.BAD_BODY, id="SenML with a wrong type"),
    pytest.param(PRESS, PRESS_1.replace(b'"v":1', b'"v":2'), Reason.UNKNOWN_VERSION, id="version 2"),
    pytest.param(PRESS, b'{"v":2,"all":"else","is":[]}', Reason.UNKNOWN_VERSION, id="version 2 of another shape"),
    pytest.param(RECEIPT, b'{"v":0,"epoch":"0a1b2c3d4e5f","ranges":[]}', Reason.UNKNOWN_VERSION, id="version 0"),
    pytest.param(PRESS, PRESS_1 + b" " * codec.MAX_PAYLOAD, Reason.TOO_LARGE, id="padded"),
    pytest.param(SENML, bytes(10_000_000), Reason.TOO_LARGE, id="10 MB"),
]


@pytest.mark.parametrize(("of", "payload", "reason"), BROKEN)
def test_p4_a_payload_that_cannot_be_used_says_why_in_a_word_and_a_sentence(
    of: Kind, payload: bytes, reason: Reason
) -> None:
    with pytest.raises(ContractError) as caught:
        codec.decode(of, payload)
    assert caught.value.reason is reason, caught.value.detail
    assert caught.value.detail
    assert len(caught.value.detail) < 300
    assert not caught.value.retryable


def test_every_reason_is_one_that_something_gives() -> None:
    given_here = {case.values[2] for case in BROKEN}
    for text in ("elsewhere", "city/a/b/up/unknown"):
        with pytest.raises(ContractError) as caught:
            parse(text)
        given_here.add(caught.value.reason)
    records = [Record(n="happiness", v=1.0), Record(n="co2", u="Pa", v=1.0), Record(n="co2", vs="much")]
    given_here |= {one.reason for one in senml.resolve(records, 0) if isinstance(one, senml.Refusal)}
    by_ingest = {Reason.TIME_PAST, Reason.TIME_FUTURE}
    assert given_here | by_ingest == set(Reason)


def test_the_largest_payload_is_taken_and_a_byte_more_is_not() -> None:
    padded = PRESS_1.ljust(codec.MAX_PAYLOAD)
    assert codec.decode(PRESS, padded) == codec.decode(PRESS, PRESS_1)
    with pytest.raises(ContractError, match=f"{codec.MAX_PAYLOAD + 1} bytes where {codec.MAX_PAYLOAD}"):
        codec.decode(PRESS, padded + b" ")


def test_fields_of_a_later_revision_are_passed_over() -> None:
    assert codec.decode(PRESS, PRESS_1[:-1] + b',"later":{"a":[1,2]}}') == codec.decode(PRESS, PRESS_1)


@pytest.mark.parametrize(
    "payload",
    [
        PRESS_1,
        PRESS_1.replace(b'"button":"take-ticket_1"', b'"button":7'),
        b'{"epoch":"0a1b2c3d4e5f","seq":3}',
        b'{"v":99,"epoch":"0a1b2c3d4e5f","seq":3,"body":null}',
    ],
)
def test_p4_a_payload_that_cannot_be_used_is_still_receipted_when_its_identity_can_be_read(payload: bytes) -> None:
    assert codec.identity(payload) == Identity("0a1b2c3d4e5f", 3)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 60_000,
        b'{"epoch":"0a1b2c3d4e5f"}',
        b'{"epoch":"0a1b2c3d4e5f","seq":0}',
        PRESS_1.ljust(codec.MAX_PACKET + 1),
    ],
)
def test_without_a_readable_identity_there_is_none(payload: bytes) -> None:
    assert codec.identity(payload) is None


def test_a_caller_that_expects_another_type_than_the_table_names_is_at_fault() -> None:
    assert codec.decode_as(Press, PRESS, PRESS_1).button == "take-ticket_1"
    with pytest.raises(TypeError, match="press carries Press, not Record"):
        codec.decode_as(Record, PRESS, PRESS_1)


@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_p4_no_bytes_at_all_raise_anything_but_a_contract_error(key: tuple[str, str], payload: bytes) -> None:
    with contextlib.suppress(ContractError):
        codec.decode(KINDS[key], payload)
    assert codec.identity(payload) is None or isinstance(codec.identity(payload), Identity)


@given(st.data())
def test_p4_a_damaged_payload_raises_nothing_but_a_contract_error(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(V1.iterdir())))
    payload = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    direction, _, name = path.name.split(".")[0].partition("-")
    of = next(of for of in KINDS.values() if (of.direction, of.name) == (direction, name))
    with contextlib.suppress(ContractError):
        codec.encode(codec.decode(of, bytes(payload)))


def test_what_is_encoded_is_compact_json_in_utf_8() -> None:
    assert codec.encode(Record(n="à", v=1.0)) == '{"n":"à","v":1.0}'.encode()
    assert msgspec.json.decode(codec.encode((Record(n="a"), Record(n="b")))) == [{"n": "a"}, {"n": "b"}]
