"""Fails if a pin does not follow the guard, a report precedes its pin, or dwell is forgotten."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid_firmware.accuracy import accuracy_of
from rackgrid_firmware.device import Output, Quality, Reading, Verdict
from rackgrid_firmware.dwell import DwellFile
from rackgrid_firmware.errors import DeviceUnavailable
from rackgrid_firmware.guard import Event, HoldAsked, ReleaseAsked, SafeAsked, TimePassed
from rackgrid_firmware.link import Hold, OutputState, Refused, Release, Switched
from rackgrid_firmware.output import (
    SHED_NS,
    Outputs,
    attached,
    rules_of,
)
from rackgrid_firmware.profile import (
    MeterMock,
    MeterProfile,
    OutputMock,
    OutputProfile,
    Profile,
    SwitchProfile,
    TripProfile,
)

S = 1_000_000_000


def output(
    name: str, gpio: int, *, required: bool = False, min_off_s: float = 0.0
) -> OutputProfile:
    return OutputProfile(
        name, gpio, True, required, 11.9999, 10.0, 0.5, 1.0, min_off_s, "", OutputMock(10.0, 0.0)
    )


NAMES = ("fan", "pump", "switch")
PROFILE = Profile(
    "bench",
    "mock",
    3.0001,
    5.0,
    0.0,
    (),
    (output("fan", 17), output("pump", 18, min_off_s=3.0), output("switch", 19, required=True)),
)


class Pin:
    """An output that remembers how it was driven, and when asked fails."""

    def __init__(self, name: str, order: list[tuple[str, bool]]) -> None:
        self.name = name
        self.fails = False
        self._order = order

    def energise(self, on: bool) -> None:
        if self.fails:
            raise DeviceUnavailable(f"{self.name} is gone")
        self._order.append((self.name, on))

    def close(self) -> None:
        self.energise(False)


class Rack:
    """Three outputs, a clock, and what their pins were told."""

    def __init__(self, dwell: DwellFile | None = None, *, claimed: tuple[str, ...] = NAMES) -> None:
        self.now_ns = 10 * S
        self.order: list[tuple[str, bool]] = []
        self.pins = {name: Pin(name, self.order) for name in claimed}
        relays: dict[str, Output] = dict(self.pins)
        self.outputs = Outputs(PROFILE, relays, dwell, clock=lambda: self.now_ns)

    def handle(self, event: Event) -> tuple[Switched | Refused, ...]:
        return self.outputs.handle(event)

    def hold(self, name: str, for_s: float = 2.0) -> tuple[Switched | Refused, ...]:
        deadline_ns = self.now_ns + round(for_s * S)
        return self.handle(HoldAsked(self.now_ns, Hold(1, name, deadline_ns)))

    def state(self, name: str) -> OutputState:
        return next(state for state in self.outputs.states if state.name == name)


@pytest.fixture
def dwell(tmp_path: Path) -> DwellFile:
    return DwellFile(tmp_path / "dwell.json", "boot-a")


def test_outputs_start_at_their_safe_states() -> None:
    rack = Rack()
    assert rack.order == [("fan", False), ("pump", False), ("switch", True)]
    assert [state.on for state in rack.outputs.states] == [False, False, True]
    assert rack.outputs.next_deadline_ns is None


def test_outputs_hold_drives_the_pin_and_reports_it_after() -> None:
    rack = Rack()
    (report,) = rack.hold("fan")
    assert rack.order[-1] == ("fan", True)
    assert isinstance(report, Switched)
    assert (report.t_ns, report.state.on, report.state.cause) == (rack.now_ns, True, "held")
    assert rack.outputs.next_deadline_ns == rack.now_ns + 2 * S


def test_outputs_deadline_opens_the_output_by_itself() -> None:
    rack = Rack()
    rack.hold("fan")
    rack.now_ns += 2 * S
    (report,) = rack.handle(TimePassed(rack.now_ns))
    assert isinstance(report, Switched)
    assert (report.state.on, report.state.cause) == (False, "deadline")
    assert rack.order[-1] == ("fan", False)


def test_outputs_safe_opens_the_flexible_ones_only() -> None:
    rack = Rack()
    rack.hold("fan")
    rack.handle(SafeAsked(rack.now_ns))
    assert [state.on for state in rack.outputs.states] == [False, False, True]


def test_outputs_refusal_of_the_guard_is_passed_on() -> None:
    (report,) = Rack().hold("oven")
    assert report == Refused(1, "oven", "unknown output", 0)


def test_outputs_unclaimed_one_is_off_listed_and_refused() -> None:
    rack = Rack(claimed=("fan", "switch"))
    assert [state.name for state in rack.outputs.states] == list(NAMES)
    assert (rack.state("pump").on, rack.state("pump").cause) == (False, "unavailable")
    assert rack.state("pump").verdict is Verdict.UNKNOWN
    assert rack.hold("pump") == (Refused(1, "pump", "unavailable", 0),)
    release = ReleaseAsked(rack.now_ns, Release(2, "pump", urgent=True))
    assert rack.handle(release) == (Refused(2, "pump", "unavailable", 0),)
    assert rack.hold("oven") == (Refused(1, "oven", "unknown output", 0),)


def test_outputs_pin_that_fails_raises_after_all_others_followed() -> None:
    rack = Rack()
    rack.now_ns += 5 * S
    rack.hold("fan")
    rack.hold("pump")
    rack.pins["fan"].fails = True
    with pytest.raises(DeviceUnavailable, match="fan is gone"):
        rack.handle(SafeAsked(rack.now_ns))
    assert rack.order[-1] == ("pump", False)


def test_dwell_first_start_is_inside_min_off(dwell: DwellFile) -> None:
    rack = Rack(dwell)
    assert rack.state("pump").may_switch_ns == rack.now_ns + 3 * S
    assert rack.hold("pump", 1.0) == ()


def test_dwell_orderly_restart_remembers_how_long_it_has_been_off(dwell: DwellFile) -> None:
    first = Rack(dwell)
    since_ns = first.state("pump").since_ns
    first.outputs.remember()
    second = Rack(dwell)
    assert second.state("pump").since_ns == since_ns


def test_dwell_after_a_crash_is_as_after_a_boot(dwell: DwellFile) -> None:
    first = Rack(dwell)
    first.outputs.remember()
    second = Rack(dwell)
    second.now_ns += 4 * S
    second.hold("pump")
    third = Rack(dwell)
    assert third.state("pump").since_ns == third.now_ns, "what was written before the crash is gone"


def test_dwell_is_written_whole(dwell: DwellFile, tmp_path: Path) -> None:
    Rack(dwell).outputs.remember()
    assert [path.name for path in tmp_path.iterdir()] == ["dwell.json"]
    assert json.loads((tmp_path / "dwell.json").read_text())["boot_id"] == "boot-a"


def test_rules_are_the_profiles_for_the_claimed_outputs() -> None:
    rules = rules_of(replace(PROFILE, stagger_s=0.2), {"pump": Pin("pump", [])})
    assert [rule.name for rule in rules.outputs] == ["pump"]
    assert (rules.outputs[0].min_on_ns, rules.outputs[0].min_off_ns) == (S, 3 * S)
    assert (rules.hold_max_ns, rules.stagger_ns) == (5 * S, S // 5)


def test_rules_carry_what_the_profile_asks_for_and_only_pins_that_we_have() -> None:
    fan, pump, switch = PROFILE.outputs
    asked = SwitchProfile(1.0, 9, 0, ("pump", "switch"), 0.5, is_safe_on=False)
    rivals = replace(pump, switch=SwitchProfile(not_with=("fan",)))
    profile = replace(PROFILE, outputs=(replace(fan, switch=asked), rivals, switch))
    rules = rules_of(profile, {"fan": Pin("fan", []), "pump": Pin("pump", [])}, 7)
    rule = rules.outputs[0]
    assert (rule.hold_ns, rule.switches_per_day, rule.dead_ns) == (S, 9, S // 2)
    assert (rule.not_with, rule.is_safe_on) == (("pump",), False)
    assert rules.calm_until_ns == 7


@pytest.mark.parametrize(
    ("switch", "why"),
    [
        (SwitchProfile(), ""),
        (SwitchProfile(feeds="pi-2"), "it powers node pi-2: shut that down, and pull its plug"),
        (SwitchProfile(contact="nc"), "its contact closes whenever this node is off"),
    ],
)
def test_rules_say_what_cannot_be_locked_out(switch: SwitchProfile, why: str) -> None:
    fan = replace(PROFILE.outputs[2], switch=switch)
    (rule,) = rules_of(replace(PROFILE, outputs=(fan,)), {"switch": Pin("switch", [])}).outputs
    assert rule.unlockable.startswith(why)
    assert bool(rule.unlockable) == bool(why)


def test_attached_tells_the_copper_rounded_to_the_safe_side() -> None:
    told = attached(PROFILE, Rack().outputs)
    assert (told.board, told.base_mw, told.hold_max_ns) == ("bench", 3001, 5 * S)
    fan = told.specs[0]
    assert (fan.nominal_mw, fan.inrush_mw, fan.inrush_ns) == (12000, 12000, S // 2)
    assert (fan.min_on_ns, fan.required, told.specs[2].required) == (S, False, True)
    assert told.shed_ns == SHED_NS > 0
    assert told.outputs[2].on


def test_attached_tells_of_each_meter_that_is_known_how_far_it_may_be_believed() -> None:
    meter = MeterProfile("m", "ina219", 1, 0x40, 0.1, 0.0, "energy", 1.0, 0.0, MeterMock())
    board = replace(PROFILE, meters=(meter, replace(meter, name="other", driver="strange")))
    (told,) = attached(board, Rack().outputs).meters
    assert (told.name, told.accuracy) == ("m", accuracy_of(meter))


class Dimmer(Pin):
    """An output that modulates, too."""

    def modulate(self, level: int) -> None:
        if self.fails:
            raise DeviceUnavailable(f"{self.name} is gone")
        self.levels.append(level)

    levels: list[int]


def dimmed() -> tuple[Outputs, Dimmer, list[tuple[str, bool]]]:
    order: list[tuple[str, bool]] = []
    dimmer = Dimmer("lamp", order)
    dimmer.levels = []
    lamp = replace(output("lamp", 18), pwm_hz=100.0, min_level=200)
    outputs = Outputs(replace(PROFILE, outputs=(lamp,)), {"lamp": dimmer}, clock=lambda: 0)
    return outputs, dimmer, order


def level_of(outputs: Outputs) -> int:
    (state,) = outputs.states
    return state.level


def test_level_reaches_what_modulates_and_is_no_switch() -> None:
    outputs, dimmer, order = dimmed()
    (started,) = outputs.handle(HoldAsked(S, Hold(1, "lamp", 2 * S, level=300)))
    assert isinstance(started, Switched)
    assert (started.state.on, started.state.level) == (True, 300)
    assert outputs.handle(HoldAsked(S + 1, Hold(2, "lamp", 2 * S, level=700))) == ()
    assert outputs.handle(HoldAsked(S + 2, Hold(3, "lamp", 2 * S, level=700))) == ()
    assert level_of(outputs) == 700
    assert dimmer.levels == [300, 700], "told once each"
    assert outputs.handle(HoldAsked(S + 3, Hold(4, "lamp", 2 * S))) == ()
    assert order[-1] == ("lamp", True), "full power is a plain level"
    outputs.handle(HoldAsked(S + 4, Hold(5, "lamp", 2 * S, level=200)))
    outputs.handle(TimePassed(2 * S))
    assert order[-1] == ("lamp", False)


def test_level_that_the_pin_does_not_take_ends_the_process() -> None:
    outputs, dimmer, _ = dimmed()
    outputs.handle(HoldAsked(S, Hold(1, "lamp", 2 * S)))
    dimmer.fails = True
    with pytest.raises(DeviceUnavailable, match="lamp is gone"):
        outputs.handle(HoldAsked(S, Hold(1, "lamp", 2 * S, level=300)))


def test_relay_is_never_asked_to_modulate() -> None:
    rack = Rack()
    (refused,) = rack.handle(HoldAsked(rack.now_ns, Hold(1, "fan", rack.now_ns + S, level=999)))
    assert refused == Refused(1, "fan", "level", 0)
    assert rack.state("fan").level == 1000


def test_attached_says_what_modulates_and_how_far_down() -> None:
    outputs, _, _ = dimmed()
    lamp = replace(output("lamp", 18), pwm_hz=100.0, min_level=200)
    board = replace(PROFILE, outputs=(lamp, output("fan", 17)))
    assert [spec.min_level for spec in attached(board, outputs).specs] == [200, 1000]


def test_level_is_told_to_protection_which_does_not_take_a_dimmed_load_for_a_stuck_contact() -> (
    None
):
    now_ns, order = 0, list[tuple[str, bool]]()
    dimmer = Dimmer("lamp", order)
    dimmer.levels = []
    lamp = replace(
        output("lamp", 18), pwm_hz=100.0, min_level=200, meter="m", trip=TripProfile(least_w=8.0)
    )
    outputs = Outputs(replace(PROFILE, outputs=(lamp,)), {"lamp": dimmer}, clock=lambda: now_ns)

    def read(seq: int, level: int) -> list[Switched | Refused]:
        nonlocal now_ns
        now_ns += S
        outputs.handle(HoldAsked(now_ns, Hold(seq, "lamp", now_ns + 5 * S, level=level)))
        reports: list[Switched | Refused] = []
        for _ in range(20):
            now_ns += S // 10
            reports += outputs.read(Reading("m", now_ns, 12.0, 0.1, 0, Quality.FRESH))
        return reports

    assert read(1, 200) == []
    (tripped,) = read(2, 1000)
    assert isinstance(tripped, Switched)
    assert tripped.state.fault.startswith("stuck open")
    assert order[-1] == ("lamp", False)
