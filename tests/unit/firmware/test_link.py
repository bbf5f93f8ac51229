from __future__ import annotations

import json
import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware import link
from rackgrid_firmware.device import LEVEL_FULL, Accuracy, Quality, Reading, Verdict
from rackgrid_firmware.profile_table import METERS_MAX
from rackgrid_firmware.unpack import WHOLE_MAX

whole = st.integers(-WHOLE_MAX, WHOLE_MAX)
level = st.integers(1, LEVEL_FULL)
number = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(
    st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=24
).filter(str.isprintable)

readings = st.builds(Reading, text, whole, number, number, whole, st.sampled_from(Quality))
specs = st.builds(
    link.OutputSpec, text, st.booleans(), whole, whole, whole, whole, whole, text, whole, level
)
states = st.builds(
    link.OutputState,
    text,
    st.booleans(),
    whole,
    whole,
    whole,
    text,
    st.sampled_from(Verdict),
    text,
    st.booleans(),
    whole,
    level,
)

meter_specs = st.builds(
    link.MeterSpec, text, st.builds(Accuracy, number, number, number, number, text)
)


def few(entries: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(entries, max_size=3).map(tuple)


messages = st.one_of(
    st.builds(link.Attach, whole, whole),
    st.builds(link.Hold, whole, text, whole, st.booleans(), level),
    st.builds(link.Release, whole, text, st.booleans()),
    st.builds(link.MakeSafe, whole),
    st.builds(link.Clear, whole, text),
    st.builds(link.Lock, whole, text, st.booleans()),
    st.builds(
        link.Attached, whole, text, whole, whole, whole, few(specs), few(states), few(meter_specs)
    ),
    st.builds(link.Telemetry, whole, few(readings), few(states)),
    st.builds(link.Switched, whole, states),
    st.builds(link.Refused, whole, text, text, whole),
)

STATE = link.OutputState("fan", True, 1, 2, 3, "held", Verdict.OK)
HOLD = {"k": "hold", "seq": 7, "output": "fan", "deadline_ns": 9, "starts": True}


def packet(**fields: object) -> bytes:
    return json.dumps({**HOLD, **fields}).encode()


def test_one_of_each_of_this_file_covers_every_kind_of_message() -> None:
    assert {type(m) for m in (link.decode(p) for p in ONE_OF_EACH)} == set(
        get_args(link.Command | link.Report)
    )


ONE_OF_EACH = [
    link.encode(message)
    for message in (
        link.Attach(1, 2),
        link.Hold(1, "fan", 2),
        link.Release(1, "fan", True),
        link.MakeSafe(1),
        link.Attached(
            1,
            "b",
            2,
            3,
            4,
            (link.OutputSpec("fan", False, 1, 2, 3, 4, 5, "m"),),
            (STATE,),
            (link.MeterSpec("m", Accuracy(0.016, 0.002, 0.01, 0.004, "2026-11-26")),),
        ),
        link.Telemetry(5, (Reading("m", 1, 12.0, 0.5, 3, Quality.FRESH),), (STATE,)),
        link.Switched(1, STATE),
        link.Refused(1, "fan", "busy", 2),
        link.Clear(1, "fan"),
        link.Lock(1, "fan", True),
    )
]


@settings(max_examples=150)
@given(messages)
def test_message_through_its_bytes_comes_back_equal(message: link.Command | link.Report) -> None:
    assert link.decode(link.encode(message)) == message


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_decode_of_any_bytes_is_malformed_and_does_not_raise(noise: bytes) -> None:
    assert isinstance(link.decode(noise), link.Malformed)


json_values = st.recursive(
    st.none() | st.booleans() | whole | number | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["k", "seq", "output", "specs", "state"]) | text, inner)
    ),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.sampled_from(ONE_OF_EACH), st.data())
def test_decode_of_a_message_with_one_field_replaced_never_raises(
    valid: bytes, data: st.DataObject
) -> None:
    fields = json.loads(valid)
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(json_values)
    result = link.decode(json.dumps(fields).encode())
    assert isinstance(result, link.Malformed) or link.decode(link.encode(result)) == result


@settings(max_examples=100)
@given(st.sampled_from(ONE_OF_EACH), st.data())
def test_decode_of_a_cut_message_is_malformed(valid: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(valid) - 1))
    assert isinstance(link.decode(valid[:cut]), link.Malformed)


