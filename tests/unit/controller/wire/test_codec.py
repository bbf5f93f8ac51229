from __future__ import annotations

import functools
import struct
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import IntEnum
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid.identity import BootId, Limit, NodeId, Pair, RackId, Round, Stamp, Term
from rackgrid.wire.codec import KINDS, compile_record, decode, encode
from rackgrid.wire.message import (
    ALLOTMENTS_MAX,
    DATAGRAM_MAX,
    NODE_NAME_MAX,
    Ack,
    Allotment,
    Answer,
    Beacon,
    ClaimReport,
    Coordinator,
    Heartbeat,
    Join,
    JoinReply,
    Leave,
    LoadStatus,
    Message,
    OfferReport,
    PledgeLine,
    Price,
    Report,
    Resign,
    RosterLine,
    RosterUpdate,
    StepReport,
)
from rackgrid.wire.seal import PAYLOAD_MAX
from rackgrid.wire.vocabulary import LoadKind, Rejection, RejectReason, Role, Stance, Why

_BOUNDS = {
    "u8": (0, 2**8 - 1),
    "u16": (0, 2**16 - 1),
    "u32": (0, 2**32 - 1),
    "u64": (0, 2**64 - 1),
    "i64": (-(2**63), 2**63 - 1),
}

_BYTES = {"b32": 32, "b64": 64}

PAIR = Pair(Term(7), NodeId(0x1122334455667788), BootId(2**64 - 1))
REPORT = Report(
    bid_seq=9,
    steps=(StepReport(-1, 5000, 6000, True), StepReport(300_000, 1, 1, False)),
    received_mj=2**40,
    holding_mw=5000,
    holding_ms=1200,
    round_taken=Round(3),
    draw_mw=7000,
    required_mw=2000,
    excess_mw=250,
    capacity_mw=60_000,
    limit=Limit(3, 55_000),
    offers=(OfferReport("grid", -250_000, 60_000),),
)
STAMP = Stamp(PAIR, 2)
ACK = Ack(pair=PAIR, seq=12, votes=True, left=PAIR, roster=STAMP, report=REPORT)
RESIGN = Resign(PAIR, True, (ClaimReport(NodeId(1), BootId(2), 6000, 1200, 500, 900),))
ROSTER = RosterUpdate(
    pair=PAIR,
    rack=RackId(2**64 - 1),
    version=3,
    agreed_version=2,
    founding=False,
    founded=BootId(77),
    lines=(RosterLine(NodeId(1), "anna", 5, 5000, 8000, 2, meters_feed=True),),
    pledges=(PledgeLine(NodeId(1), BootId(3), 6000, 15_000),),
    limit=Limit(3, 55_000),
)
PRICE = Price(
    pair=PAIR,
    round=Round(3),
    price_uc=-5,
    valid_for_ms=2000,
    capacity_mw=60_000,
    floors_mw=20_000,
    granted_mw=15_000,
    drawn_mw=30_000,
    scarce=True,
    allotments=tuple(Allotment(NodeId(n), BootId(n), 9, 5000, 3) for n in range(1, 6)),
)


def values(hint: object) -> st.SearchStrategy[object]:
    """Everything that a field's annotation allows, made from the annotation alone."""
    if hint is bool:
        return st.booleans()
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return st.sampled_from(list(hint))
    if isinstance(hint, type):
        return records(hint)
    assert get_origin(hint) is Annotated
    shape, limit = get_args(hint)
    if shape is str:
        return st.text("a é€\0😀", max_size=limit // 4)
    if get_origin(shape) is tuple:
        return st.lists(values(get_args(shape)[0]), max_size=min(limit, 3)).map(tuple)
    if shape is bytes:
        return st.binary(min_size=_BYTES[limit], max_size=_BYTES[limit])
    return st.integers(*_BOUNDS[limit])


def _step(worth_uc: int, power: list[int], running: bool) -> StepReport:
    return StepReport(worth_uc, power[0], power[1], running)


@functools.cache
def records(kind: type) -> st.SearchStrategy[object]:
    hints = get_type_hints(kind, include_extras=True)
    if kind is StepReport:  # the one that refuses what its encoding allows
        power = st.tuples(st.integers(*_BOUNDS["u32"]), st.integers(*_BOUNDS["u32"])).map(sorted)
        worth, running = st.integers(*_BOUNDS["i64"]), st.booleans()
        return st.builds(_step, worth, power, running)
    return st.builds(kind, **{f.name: values(hints[f.name]) for f in fields(kind)})


messages = st.one_of([records(kind) for kind in KINDS.values()])


def rejection(payload: bytes) -> Rejection:
    found = decode(payload)
    assert isinstance(found, Rejection), found
    return found


@settings(max_examples=120)
@given(messages)
def test_codec_any_message_round_trips(message: Message) -> None:
    assert decode(encode(message)) == message


@settings(max_examples=120)
@given(messages, st.data())
def test_codec_mangled_payload_is_canonical_or_rejected(
    message: Message, data: st.DataObject
) -> None:
    payload = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    found = decode(bytes(payload))
    assert isinstance(found, Rejection) or encode(found) == bytes(payload)


@settings(max_examples=300)
@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=200))
def test_codec_any_bytes_are_canonical_or_rejected(kind: int, body: bytes) -> None:
    payload = bytes((kind,)) + body
    found = decode(payload)
    assert isinstance(found, Rejection) or encode(found) == payload


