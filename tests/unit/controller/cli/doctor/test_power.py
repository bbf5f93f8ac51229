"""Fails if `now` and `since boot` are mixed up, or a clock that nobody set passes for right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.power import CHECKS, Facts, judge, kernel_clock_state, look, parse_word
from rackgrid.cli.doctor.unknown import Unknown

PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
SOUND = Facts(throttled=0, synchronised=True)
NO_PI = Unknown("no Pi")
WORLDS = [
    world("under-voltage", PASS, "no under-voltage"),
    world("under-voltage", FAIL, "now", throttled=0x50001),
    world("under-voltage", WARN, "since boot", throttled=0x50000),
    world("under-voltage", PASS, "no under-voltage", throttled=0x80008),
    world("under-voltage", SKIP, "no Pi", throttled=NO_PI),
    world("throttling", PASS, "full speed"),
    world("throttling", WARN, "throttled now", throttled=0x4),
    world("throttling", WARN, "temperature limit since boot", throttled=0x80000),
    world("throttling", PASS, "full speed", throttled=0x10001),
    world("throttling", SKIP, "no Pi", throttled=NO_PI),
    world("clock-synchronised", PASS, "follows a time server"),
    world("clock-synchronised", WARN, "set-ntp", synchronised=False),
    world("clock-synchronised", SKIP, "no word", synchronised=Unknown("no word")),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_power_is_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_look_reads_the_kernels_word_first(tmp_path: Path) -> None:
    put(tmp_path, "/sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")
    put(tmp_path, "/run/systemd/timesync/synchronized", "")
    assert look(case_in(tmp_path)) == Facts(0x50005, True)


def test_look_asks_vcgencmd_where_the_kernel_says_nothing(tmp_path: Path) -> None:
    def run(argv: Sequence[str]) -> str:
        assert list(argv) == ["vcgencmd", "get_throttled"]
        return "throttled=0x50000\n"

    facts = look(case_in(tmp_path, host=Host(tmp_path, run)))
    assert facts.throttled == 0x50000
    assert isinstance(facts.synchronised, Unknown)


@pytest.mark.parametrize(("alarm", "word"), [("1\n", 1), ("0\n", 0)])
def test_look_falls_back_on_the_kernels_voltage_alarm(
    tmp_path: Path, alarm: str, word: int
) -> None:
    put(tmp_path, "/sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm)
    assert look(case_in(tmp_path)).throttled == word


def test_look_at_no_pi_knows_nothing(tmp_path: Path) -> None:
    assert isinstance(look(case_in(tmp_path)).throttled, Unknown)


@pytest.mark.parametrize(("text", "word"), [("0x50005", 0x50005), ("50005", 0x50005), ("0", 0)])
def test_throttle_word_is_hexadecimal_either_way(text: str, word: int) -> None:
    assert parse_word(text) == word


def test_throttle_word_that_is_none_is_not_zero() -> None:
    assert isinstance(parse_word("error=1"), Unknown)
    assert isinstance(parse_word(""), Unknown)


def test_kernel_says_how_its_clock_is() -> None:
    """adjtimex(2): the states are 0 to 5, and errors negative."""
    assert 0 <= kernel_clock_state() <= 5