@pytest.mark.parametrize("valid", ONE_OF_EACH, ids=lambda p: json.loads(p)["k"])
def test_decode_of_a_message_without_one_of_its_fields_names_the_field(valid: bytes) -> None:
    fields = json.loads(valid)
    for name in fields:
        rest = {key: value for key, value in fields.items() if key != name}
        assert link.decode(json.dumps(rest).encode()) == link.Malformed(f"no field {name}")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"", "not JSON: JSONDecodeError"),
        (b"\xff\xfe", "not JSON: UnicodeDecodeError"),
        (b"[" * 16000, "not JSON: RecursionError"),
        (b"[]", "list where an object belongs"),
        (packet(k="grant"), "k cannot be 'grant'"),
        (packet(k=None), "k is not a printable text of at most 200 characters"),
        (packet(extra=1), "unknown field 'extra'"),
        (packet(seq=True), "seq is not a 64-bit integer"),
        (packet(seq=1.0), "seq is not a 64-bit integer"),
        (packet(deadline_ns=2**63), "deadline_ns is not a 64-bit integer"),
        (packet(deadline_ns="9"), "deadline_ns is not a 64-bit integer"),
        (packet(output="a\nb"), "output is not a printable text of at most 200 characters"),
        (packet(output="\ud800"), "output is not a printable text of at most 200 characters"),
        (packet(output="x" * 201), "output is not a printable text of at most 200 characters"),
        (packet(deadline_ns=math.nan), "NaN is not a number"),
        (packet(deadline_ns=-math.inf), "-Infinity is not a number"),
        (b'{"k":"hold","seq":' + b"9" * 5000 + b"}", "not JSON: ValueError"),
        (b'{"k":"release","seq":1,"output":"a","urgent":1}', "urgent is neither true nor false"),
        (b'{"k":"telemetry","t_ns":1,"readings":{},"outputs":[]}', "readings is not a list"),
        (
            b'{"k":"telemetry","t_ns":1,"readings":[' + b",".join([b"0"] * 65) + b'],"outputs":[]}',
            "readings has 65 entries, more than 64",
        ),
        (b'{"k":"telemetry","t_ns":1,"readings":[1],"outputs":[]}', "int where an object belongs"),
    ],
)
def test_decode_of_a_broken_packet_says_what_is_wrong(broken: bytes, reason: str) -> None:
    assert link.decode(broken) == link.Malformed(reason)


@pytest.mark.parametrize("volts", ["1e999", "-1e999", "null", '"12"', "true", str(2**64)])
def test_decode_of_a_reading_without_a_finite_number_is_malformed(volts: str) -> None:
    result = link.decode(ONE_OF_EACH[5].replace(b'"volts":12.0', f'"volts":{volts}'.encode()))
    assert result == link.Malformed("volts is not a finite number")


def test_decode_of_a_whole_number_of_volts_is_a_float() -> None:
    result = link.decode(ONE_OF_EACH[5].replace(b"12.0", b"12"))
    assert isinstance(result, link.Telemetry)
    assert type(result.readings[0].volts) is float


@pytest.mark.parametrize("field", ["quality", "verdict"])
def test_decode_of_a_word_that_is_not_in_its_list_is_malformed(field: str) -> None:
    old = {"quality": b'"fresh"', "verdict": b'"ok"'}[field]
    result = link.decode(ONE_OF_EACH[5].replace(old, b'"splendid"'))
    assert result == link.Malformed(f"{field} cannot be 'splendid'")


def test_decode_of_a_packet_over_the_limit_is_malformed_and_one_at_the_limit_is_read() -> None:
    at_limit = packet() + b" " * (link.PACKET_MAX - len(packet()))
    assert link.decode(at_limit) == link.Hold(7, "fan", 9)
    assert link.decode(at_limit + b" ") == link.Malformed("32769 bytes, more than 32768")


def test_encode_of_a_packet_over_the_limit_is_our_bug() -> None:
    names = tuple(Reading("m" * 200, 1, 1.0, 1.0, 1, Quality.FRESH) for _ in range(64))
    with pytest.raises(AssertionError, match=r"a packet \(telemetry\)"):
        link.encode(link.Telemetry(1, names * 2, ()))


def test_encode_of_the_largest_board_fits_a_packet() -> None:
    """26 pins (BCM 2 to 27) and 32 meters, names of 32 characters, everything at its largest."""
    name, most = "n" * 32, 10**16
    spec = link.OutputSpec(name, False, 10**6, 10**6, 10**10, 10**13, 10**13, name, 10**9, 999)
    state = link.OutputState(name, False, most, most, most, "deadline", Verdict.UNKNOWN, level=999)
    third = 1 / 3e5
    meter = link.MeterSpec(name, Accuracy(third, third, third, third, "2026-11-26"))
    attached = link.Attached(
        1, name, 10**6, 10**10, 10**10, (spec,) * 26, (state,) * 26, (meter,) * METERS_MAX
    )
    assert link.decode(link.encode(attached)) == attached


def test_encode_of_a_hold_is_one_readable_object() -> None:
    assert link.encode(link.Hold(7, "fan", 9)) == (
        b'{"k":"hold","seq":7,"output":"fan","deadline_ns":9,"starts":true}'
    )


def test_level_that_is_left_out_is_full_power_so_an_older_controller_gives_all_of_it() -> None:
    assert link.decode(packet()) == link.Hold(7, "fan", 9, level=LEVEL_FULL)
    assert link.decode(packet(level=300)) == link.Hold(7, "fan", 9, level=300)


def test_level_is_told_only_of_what_modulates_so_an_older_controller_reads_all_other_boards() -> (
    None
):
    spec = link.OutputSpec("fan", False, 1, 2, 3, 4, 5, "m")
    plain = link.encode(link.Attached(1, "b", 2, 3, 4, (spec,), (STATE,)))
    assert b"level" not in plain
    dimmed = link.OutputState("fan", True, 1, 2, 3, "held", Verdict.OK, level=300)
    assert b'"level":300' in link.encode(link.Switched(1, dimmed))


@pytest.mark.parametrize("wrong", [0, -1, 1001, 2**63 - 1])
def test_level_that_is_none_is_malformed(wrong: int) -> None:
    assert link.decode(packet(level=wrong)) == link.Malformed("level is not within 1 to 1000")