@settings(max_examples=40)
@given(messages, st.data())
def test_decode_payload_cut_short_is_malformed(message: Message, data: st.DataObject) -> None:
    payload = encode(message)
    cut = data.draw(st.integers(1, len(payload) - 1))
    assert rejection(payload[:cut]).reason is RejectReason.MALFORMED


@settings(max_examples=40)
@given(messages, st.binary(min_size=1, max_size=4))
def test_decode_payload_with_a_tail_is_malformed(message: Message, tail: bytes) -> None:
    found = rejection(encode(message) + tail)
    assert found.reason is RejectReason.MALFORMED
    assert found.detail.endswith(f"{len(tail)} bytes too many")


@settings(max_examples=40)
@given(st.lists(messages, min_size=2, max_size=2, unique=True))
def test_encode_different_messages_differ(pair: list[Message]) -> None:
    assert encode(pair[0]) != encode(pair[1])


def test_kinds_every_message_has_one_number() -> None:
    assert set(KINDS.values()) == set(get_args(Message))
    assert len(set(KINDS.values())) == len(KINDS)


def test_kinds_numbers_stay_as_they_were_given() -> None:
    """A rack is upgraded node by node: a number that moves splits it."""
    assert [KINDS[n].__name__ for n in sorted(KINDS)] == [
        "Beacon",
        "Join",
        "JoinReply",
        "RosterUpdate",
        "Heartbeat",
        "Ack",
        "Price",
        "Remove",
        "Leave",
        "Election",
        "Answer",
        "Coordinator",
        "Resign",
        "Superseded",
        "Forget",
        "Pledge",
    ]


def test_encode_heartbeat_has_the_documented_bytes() -> None:
    heartbeat = Heartbeat(PAIR, 1, RackId(5), True, 2, 4, Round(3))
    assert encode(heartbeat).hex() == (
        "05" "00000007" "1122334455667788" "ffffffffffffffff" "00000001"
        "0000000000000005" "01" "00000002" "00000004" "00000003"
    )  # fmt: skip


def test_encode_text_list_enum_and_bool_have_the_documented_bytes() -> None:
    status = LoadStatus("é", LoadKind.FLEXIBLE, 100, 1, -1, 2, Why.MIN_ON)
    beacon = Beacon("pi", 258, Role.BROKER, PAIR, RackId(5), STAMP, 2, 3, 4, (status,))
    assert encode(beacon).hex() == (
        "01" "027069" "0102" "03" "00000007" "1122334455667788" "ffffffffffffffff"
        "0000000000000005" "00000007" "1122334455667788" "ffffffffffffffff" "00000002"
        "00000002" "00000003" "0004"
        "01" "02c3a9" "01" "64" "00000001" "ffffffffffffffff" "00000002" "06"
    )  # fmt: skip


@pytest.mark.parametrize("message", [ACK, PRICE, Leave(5), RESIGN, ROSTER, Coordinator(PAIR, 9)])
def test_codec_typical_message_round_trips_with_its_types(message: Message) -> None:
    found = decode(encode(message))
    assert found == message
    assert repr(found) == repr(message), "a bool came back as a number, or an enum as an int"


def test_decode_empty_payload_is_malformed() -> None:
    assert rejection(b"").reason is RejectReason.MALFORMED


