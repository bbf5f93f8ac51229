"""Fails if a profile that contradicts itself about somebody's safety is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.profile import OutputProfile, SwitchProfile, TripProfile
from rackgrid_firmware.profile_file import load_profile

HEAD = """\
[board]
name = "b"
driver = "mock"
base_w = 4
[[meter]]
name = "own"
address = 0x40
amps_max = 2.0
gain = 0.9
[[meter]]
name = "shared"
address = 0x41
[[output]]
name = "lamp"
gpio = 22
nominal_w = 10
meter = "shared"
[[output]]
name = "always"
gpio = 23
nominal_w = 10
required = true
meter = "shared"
[[output]]
name = "fan"
gpio = 24
nominal_w = 20
"""


def outputs(folder: Path, keys: str) -> dict[str, OutputProfile]:
    """Read a board whose output `fan` has these keys."""
    path = folder / "board.toml"
    path.write_text(HEAD + keys)
    return {output.name: output for output in load_profile(path).outputs}


def complaint(folder: Path, keys: str) -> str:
    """Say what is wrong with it: one finding, without file and line."""
    with pytest.raises(ProfileError) as caught:
        outputs(folder, keys)
    (finding,) = caught.value.findings
    return finding.partition('"fan" ')[2]


def test_output_without_any_of_these_keys_is_bound_by_nothing_new(tmp_path: Path) -> None:
    fan = outputs(tmp_path, "")["fan"]
    assert (fan.switch, fan.trip) == (SwitchProfile(), TripProfile())
    assert (fan.is_high_on, fan.is_safe_on) == (True, False)


def test_output_says_how_it_may_be_switched_and_what_takes_it_off(tmp_path: Path) -> None:
    fan = outputs(
        tmp_path,
        'meter = "own"\nhold_s = 5\nswitches_per_day = 30\ncontact_life = 100000\n'
        'not_with = ["lamp"]\ndead_s = 0.5\ntrip_a = 1.8\nrating_a = 1.5\ntrip_tau_s = 20\n'
        "trip_below_v = 10.5\ntrip_below_s = 2\nshed_rank = 3\ndischarge_s = 0.5\nleak_w = 0.1\n"
        "least_w = 1\n",
    )["fan"]
    assert fan.switch == SwitchProfile(5.0, 30, 100000, ("lamp",), 0.5)
    assert fan.trip == TripProfile(1.8, 1.5, 20.0, 10.5, 2.0, 3, 0.5, 0.1, 1.0)


def test_exclusion_said_of_one_holds_for_both(tmp_path: Path) -> None:
    both = outputs(tmp_path, 'not_with = ["lamp"]')
    assert both["lamp"].switch.not_with == ("fan",)


def test_normally_closed_contact_of_a_required_load_turns_the_pin_round(tmp_path: Path) -> None:
    fan = outputs(tmp_path, 'required = true\ncontact = "nc"')["fan"]
    assert (fan.active_high, fan.is_high_on, fan.is_safe_on) == (True, False, True)


def test_required_load_may_be_off_when_nobody_is_in_charge(tmp_path: Path) -> None:
    assert not outputs(tmp_path, 'required = true\nsafe = "off"')["fan"].is_safe_on
    assert outputs(tmp_path, 'required = true\nsafe = "on"')["fan"].is_safe_on


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ('safe = "on"', "safe: a load that is on when nobody is in charge is always counted as on"),
        ('contact = "nc"', "contact: a normally closed contact gives power whenever the Pi is off"),
        (
            'required = true\ncontact = "nc"\nsafe = "off"',
            "safe: a normally closed contact is closed whenever the Pi is off",
        ),
        ("required = true\nhold_s = 1", "hold_s: says nothing of a required load"),
        ("required = true\nswitches_per_day = 9", "switches_per_day: says nothing of a required"),
        ('required = true\nnot_with = ["lamp"]', "not_with: says nothing of a required load"),
        ('feeds = "pi-2"', "feeds: the market must not switch off node pi-2, perhaps the broker"),
        (
            'feeds = "pi-2"\nrequired = true\nsafe = "off"',
            'safe: the safe state of what powers node pi-2 is "on"',
        ),
        (
            'feeds = "pi-2"\nrequired = true\nmeter = "own"\ntrip_a = 1',
            "trip_a: a trip would cut off node pi-2: protect its supply by a fuse",
        ),
        (
            'not_with = ["lmap"]',
            'not_with: no such output (got "lmap"); allowed: "always", "fan", ',
        ),
        ('not_with = ["fan"]', "not_with: an output cannot exclude itself"),
        ('not_with = ["always"]', 'not_with: "always" is required, so this one could never be on'),
        ("trip_a = 1", "trip_a: nothing measures this output: name its `meter`"),
        ("trip_below_v = 10", "trip_below_v: nothing measures this output: name its `meter`"),
        ('meter = "shared"\ntrip_a = 1', 'trip_a: its meter "shared" sees 3 outputs and cannot'),
        ('meter = "shared"\nleast_w = 1', 'least_w: its meter "shared" sees 3 outputs and cannot'),
        (
            'meter = "own"\ntrip_a = 1.9',
            'trip_a: its meter "own" does not see so much (got 1.9); allowed: at most 1.8 A;',
        ),
        ('meter = "own"\ntrip_a = 1\nrating_a = 1', "rating_a: what it bears for ever is below"),
        ('meter = "own"\nleast_w = 21', "least_w: more than its nameplate (got 21); allowed: at"),
    ],
)
def test_profile_that_contradicts_itself_is_refused_with_what_to_do(
    tmp_path: Path, keys: str, says: str
) -> None:
    assert complaint(tmp_path, keys).startswith(says)


def test_undervoltage_may_be_seen_by_a_shared_meter(tmp_path: Path) -> None:
    fan = outputs(tmp_path, 'meter = "shared"\ntrip_below_v = 10')["fan"]
    assert fan.trip.trip_below_v == 10.0
