"""What the controller believes of its own copper."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.core.stage import (
    ALL_OFF,
    SPECS,
    attached,
    board,
    output,
    reading,
    spec,
)

from rackgrid.core import board as boards
from rackgrid.core.board import (
    EXCESS_MIN_MW,
    EXCESS_STEP_MW,
    METERED_MAX_MW,
    READING_AGE_NS,
    SETTLE_NS,
    Board,
)
from rackgrid.core.settings import MS_NS
from rackgrid_firmware.device import LEVEL_FULL, Quality, Verdict
from rackgrid_firmware.link import OutputState, Switched, Telemetry

NOW = 10**12
LAMP_ON = output("lamp", on=True, since_ns=NOW, deadline_ns=NOW + 10**9)
SETTLED = NOW + 50 * MS_NS + SETTLE_NS


def metered(watts: float, quality: Quality = Quality.FRESH, t_ns: int = SETTLED) -> Board:
    return boards.read(board(LAMP_ON), {"m-lamp": reading("m-lamp", watts, t_ns, quality)})


def test_attached_floor_is_the_electronics_and_every_required_inrush() -> None:
    specs = (*SPECS, spec("nas", 1000, required=True, inrush_mw=2500))
    assert boards.attached(attached(specs=specs)).floor_mw == 2000 + 3000 + 2500


def test_attached_knows_its_flexible_outputs_and_who_has_a_meter_alone() -> None:
    specs = (*SPECS, spec("heater", 1000, meter="m-lamp"), spec("siren", 1000, meter=""))
    made = boards.attached(attached(specs=specs))
    assert made.flexible == ("lamp", "pump", "heater", "siren")
    assert dict(made.own_meter) == {"fan": "m-fan", "pump": "m-pump"}


def test_attached_output_that_the_board_does_not_have_is_left_out() -> None:
    made = boards.attached(attached((*ALL_OFF, output("ghost", on=True))))
    assert "ghost" not in made.outputs


def test_told_switched_changes_one_output_and_remembers_what_was_handled() -> None:
    made = boards.told(board(), Switched(NOW, LAMP_ON, handled=4))
    assert made.outputs["lamp"].on
    assert made.handled == 4
    assert boards.told(made, Switched(NOW, output("pump"), handled=3)).handled == 4


def test_told_telemetry_takes_readings_and_the_states_it_names() -> None:
    made = boards.told(board(LAMP_ON), Telemetry(NOW, (reading("m-fan", 2.9, NOW),), (), 2))
    assert made.outputs["lamp"].on
    assert set(made.readings) == {"m-fan"}
    assert made.handled == 2
    ghost = boards.told(board(), Telemetry(NOW, (), (output("ghost", on=True),)))
    assert "ghost" not in ghost.outputs


def test_metered_fresh_reading_of_its_own_meter_is_believed() -> None:
    assert boards.metered_mw(metered(5.8), "lamp", SETTLED) == 5800


def test_metered_offset_below_zero_is_nothing() -> None:
    assert boards.metered_mw(metered(-0.2), "lamp", SETTLED) == 0


def test_metered_absurd_reading_still_fits_the_wire() -> None:
    assert boards.metered_mw(metered(1e300), "lamp", SETTLED) == METERED_MAX_MW
    wild = replace(reading("m-lamp", 1, NOW), volts=1e300, amps=1e300, energy_mj=-5)
    made = boards.read(board(LAMP_ON), {"m-lamp": wild})
    assert boards.metered_mw(made, "lamp", NOW) == METERED_MAX_MW
    assert boards.flexible_mj(made) == 0


@pytest.mark.parametrize("quality", [Quality.STALE, Quality.SATURATED])
def test_metered_doubtful_reading_is_not_believed(quality: Quality) -> None:
    assert boards.metered_mw(metered(5.8, quality), "lamp", SETTLED) is None


def test_metered_old_reading_says_nothing_about_now() -> None:
    made = metered(5.8, t_ns=NOW)
    assert boards.metered_mw(made, "lamp", NOW + READING_AGE_NS) == 5800
    assert boards.metered_mw(made, "lamp", NOW + READING_AGE_NS + 1) is None


def test_metered_without_a_meter_or_a_reading_is_unknown() -> None:
    assert boards.metered_mw(board(), "lamp", NOW) is None
    lone = boards.attached(attached(specs=(spec("lamp", 6000, meter=""),)))
    assert boards.metered_mw(lone, "lamp", NOW) is None


def test_settled_after_the_inrush_and_the_meters_view_of_it() -> None:
    assert not boards.is_settled(board(LAMP_ON), "lamp", SETTLED - 1)
    assert boards.is_settled(board(LAMP_ON), "lamp", SETTLED)
    assert not boards.is_settled(board(), "lamp", SETTLED)


def test_reserve_open_output_is_nothing_starting_is_inrush_running_is_nameplate() -> None:
    assert boards.reserve_mw(board(), "lamp", NOW) == 0
    assert boards.reserve_mw(board(LAMP_ON), "lamp", NOW) == 9000
    assert boards.reserve_mw(board(LAMP_ON), "lamp", SETTLED) == 6000


def test_reserve_running_load_that_draws_more_than_its_nameplate_counts_with_that() -> None:
    assert boards.reserve_mw(metered(7.5), "lamp", SETTLED) == 7500
    assert boards.reserve_mw(metered(1.0), "lamp", SETTLED) == 6000


@pytest.mark.parametrize("level", [100, LEVEL_FULL])
def test_reserve_of_what_modulates_is_its_inrush_at_every_level_and_time(level: int) -> None:
    known = metered(0.6)
    specs = {**known.specs, "lamp": replace(known.specs["lamp"], min_level=100)}
    dimmed = replace(known.outputs["lamp"], level=level)
    known = replace(known, specs=specs, outputs={**known.outputs, "lamp": dimmed})
    assert boards.reserve_mw(known, "lamp", SETTLED) == 9000
    assert boards.draw_mw(known, "lamp", SETTLED) == 600


def test_reserve_off_with_a_deadline_still_counts() -> None:
    held = board(output("lamp", deadline_ns=NOW + 5))
    assert boards.reserve_mw(held, "lamp", NOW) == 9000


def test_reserve_welded_contact_is_no_holding_that_a_grant_could_end() -> None:
    welded = board(output("lamp", verdict=Verdict.WELDED))
    assert boards.reserve_mw(welded, "lamp", NOW) == 0


def test_reserve_output_that_the_firmware_never_spoke_of_counts_with_its_inrush() -> None:
    silent = boards.attached(attached(()))
    assert boards.reserve_mw(silent, "lamp", NOW) == 9000
    assert boards.draw_mw(silent, "lamp", NOW) == 6000


def test_draw_is_metered_or_the_nameplate_while_on() -> None:
    assert boards.draw_mw(metered(5.8), "lamp", SETTLED) == 5800
    assert boards.draw_mw(metered(5.8, Quality.STALE), "lamp", SETTLED) == 6000
    assert boards.draw_mw(board(), "lamp", NOW) == 0


def test_total_adds_the_electronics_and_tells_required_apart() -> None:
    made = metered(5.8)
    assert boards.total_mw(made, SETTLED, required_only=True) == 2000 + 3000
    assert boards.total_mw(made, SETTLED, required_only=False) == 2000 + 3000 + 5800


def test_flexible_energy_counts_flexible_meters_only() -> None:
    readings = {m: reading(m, 1, NOW, energy_mj=e) for m, e in (("m-lamp", 5), ("m-fan", 70))}
    assert boards.flexible_mj(boards.read(board(), readings)) == 5


# --- what counts as floor at once (P8) -------------------------------------------------------


def excess_mw(watts: dict[str, float], *changed: OutputState, read_ns: int = SETTLED) -> int:
    """The excess after the firmware has told how these meters and outputs are, at `SETTLED`."""
    readings = tuple(reading(f"m-{name}", w, read_ns) for name, w in watts.items())
    return boards.told(board(*changed), Telemetry(SETTLED, readings, ())).excess_mw


def test_excess_nothing_lies_is_nothing() -> None:
    assert excess_mw({}, LAMP_ON) == 0
    assert excess_mw({"fan": 2.9, "lamp": 0.0}) == 0


def test_excess_required_load_beyond_the_floor_is_rounded_up() -> None:
    assert excess_mw({"fan": 3.0 + EXCESS_MIN_MW / 1000}) == 0
    assert excess_mw({"fan": 3.101}) == EXCESS_STEP_MW
    assert excess_mw({"fan": 4.0}) == 1000
    assert excess_mw({"fan": 4.001}) == 1000 + EXCESS_STEP_MW


def test_excess_meter_that_is_not_believed_counts_the_nameplate() -> None:
    assert excess_mw({"fan": 50}, read_ns=SETTLED - READING_AGE_NS - 1) == 0


def test_excess_running_load_that_lies_is_part_of_its_holding() -> None:
    assert excess_mw({"lamp": 20}, LAMP_ON) == 0


def test_excess_open_contact_that_draws_counts_once_its_meter_was_read_since() -> None:
    """A reading from before the contact opened shows what has ended."""
    off = output("lamp", since_ns=NOW)
    assert excess_mw({"lamp": 6}, off, read_ns=NOW + SETTLE_NS - 1) == 0
    assert excess_mw({"lamp": 6}, off, read_ns=NOW + SETTLE_NS) == 6000


def test_excess_welded_contact_counts_its_nameplate_or_what_it_draws() -> None:
    welded = output("lamp", verdict=Verdict.WELDED)
    assert excess_mw({}, welded) == 6000
    assert excess_mw({"lamp": 1}, welded) == 6000
    assert excess_mw({"lamp": 7}, welded) == 7000


def test_excess_output_that_the_firmware_never_spoke_of_is_counted_as_a_holding() -> None:
    silent = boards.attached(attached(()))
    assert boards.told(silent, Telemetry(NOW, (), ())).excess_mw == 0


def test_excess_slack_of_the_floor_does_not_hide_a_stuck_contact() -> None:
    """The floor is promised to the required loads: they may draw it the next moment."""
    assert excess_mw({"fan": 0.0}, output("pump", verdict=Verdict.WELDED)) == 4000


def test_excess_that_ends_is_counted_no_more() -> None:
    stuck = boards.told(board(), Telemetry(NOW, (reading("m-fan", 9.0, NOW),), ()))
    assert stuck.excess_mw == 6000
    assert boards.told(stuck, Telemetry(NOW, (reading("m-fan", 3.0, NOW),), ())).excess_mw == 0


def learning(watts: float, state: OutputState = LAMP_ON) -> Board:
    """The board after the lamp has been seen with so much for two seconds."""
    made = board(state)
    for at_ns in range(SETTLED, SETTLED + 2 * 10**9, 200 * MS_NS):
        made = boards.told(made, Telemetry(at_ns, (reading("m-lamp", watts, at_ns),), (), 1))
    return made


def test_load_that_takes_more_than_its_nameplate_counts_with_it_while_it_is_off() -> None:
    made = learning(9.0)
    assert boards.nominal_mw(made, "lamp") == boards.inrush_mw(made, "lamp") == 9000
    later = SETTLED + 60 * 10**9
    assert boards.draw_mw(made, "lamp", later) == 9000, "its meter is silent"
    assert boards.reserve_mw(made, "lamp", later) == 9000
    assert boards.nominal_mw(made, "pump") == 4000


def test_load_within_its_nameplate_or_switched_off_teaches_nothing() -> None:
    assert boards.nominal_mw(learning(6.2), "lamp") == 6000
    off = output("lamp", since_ns=NOW, verdict=Verdict.WELDED)
    assert boards.nominal_mw(learning(9.0, off), "lamp") == 6000


def test_required_load_teaches_nothing_for_its_excess_is_floor() -> None:
    made = board()
    for at_ns in range(SETTLED, SETTLED + 2 * 10**9, 200 * MS_NS):
        made = boards.told(made, Telemetry(at_ns, (reading("m-fan", 9.0, at_ns),), (), 1))
    assert boards.nominal_mw(made, "fan") == 3000
    assert made.excess_mw > 0
