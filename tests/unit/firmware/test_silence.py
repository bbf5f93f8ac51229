"""Fails if a converter that stands still is waited for without end, or a slow one is not."""

from __future__ import annotations

from rackgrid_firmware.silence import CYCLES_MAX, STILL, Patience, Silence

LONGEST = 1_000


def test_flag_that_is_down_is_borne_for_two_cycles_and_then_the_chip_is_started_again() -> None:
    silence = Silence()
    assert silence.judge(0, LONGEST) is Patience.BEAR
    assert silence.judge(STILL * LONGEST, LONGEST) is Patience.BEAR
    assert silence.judge(STILL * LONGEST + 1, LONGEST) is Patience.START_AGAIN


def test_chip_that_does_not_convert_after_that_is_given_up_each_three_cycles() -> None:
    silence = Silence()
    silence.judge(0, LONGEST)
    silence.judge(STILL * LONGEST + 1, LONGEST)
    for begun_ns in (10_000, 20_000):
        silence.begin()
        assert silence.judge(begun_ns, LONGEST) is Patience.BEAR
        assert silence.judge(begun_ns + CYCLES_MAX * LONGEST, LONGEST) is Patience.BEAR
        assert silence.judge(begun_ns + CYCLES_MAX * LONGEST + 1, LONGEST) is Patience.GIVE_UP
    assert silence.length_ns == CYCLES_MAX * LONGEST + 1


def test_conversion_breaks_it_and_the_next_silence_is_a_new_one() -> None:
    silence = Silence()
    silence.judge(0, LONGEST)
    silence.judge(STILL * LONGEST + 1, LONGEST)
    silence.broken()
    assert silence.judge(50_000, LONGEST) is Patience.BEAR
    assert silence.judge(50_000 + STILL * LONGEST + 1, LONGEST) is Patience.START_AGAIN


def test_message_says_what_where_since_when_and_what_to_do() -> None:
    silence = Silence()
    silence.judge(0, 1)
    silence.judge(225_000_000, 1)
    assert silence.told("the chip at 0x40", "bit 1 of 02h", 0x39FF) == (
        "the chip at 0x40 does not convert: its ready flag (bit 1 of 02h) has stayed down for "
        "0.225 s though its configuration (00h) reads 0x39ff, as written, and was written again: "
        "check its supply; if that is good, replace it"
    )
