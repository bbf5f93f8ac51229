"""The simulated firmware: the real guard over loads whose draw is known."""

from __future__ import annotations

from tests.unit.controller.core.stage import spec

from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.simulation.firmware import SimFirmware, SimLoad
from rackgrid_firmware.link import (
    VERSION,
    Attach,
    Attached,
    Hold,
    MakeSafe,
    Refused,
    Release,
    Switched,
    Telemetry,
)

NOW = 10**12


def made(stagger_ns: int = 0) -> SimFirmware:
    loads = (
        SimLoad(spec("fan", 3000, required=True, inrush_mw=3500), 2900),
        SimLoad(spec("lamp", 6000), 5800),
        SimLoad(spec("pump", 4000, meter=""), 3900),
    )
    return SimFirmware(2000, loads, stagger_ns)


def lit() -> SimFirmware:
    firmware = made()
    firmware.command(Hold(1, "lamp", NOW + SECOND_NS), NOW)
    return firmware


def on(firmware: SimFirmware) -> list[bool]:
    return [state.on for state in firmware.attach().outputs]


def test_begins_with_its_required_load_on_and_nothing_else() -> None:
    firmware = made()
    assert on(firmware) == [True, False, False]
    assert firmware.floor_mw == 2000 + 3500
    assert not firmware.is_required_off()


def test_hold_switches_on_at_once_and_says_so() -> None:
    firmware = made()
    (switched,) = firmware.command(Hold(3, "lamp", NOW + SECOND_NS), NOW)
    assert isinstance(switched, Switched)
    assert (switched.state.name, switched.state.on, switched.handled) == ("lamp", True, 3)


def test_draw_is_inrush_first_and_the_true_draw_then() -> None:
    firmware = lit()
    assert firmware.draws_mw(NOW) == [2900, 9000, 0]
    assert firmware.draws_mw(NOW + 50 * MS_NS) == [2900, 5800, 0]
    assert firmware.total_mw(NOW + 50 * MS_NS) == 2000 + 2900 + 5800


def test_worst_of_the_flexible_is_inrush_and_then_nameplate() -> None:
    firmware = lit()
    assert firmware.flexible_worst_mw(NOW) == 9000
    assert firmware.flexible_worst_mw(NOW + 50 * MS_NS) == 6000


def test_deadline_is_kept_whatever_the_controller_does() -> None:
    firmware = lit()
    assert firmware.next_deadline_ns() == NOW + SECOND_NS
    (switched,) = firmware.passed(NOW + SECOND_NS)
    assert isinstance(switched, Switched)
    assert (switched.state.on, switched.state.cause) == (False, "deadline")


def test_release_and_safe_switch_off_what_is_flexible() -> None:
    for command in (Release(2, "lamp", True), MakeSafe(2)):
        firmware = lit()
        firmware.command(command, NOW + 1)
        assert on(firmware) == [True, False, False]


def test_required_output_refuses_to_be_commanded() -> None:
    (refused,) = made().command(Release(1, "fan", True), NOW)
    assert isinstance(refused, Refused)


def test_attach_is_answered_with_the_board_and_begins_a_new_count() -> None:
    firmware = lit()
    (attached,) = firmware.command(Attach(VERSION, 1), NOW)
    assert isinstance(attached, Attached)
    assert [s.name for s in attached.specs] == ["fan", "lamp", "pump"]
    assert firmware.handled == 0


def test_telemetry_reads_what_has_a_meter() -> None:
    told = lit().telemetry(NOW + SECOND_NS // 2)
    assert isinstance(told, Telemetry)
    assert [(r.meter, round(r.watts * 1000)) for r in told.readings] == [
        ("m-fan", 2900),
        ("m-lamp", 5800),
    ]
    assert told.handled == 1


def test_stagger_keeps_two_starts_apart() -> None:
    firmware = made(stagger_ns=100 * MS_NS)
    firmware.command(Hold(1, "lamp", NOW + SECOND_NS), NOW)
    firmware.command(Hold(2, "pump", NOW + SECOND_NS), NOW)
    assert on(firmware) == [True, True, False]
    firmware.passed(NOW + 100 * MS_NS)
    assert on(firmware) == [True, True, True]


def test_cut_power_drops_every_flexible_output() -> None:
    firmware = lit()
    firmware.cut(NOW + 5)
    assert on(firmware) == [True, False, False]
    assert firmware.next_deadline_ns() is None
