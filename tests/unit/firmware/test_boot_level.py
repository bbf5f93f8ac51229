"""Fails if a load that has power before its firmware has its pin is taken for one that has none."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid_firmware.boot_level import closes_at_boot, is_on_undriven, is_pulled_up, what_pulls
from rackgrid_firmware.profile import SwitchProfile
from rackgrid_firmware.profile_file import load_profile

BOARD = load_profile(Path(__file__).parents[3] / "hardware" / "profiles" / "pi-relay4.toml")
FAN = BOARD.outputs[1]


@pytest.mark.parametrize("gpio", range(4, 28))
def test_pull_is_that_of_the_reset_table_unless_the_board_has_a_stronger_one(gpio: int) -> None:
    fan = replace(FAN, gpio=gpio)
    assert is_pulled_up(fan) == (gpio <= 8)
    assert is_pulled_up(replace(fan, pulled="up"))
    assert not is_pulled_up(replace(fan, pulled="down"))


def test_load_has_power_by_pull_polarity_and_contact() -> None:
    """The whole table, said once more: coil when the pin is on its active side; NC inverts."""
    for pulled, active_high, contact in itertools.product(
        ("up", "down"), (True, False), ("no", "nc")
    ):
        switch = SwitchProfile(contact=contact)
        output = replace(FAN, pulled=pulled, active_high=active_high, switch=switch)
        has_coil_current = (pulled == "up") == active_high
        expected = has_coil_current if contact == "no" else not has_coil_current
        assert is_on_undriven(output) is expected, (pulled, active_high, contact)
        assert closes_at_boot(output) is expected
        assert closes_at_boot(replace(output, required=True)) is False


def test_puller_is_named() -> None:
    assert what_pulls(replace(FAN, gpio=22)) == "pulled down"
    assert what_pulls(replace(FAN, gpio=22, pulled="up")) == "pulled up by the board"
