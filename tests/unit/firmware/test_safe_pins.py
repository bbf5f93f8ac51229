"""Fails if a pin is forgotten, or a load gets power that is barred or that nobody may know of."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.firmware.left_behind import PROFILE, leave_record, leave_table

from rackgrid_firmware.guard_rules import Kept
from rackgrid_firmware.profile import OutputMock, OutputProfile
from rackgrid_firmware.safe_pins import Plan, known, safe_level

PINS = {"fan": (17, False), "pump": (22, True), "switch": (27, True)}
BARRED = {**PINS, "switch": (27, False)}


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "board.toml"
    path.write_text(PROFILE.format(driver="pi"))
    return path


def plan_of(profile: Path) -> Plan:
    """Make the plan by what lies beside a profile."""
    return known(str(profile), str(profile.parent / "pins"), str(profile.parent / "state"))


def change(profile: Path) -> None:
    """Change a profile, in nothing that matters."""
    profile.write_text(profile.read_text() + "# a comment\n")


@pytest.mark.parametrize("active_high", [True, False])
@pytest.mark.parametrize("required", [True, False])
def test_safe_level_energises_required_outputs_only(active_high: bool, required: bool) -> None:
    output = OutputProfile(
        "x", 17, active_high, required, 1.0, 1.0, 0.0, 0.0, 0.0, "", OutputMock(1.0, 0.0)
    )
    assert (safe_level(output) == active_high) == required


@pytest.mark.parametrize("has_table", [True, False])
def test_plan_is_the_profile_s_safe_levels(profile: Path, has_table: bool) -> None:
    if has_table:
        leave_table(profile)
    plan = plan_of(profile)
    assert (plan.board, plan.driver, plan.pins) == ("bench", "pi", PINS)
    assert (plan.note, plan.problems) == ("", ())


@pytest.mark.parametrize("damage", ["gone", "cut", "not TOML", "a key is wrong"])
def test_plan_of_a_damaged_profile_is_the_table_s_and_that_is_said(
    profile: Path, damage: str
) -> None:
    leave_table(profile, barred=frozenset({"switch"}))
    text = profile.read_text()
    match damage:
        case "gone":
            profile.unlink()
        case "cut":
            profile.write_text(text[: len(text) // 2])
        case "not TOML":
            profile.write_bytes(b"\0\xff" * 100)
        case _:
            profile.write_text(text.replace("nominal_w = 4.0", 'nominal_w = "4 W"'))
    plan = plan_of(profile)
    assert plan.pins == BARRED
    assert plan.note.startswith("as the last firmware knew it, because ")
    assert str(profile) in plan.note


def test_plan_without_profile_and_table_is_none_and_names_both(profile: Path) -> None:
    leave_table(profile)
    table = profile.parent / "pins"
    table.write_text(table.read_text()[:-3])
    profile.write_text("[board")
    with pytest.raises(ValueError, match="nothing else to go by") as caught:
        plan_of(profile)
    assert str(profile) in str(caught.value)
    assert f"{table} is no whole pin table" in str(caught.value)


def test_plan_without_any_file_says_what_to_name(profile: Path) -> None:
    profile.unlink()
    with pytest.raises(ValueError, match="relays safe PROFILE") as caught:
        plan_of(profile)
    assert f"{profile}: No such file or directory" in str(caught.value)
    assert "Errno" not in str(caught.value)


def test_plan_of_a_changed_profile_has_former_pins_too(profile: Path) -> None:
    leave_table(profile)
    text = profile.read_text()
    profile.write_text(text.replace("gpio = 17", "gpio = 5").replace("active_high = false", ""))
    plan = plan_of(profile)
    assert plan.pins == {
        "fan": (5, False),
        "pump": (22, False),
        "switch": (27, True),
        "fan (former)": (17, False),
    }
    assert plan.note == "and 1 that the profile no longer has"


@pytest.mark.parametrize("kept", [Kept(is_locked=True), Kept("9 A", is_welded=True)])
@pytest.mark.parametrize("has_table", [True, False])
def test_required_output_that_is_barred_stays_off_though_the_table_says_nothing(
    profile: Path, has_table: bool, kept: Kept
) -> None:
    """Fails if a required load gets power while somebody's hands are in it."""
    if has_table:
        leave_table(profile)
        change(profile)
    leave_record(profile, switch=kept, fan=Kept(switches=3))
    assert plan_of(profile).pins == BARRED


def test_changed_profile_does_not_energise_what_the_table_has_off(profile: Path) -> None:
    """The card may have refused to take the lockout: then only tmpfs knows it."""
    leave_table(profile, barred=frozenset({"switch"}))
    assert plan_of(profile).pins == BARRED
    change(profile)
    assert plan_of(profile).pins == BARRED


def test_who_may_not_read_of_lockouts_has_only_the_table_to_go_by(
    profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def access(path: str, mode: int) -> bool:
        return not path.endswith("/state")

    (profile.parent / "state").mkdir()
    monkeypatch.setattr("rackgrid_firmware.safe_pins.os.access", access)
    plan = plan_of(profile)
    assert plan.pins == {name: pin for name, pin in PINS.items() if name != "switch"}
    (problem,) = plan.problems
    assert problem.startswith("output switch: a lockout would be in ")
    assert "use sudo" in problem
    leave_table(profile, barred=frozenset({"switch"}))
    change(profile)
    plan = plan_of(profile)
    assert (plan.pins, plan.problems) == (BARRED, ())
