"""Plugs as meters: stale after a switch, energy that never falls, none made up."""

from __future__ import annotations

from rackgrid.adapters.plug.actuator import Sight
from rackgrid.adapters.plug.tally import FRESH_NS, GAP_NS, LAG_NS, Tally
from rackgrid.deadman import SECOND_NS
from rackgrid_firmware.device import Quality

T0 = 1000 * SECOND_NS
SIGHT = Sight(True, None, 0, 46.0, 230.0)


def test_plug_without_a_meter_has_no_reading() -> None:
    tally = Tally("plug/lamp")
    tally.take(Sight(True), T0)
    assert tally.reading(T0) is None
    assert not tally.is_metered


def test_watts_are_fresh_while_they_are_young() -> None:
    tally = Tally("plug/lamp")
    tally.take(SIGHT, T0)
    reading = tally.reading(T0 + FRESH_NS)
    assert reading is not None
    assert (reading.meter, reading.watts, reading.volts) == ("plug/lamp", 46.0, 230.0)
    assert reading.quality is Quality.FRESH
    old = tally.reading(T0 + FRESH_NS + 1)
    assert old is not None
    assert old.quality is Quality.STALE


def test_watts_just_after_a_switch_are_stale() -> None:
    tally = Tally("plug/lamp")
    tally.switched(T0)
    tally.take(SIGHT, T0 + LAG_NS - 1)
    early = tally.reading(T0 + LAG_NS)
    late = tally.reading(T0 + LAG_NS + 1)
    assert early is not None
    assert late is not None
    assert (early.quality, late.quality) == (Quality.STALE, Quality.FRESH)


def test_energy_is_watts_by_time_and_never_falls() -> None:
    tally = Tally("plug/lamp")
    for at in range(10):
        tally.take(SIGHT if at < 5 else Sight(True, None, 0, -9.0, 230.0), T0 + at * SECOND_NS)
    reading = tally.reading(T0)
    assert reading is not None
    assert reading.energy_mj == 5 * 46_000


def test_silence_makes_up_no_energy() -> None:
    tally = Tally("plug/lamp")
    tally.take(SIGHT, T0)
    tally.take(SIGHT, T0 + GAP_NS + 1)
    tally.take(SIGHT, T0 + GAP_NS + 1)  # the same answer again
    reading = tally.reading(T0)
    assert reading is not None
    assert reading.energy_mj == 0
