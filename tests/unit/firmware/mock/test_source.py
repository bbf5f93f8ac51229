"""What gives power: steady sources, panels under a sky, batteries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rackgrid_firmware.mock.battery import Battery
from rackgrid_firmware.mock.source import Panel, Steady, source
from rackgrid_firmware.mock.wiring import ChipWiring
from rackgrid_firmware.profile_mock import SourceMock

S = 1_000_000_000
SOLAR = SourceMock(kind="solar", peak_w=60.0, latitude_deg=52.0, day=172, hour=12.0)


def chip(mock: SourceMock, source_w: float = 0.0) -> ChipWiring:
    return ChipWiring("panel", 1, 0x41, 0.1, source_w, source=mock)


def panel(**keys: Any) -> Panel:
    made = source(0, chip(replace(SOLAR, **keys)), seed=5)
    assert isinstance(made, Panel)
    return made


def test_steady_source_gives_what_it_is_told_to() -> None:
    made = source(0, chip(SourceMock(), 18.0), seed=1)
    assert isinstance(made, Steady)
    assert (made.watts, made.next_ns, made.terminals) == (18.0, None, None)
    made.set(5, 7.0)
    assert made.watts == 7.0


def test_battery_stands_behind_its_own_meter() -> None:
    mock = SourceMock(kind="battery", capacity_ah=5.0, give_w_max=20.0)
    made = source(0, chip(mock, 10.0), seed=1)
    assert isinstance(made, Battery)
    assert made.terminals is not None


def test_panel_at_noon_gives_most_of_its_peak_and_nothing_at_night() -> None:
    assert 50 < panel().watts < 60
    assert panel(hour=0.5).watts == 0.0


def test_panel_passes_a_day_in_minutes_of_its_own_time() -> None:
    fast = panel(hour=0.0, speed=3600.0)
    given, next_ns = list[float](), 0
    for _ in range(24 * 60):
        next_ns = fast.next_ns or 0
        given.append(fast.watts)
        fast.advance(next_ns)
    assert next_ns == pytest.approx(24 * S)
    assert max(given) == pytest.approx(panel().watts, rel=0.01)
    assert sum(given) == pytest.approx(sum(given[::-1]))
    assert given[0] == given[-1] == 0.0


def test_panel_under_clouds_gives_less_and_the_same_seed_has_the_same_day() -> None:
    def day(**keys: float) -> list[float]:
        under, given = panel(hour=6.0, speed=3600.0, **keys), list[float]()
        for _ in range(12 * 60):
            given.append(under.watts)
            under.advance(under.next_ns or 0)
        return given

    clear, cloudy = day(), day(clouds=0.5)
    assert 0.4 < sum(cloudy) / sum(clear) < 0.85
    assert cloudy == day(clouds=0.5)


def test_panel_behind_a_cloud_of_the_script_or_held_at_a_power() -> None:
    made = panel()
    clear_w = made.watts
    made.cloud(0.25)
    assert made.watts == pytest.approx(clear_w / 4)
    with pytest.raises(ValueError, match="allowed: 0 to 1"):
        made.cloud(1.5)
    made.set(0, 3.0)
    assert (made.watts, made.next_ns) == (3.0, None)