@pytest.mark.parametrize("kind", [0, 17, 255])
def test_decode_unknown_kind_is_told_apart(kind: int) -> None:
    assert rejection(bytes((kind, 1, 2))) == Rejection(RejectReason.UNKNOWN_KIND, f"kind {kind}")


def test_decode_bool_of_two_is_malformed() -> None:
    payload = bytearray(encode(JoinReply(1, PAIR, True, "")))
    payload[1 + 8 + 20] = 2
    assert rejection(bytes(payload)) == Rejection(
        RejectReason.MALFORMED, "JoinReply: admitted is 2"
    )


def test_decode_bool_of_two_inside_a_list_is_malformed() -> None:
    payload = bytearray(encode(ACK))
    start = 1 + 20 + 4 + 1 + 20 + 24 + 4 + 1
    payload[start + 16] = 2
    assert rejection(bytes(payload)).detail == "Ack: running is 2"


def test_decode_unknown_enum_value_is_malformed() -> None:
    payload = bytearray(encode(Answer(1, Stance.BOUND, 1, PAIR, REPORT)))
    payload[1 + 8] = len(Stance)
    assert rejection(bytes(payload)).detail == "Answer: stance is 4"


def test_decode_count_above_the_limit_is_malformed() -> None:
    payload = bytearray(encode(replace(PRICE, allotments=())))
    payload[-1] = ALLOTMENTS_MAX + 1
    payload += bytes(28 * (ALLOTMENTS_MAX + 1))
    assert rejection(bytes(payload)).detail == "Price: allotments has 41 entries, at most 40"


def test_decode_text_above_its_limit_is_malformed() -> None:
    payload = bytearray(encode(Join(1, "", 1, 1, False, 1, PAIR, RackId(1), 1)))
    payload[9:10] = bytes((NODE_NAME_MAX + 1,)) + b"x" * (NODE_NAME_MAX + 1)
    assert rejection(bytes(payload)).detail == "Join: name has 25 bytes, at most 24"


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80"])
def test_decode_text_that_is_no_utf8_is_malformed(text: bytes) -> None:
    """Among them the overlong and the surrogate, which would give one text two encodings."""
    payload = bytearray(encode(Join(1, "", 1, 1, False, 1, PAIR, RackId(1), 1)))
    payload[9:10] = bytes((len(text),)) + text
    found = rejection(bytes(payload))
    assert found.reason is RejectReason.MALFORMED
    assert "utf-8" in found.detail


def test_encode_text_above_its_limit_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="25 bytes"):
        encode(Join(1, "é" * 12 + "x", 1, 1, False, 1, PAIR, RackId(1), 1))


def test_encode_list_above_its_limit_is_our_bug() -> None:
    rows = PRICE.allotments * 9
    with pytest.raises(AssertionError, match="45 entries"):
        encode(replace(PRICE, allotments=rows))


def test_decode_value_that_the_dataclass_refuses_is_malformed() -> None:
    step, greedy = struct.pack(">qII", -1, 5000, 6000), struct.pack(">qII", -1, 6001, 6000)
    assert encode(ACK).count(step) == 1
    found = rejection(encode(ACK).replace(step, greedy))
    assert found == Rejection(RejectReason.MALFORMED, "Ack: a step reserves at least what it takes")


def test_compile_record_annotation_that_names_no_encoding_is_our_bug() -> None:
    @dataclass(frozen=True)
    class Loose:
        number: Annotated[float, "f64"]

    with pytest.raises(AssertionError):
        compile_record(Loose)


def largest(hint: object) -> object:
    """The value of a field that takes the most bytes."""
    if hint is bool:
        return True
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return max(hint)
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return fullest(hint)
    shape, limit = get_args(hint)
    if shape is str:
        return "x" * limit
    if get_origin(shape) is tuple:
        return (largest(get_args(shape)[0]),) * limit
    if shape is bytes:
        return b"\xff" * _BYTES[limit]
    return _BOUNDS[limit][1]


def fullest(kind: type) -> object:
    hints = get_type_hints(kind, include_extras=True)
    return kind(*(largest(hints[f.name]) for f in fields(kind)))


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.__name__)
def test_message_at_all_its_limits_fits_one_datagram(kind: type[Message]) -> None:
    message = fullest(kind)
    assert isinstance(message, kind)
    assert len(encode(message)) <= PAYLOAD_MAX < DATAGRAM_MAX
