"""Fails if an output gets two pins or none, or a relay is asked to pulse."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.profile_file import load_profile

BOARD = '[board]\nname = "b"\ndriver = "mock"\nbase_w = 4\n'
LAMP = '[[output]]\nname = "lamp"\nnominal_w = 10\n'


def findings(folder: Path, text: str) -> list[str]:
    path = folder / "board.toml"
    path.write_text(BOARD + text)
    try:
        load_profile(path)
    except ProfileError as error:
        return [finding.removeprefix(str(path)) for finding in error.findings]
    return []


def test_output_with_pwm_modulates_with_its_defaults(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text(f'{BOARD}{LAMP}pwm = 18\n[[output]]\nname = "o"\ngpio = 17\nnominal_w = 1\n')
    lamp, other = load_profile(path).outputs
    assert (lamp.gpio, lamp.pwm_hz, lamp.min_level) == (18, 100.0, 100)
    assert (other.gpio, other.pwm_hz, other.min_level) == (17, 0.0, 1000)
    path.write_text(f"{BOARD}{LAMP}pwm = 18\npwm_hz = 400\nmin_level = 0.25\n")
    (lamp,) = load_profile(path).outputs
    assert (lamp.pwm_hz, lamp.min_level) == (400.0, 250)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            LAMP,
            ':5: [[output]] "lamp" gpio: missing: BCM number of the pin, not of the header; '
            "or `pwm`; allowed: 2 to 27",
        ),
        (
            f"{LAMP}gpio = 17\npwm = 18\n",
            ':9: [[output]] "lamp" pwm: one output, two pins: keep `gpio` for a relay, or `pwm` '
            "for what modulates",
        ),
        (
            f"{LAMP}pwm = 18\nrequired = true\n",
            ':8: [[output]] "lamp" pwm: a required load gets all of its power: write `gpio`, or '
            "drop `required`",
        ),
        (
            f"{LAMP}gpio = 17\npwm_hz = 100\n",
            ':9: [[output]] "lamp" pwm_hz: says nothing of a relay: leave it out, or write `pwm` '
            "for `gpio`",
        ),
        (
            f"{LAMP}pwm = 14\n",
            ':8: [[output]] "lamp" pwm: GPIO 14 may not switch a load: it is the serial console '
            "(TXD), which goes high while the Pi boots; allowed: 4 to 13 and 16 to 27, best 9 and "
            "above",
        ),
        (
            f'{LAMP}pwm = 17\n[[output]]\nname = "fan"\nnominal_w = 1\ngpio = 17\n',
            ':12: [[output]] "fan" gpio: used already in line 8, by [[output]] "lamp"; each needs '
            "its own (got 17)",
        ),
        (
            f'{LAMP}pwm = 17\n[[output]]\nname = "fan"\nnominal_w = 1\npwm = 17\n',
            ':12: [[output]] "fan" pwm: used already in line 8, by [[output]] "lamp"; each needs '
            "its own (got 17)",
        ),
        (
            f"{LAMP}gpoi = 17\n",
            ":8: [[output]] \"lamp\" gpoi: unknown key; did you mean 'gpio'?",
        ),
        (
            f"{LAMP}pwm = 40\n",
            ':8: [[output]] "lamp" pwm: too large (got 40); allowed: 2 to 27',
        ),
        (
            f"{LAMP}pwm = 18\npwm_hz = 1000\nmin_level = 0.05\n",
            ':10: [[output]] "lamp" min_level: a pulse of 50 us, at 1000 Hz, is too short for a '
            "program (got 0.05); allowed: at least 0.1 at 1000 Hz, or a lower `pwm_hz`",
        ),
        (
            f"{LAMP}pwm = 18\nmin_level = 0\n",
            ':9: [[output]] "lamp" min_level: too small (got 0); allowed: 0.01 to 1',
        ),
    ],
)
def test_pins_that_cannot_be_are_told_once_with_what_to_do(
    tmp_path: Path, text: str, said: str
) -> None:
    assert findings(tmp_path, text) == [said]


def test_heartbeat_and_an_output_that_modulates_do_not_share_a_pin(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text(f"{BOARD}heartbeat_pin = 18\n{LAMP}pwm = 18\n")
    with pytest.raises(ProfileError, match=r"GPIO 18 is .*a pin that pulses can switch nothing"):
        load_profile(path)
    path.write_text(f"{BOARD}heartbeat_pin = 17\n{LAMP}pwm = 18\n")
    assert load_profile(path).heartbeat_pin == 17


def test_normally_closed_contact_does_not_modulate(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, f'{LAMP}pwm = 18\ncontact = "nc"\n')
    assert "a normally closed contact gives power whenever the Pi is off" in found
