"""Fails if `now` and `since boot` are mixed up, or a clock that nobody set passes for right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.adapters.supply import flags_of
from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.power import CHECKS, Facts, judge, kernel_clock_state, look
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.core.view import SupplyFlags, SupplyView

PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
SOUND = Facts(supply=flags_of(0), synchronised=True)
ALARM = SupplyView(SupplyFlags(False, None, None, None), None)
NO_PI = Unknown("no Pi")
WORLDS = [
    world("under-voltage", PASS, "no under-voltage"),
    world("under-voltage", FAIL, "now", supply=flags_of(0x50001)),
    world("under-voltage", WARN, "since boot", supply=flags_of(0x50000)),
    world("under-voltage", PASS, "no under-voltage", supply=flags_of(0x80008)),
    world("under-voltage", SKIP, "no Pi", supply=NO_PI),
    world("under-voltage", PASS, "since boot is not known", supply=ALARM),
    world("throttling", SKIP, "of the voltage alone", supply=ALARM),
    world("throttling", PASS, "full speed"),
    world("throttling", WARN, "throttled now", supply=flags_of(0x4)),
    world("throttling", WARN, "temperature limit since boot", supply=flags_of(0x80000)),
    world("throttling", PASS, "full speed", supply=flags_of(0x10001)),
    world("throttling", SKIP, "no Pi", supply=NO_PI),
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
    assert look(case_in(tmp_path)) == Facts(flags_of(0x50005), True)


def test_look_asks_vcgencmd_where_the_kernel_says_nothing(tmp_path: Path) -> None:
    def run(argv: Sequence[str]) -> str:
        assert list(argv) == ["vcgencmd", "get_throttled"]
        return "throttled=0x50000\n"

    facts = look(case_in(tmp_path, host=Host(tmp_path, run)))
    assert facts.supply == flags_of(0x50000)
    assert isinstance(facts.synchronised, Unknown)


def test_look_falls_back_on_the_kernels_voltage_alarm(tmp_path: Path) -> None:
    put(tmp_path, "/sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    put(tmp_path, "/sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    told = look(case_in(tmp_path)).supply
    assert not isinstance(told, Unknown)
    assert told.now.under_voltage
    assert told.since_boot is None


def test_look_at_no_pi_knows_nothing(tmp_path: Path) -> None:
    put(tmp_path, "/sys/class/hwmon/hwmon1/name", "ina226\n")
    put(tmp_path, "/sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    assert isinstance(look(case_in(tmp_path)).supply, Unknown)


def test_kernel_says_how_its_clock_is() -> None:
    """adjtimex(2): the states are 0 to 5, and errors negative."""
    assert 0 <= kernel_clock_state() <= 5
