"""How loads beyond the board may be switched, by `rackgrid.toml`; mistakes are in the corpus."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.controller.test_config_plug import read

from rackgrid.config_switch import DEAD_S, SwitchConfig, written_switch


def test_plug_that_says_nothing_is_held_to_nothing(tmp_path: Path) -> None:
    said = read(tmp_path, 'http = "shelly://a"').switch
    assert said == SwitchConfig()
    assert not any(written_switch(said).values())


@pytest.mark.parametrize("way", ['http = "shelly://a"', 'unit = "burn.service"'])
def test_all_that_is_said_is_read_and_shown_again(tmp_path: Path, way: str) -> None:
    lines = (
        "hold_s = 2\nswitches_per_day = 9\ncontact_life = 1000\nstart_delay_s = 60\n"
        'not_with = ["boiler"]\n'
        f'{way}\n[[load]]\nname = "boiler"\nworth = 1\nnominal_w = 5\nhttp = "shelly://b"'
    )
    said = read(tmp_path, lines).switch
    assert said == SwitchConfig(2.0, 9, 1000, ("boiler",), DEAD_S, 60.0)
    assert written_switch(said) == {
        "hold_s": 2.0,
        "switches_per_day": 9,
        "contact_life": 1000,
        "not_with": ("boiler",),
        "dead_s": DEAD_S,
        "start_delay_s": 60.0,
    }


def test_dead_time_may_stand_with_the_one_that_is_excluded(tmp_path: Path) -> None:
    lines = (
        'dead_s = 3\nhttp = "shelly://a"\n[[load]]\nname = "boiler"\nworth = 1\n'
        'nominal_w = 5\nhttp = "shelly://b"\nnot_with = ["heater"]'
    )
    assert read(tmp_path, lines).switch.dead_s == 3
