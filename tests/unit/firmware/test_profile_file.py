import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rackgrid_firmware.errors import DeviceError, ProfileError
from rackgrid_firmware.part import INA219
from rackgrid_firmware.profile_file import load_profile, read_profile

PROFILES = Path(__file__).parents[3] / "hardware" / "profiles"
SHIPPED = sorted(PROFILES.glob("*.toml"))

BOARD = '[board]\nname = "b"\ndriver = "mock"\nbase_w = 4\n'


def load(folder: Path, text: str) -> list[str]:
    """The findings of a profile, without the path; [] if it is good."""
    path = folder / "board.toml"
    path.write_text(text)
    try:
        load_profile(path)
    except ProfileError as error:
        return [finding.removeprefix(str(path)) for finding in error.findings]
    return []


@pytest.mark.parametrize("pulled", ["up", "down"])
def test_pull_of_the_board_is_taken(tmp_path: Path, pulled: str) -> None:
    path = tmp_path / "board.toml"
    path.write_text(
        f'{BOARD}[[output]]\nname = "o"\ngpio = 17\nnominal_w = 10\npulled = "{pulled}"\n'
    )
    assert load_profile(path).outputs[0].pulled == pulled


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_profile_is_good_and_prudent(path: Path) -> None:
    profile = load_profile(path)
    assert profile.name == path.stem
    assert profile.base_w > 0
    assert any(output.required for output in profile.outputs)
    assert any(not output.required for output in profile.outputs)
    for output in profile.outputs:
        # Below GPIO 9 a Pi pulls its pins up until the firmware starts: the relay would close.
        assert output.gpio >= 9
        assert output.active_high
    if profile.driver == "pi":
        assert path.read_text().count("#") > len(profile.outputs) * 3


def test_both_profiles_ship() -> None:
    assert {path.name for path in SHIPPED} >= {"mock-demo.toml", "pi-relay4.toml"}


def test_profile_with_defaults_has_them_all(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_text(
        f'{BOARD}[[meter]]\nname = "m"\naddress = 0x40\n'
        '[[output]]\nname = "o"\ngpio = 17\nnominal_w = 10\n'
    )
    profile = load_profile(path)
    assert (profile.hold_max_s, profile.stagger_s) == (20.0, 0.2)
    (meter,), (output,) = profile.meters, profile.outputs
    assert (meter.driver, meter.bus, meter.shunt_ohms, meter.amps_max) == ("ina219", 1, 0.1, 0.0)
    assert (meter.profile, meter.gain, meter.offset_a, meter.mock.source_w) == ("energy", 1, 0, 0)
    assert (meter.shunt_tolerance_percent, meter.calibrated) == (1.0, "")
    assert (output.active_high, output.required, output.meter) == (True, False, "")
    assert output.pulled == ""
    assert (output.inrush_w, output.inrush_s) == (10.0, 0.0)
    assert (output.min_on_s, output.min_off_s) == (0.0, 0.0)
    assert (output.mock.draw_w, output.mock.noise) == (9.5, 0.02)


def test_profile_without_outputs_and_meters_is_a_board_that_only_votes(tmp_path: Path) -> None:
    assert load(tmp_path, BOARD) == []


def test_profile_error_carries_every_finding_and_is_a_device_error(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_text("[board]\n")
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert isinstance(caught.value, DeviceError)
    assert isinstance(caught.value, ValueError)
    assert len(caught.value.findings) == 3
    assert str(caught.value) == "\n".join(caught.value.findings)


def test_profile_that_is_not_there_is_a_profile_error(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="No such file"):
        load_profile(tmp_path / "none.toml")


METER = '[[meter]]\nname = "m"\naddress = 0x40\n'
OUTPUT = '[[output]]\nname = "o"\ngpio = 17\nnominal_w = 10\n'

BROKEN = {
    "calibrated without its uncertainty": (
        f'{BOARD}{METER}calibrated = "2026-11-26"\nuncertainty_a = 0.001\n',
        [
            ':8: [[meter]] "m" calibrated: a calibration needs its uncertainty, and '
            "uncertainty_percent is missing; `rackgrid meter calibrate` writes both"
        ],
    ),
    "uncertain since when": (
        f"{BOARD}{METER}uncertainty_percent = 0.2\n",
        [
            ':8: [[meter]] "m" uncertainty_percent: says nothing without the day: '
            "add `calibrated`, or leave this out"
        ],
    ),
    "calibrated on no day": (
        f'{BOARD}{METER}calibrated = "2026-02-30"\n'
        "uncertainty_a = 0.001\nuncertainty_percent = 0.2\n",
        [
            ':8: [[meter]] "m" calibrated: no such day (day is out of range for month) '
            '(got "2026-02-30"); allowed: a date such as "2026-11-26"'
        ],
    ),
    "calibrated some day": (
        f'{BOARD}{METER}calibrated = "last week"\n',
        [
            ':8: [[meter]] "m" calibrated: not understood (got "last week"); '
            'allowed: a date such as "2026-11-26"'
        ],
    ),
    "nothing": ("", [":1: [board]: missing; it needs name, driver, base_w"]),
    "driver": (
        BOARD.replace('"mock"', '"mok"'),
        [
            ':3: [board] driver: not one of the choices (got "mok"); allowed: "mock" or "pi"; '
            "did you mean 'mock'?"
        ],
    ),
    "hold too long": (
        f"{BOARD}hold_max_s = 90\n",
        [":5: [board] hold_max_s: too large (got 90); allowed: 0.5 to 60 s"],
    ),
    "misspelt": (
        BOARD.replace("base_w", "base_W"),
        [":4: [board] base_W: unknown key; did you mean 'base_w'?"],
    ),
    "misspelt table": (
        f"{BOARD}[[metre]]\n",
        [":5: [[metre]]: unknown table; allowed: [board], [[meter]], [[output]]; "
         "did you mean 'meter'?"],
    ),
    "address beyond": (
        BOARD + METER.replace("0x40", "0x50"),
        [':7: [[meter]] "m" address: too large (got 0x50); allowed: 0x40 to 0x4f'],
    ),
    "address in quotes": (
        BOARD + METER.replace("0x40", '"0x40"'),
        [
            ':7: [[meter]] "m" address: expected a whole number (got "0x40"); '
            "allowed: 0x40 to 0x4f; did you mean 0x40?"
        ],
    ),
    "address twice": (
        BOARD + METER + METER.replace('"m"', '"n"'),
        [
            ':10: [[meter]] "n" address: used already in line 7, by [[meter]] "m"; '
            "each needs its own (got 0x40)"
        ],
    ),
    "meter name twice": (
        BOARD + METER + METER.replace("0x40", "0x41"),
        [
            ':9: [[meter]] "m" name: used already in line 6, by [[meter]] "m"; '
            'each needs its own (got "m")'
        ],
    ),
    "shunt saturates": (
        f"{BOARD}{METER}amps_max = 5\n",
        [
            ':8: [[meter]] "m" amps_max: 5 A through 0.1 ohm is 500 mV, and the chip sees at most '
            "320 mV; fit a shunt of at most 0.064 ohm, or expect at most 3.2 A"
        ],
    ),
    "conversion": (
        f'{BOARD}{METER}profile = "fats"\n',
        [
            ':8: [[meter]] "m" profile: not one of the choices (got "fats"); '
            "allowed: \"energy\" or \"fast\" or \"inrush\"; did you mean 'fast'?"
        ],
    ),
    "pin twice": (
        BOARD + OUTPUT + OUTPUT.replace('"o"', '"p"'),
        [
            ':11: [[output]] "p" gpio: used already in line 7, by [[output]] "o"; '
            "each needs its own (got 17)"
        ],
    ),
    "serial pin": (
        BOARD + OUTPUT.replace("17", "14"),
        [
            ':7: [[output]] "o" gpio: GPIO 14 may not switch a load: it is the serial console '
            "(TXD), which goes high while the Pi boots; allowed: 4 to 13 and 16 to 27, best 9 and "
            "above"
        ],
    ),
    "bus pin": (
        BOARD + OUTPUT.replace("17", "2"),
        [
            ':7: [[output]] "o" gpio: GPIO 2 may not switch a load: it is I2C data (SDA), which '
            "the meters need; allowed: 4 to 13 and 16 to 27, best 9 and above"
        ],
    ),
    "header pin": (
        BOARD + OUTPUT.replace("17", "40"),
        [':7: [[output]] "o" gpio: too large (got 40); allowed: 2 to 27'],
    ),
    "gpio misspelt": (
        BOARD + OUTPUT.replace("gpio", "gpoi"),
        [":7: [[output]] \"o\" gpoi: unknown key; did you mean 'gpio'?"],
    ),
    "no such meter": (
        f'{BOARD}{METER}{OUTPUT}meter = "n"\n',
        [':12: [[output]] "o" meter: no such meter (got "n"); allowed: "m"'],
    ),
    "inrush below nominal": (
        f"{BOARD}{OUTPUT}inrush_w = 9.5\n",
        [
            ':9: [[output]] "o" inrush_w: a start takes at least what running takes (got 9.5); '
            "allowed: nominal_w or more, 10 W"
        ],
    ),
    "draw above nominal": (
        f"{BOARD}{OUTPUT}mock = {{ draw_w = 11 }}\n",
        [
            ':9: [[output]] "o" mock draw_w: a load draws at most its nameplate (got 11); '
            "allowed: at most 10 W, or lies = true"
        ],
    ),
    "mock misspelt": (
        f"{BOARD}{OUTPUT}[output.mock]\nnoize = 0\n",
        [":10: [[output]] \"o\" mock noize: unknown key; did you mean 'noise'?"],
    ),
    "unit in quotes": (
        BOARD + OUTPUT.replace("10", '"10 W"'),
        [
            ':8: [[output]] "o" nominal_w: expected a number of watts (got "10 W"); '
            "allowed: 0 to 100000 W; did you mean 10?"
        ],
    ),
    "flag as text": (
        f'{BOARD}{OUTPUT}required = "yes"\n',
        [':9: [[output]] "o" required: expected true or false (got "yes"); did you mean true?'],
    ),
    "python's true": (
        f"{BOARD}{OUTPUT}required = True\n",
        [":9: column 12: not TOML: Invalid value; did you mean 'true'?"],
    ),
    "no name": (
        f"{BOARD}[[output]]\ngpio = 17\nnominal_w = 1\n",
        [
            ":5: [[output]] #1 name: missing: what the configuration calls this output; "
            "allowed: 1 to 32 of a-z 0-9 _ -"
        ],
    ),
    "single brackets": (
        BOARD + OUTPUT.replace("[[output]]", "[output]"),
        [":5: [output]: there may be several; write [[output]]"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "findings"), BROKEN.values(), ids=list(BROKEN))
def test_broken_profile_says_where_what_and_what_was_meant(
    tmp_path: Path, text: str, findings: list[str]
) -> None:
    assert load(tmp_path, text) == findings


def test_profile_with_many_mistakes_reports_them_together(tmp_path: Path) -> None:
    findings = load(
        tmp_path,
        BOARD.replace("4", "-4")
        + METER
        + "amps_max = 4\n"
        + OUTPUT.replace("17", "15")
        + 'meter = "x"\ninrush_w = 1\n',
    )
    assert [finding.split(":")[1] for finding in findings] == ["4", "8", "11", "13", "14"]


@given(st.floats(0.001, 1000), st.floats(0.0001, 10))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_saturating_shunt_is_refused_with_limits_that_are_accepted(
    tmp_path: Path, amps: float, ohms: float
) -> None:
    """What the message advises must work: a limit that was rounded up would be refused again."""
    findings = load(tmp_path, f"{BOARD}{METER}amps_max = {amps!r}\nshunt_ohms = {ohms!r}\n")
    assert bool(findings) == (amps * ohms > INA219.shunt_v_max * (1 + 1e-9))
    if findings:
        ohms_advised = findings[0].split("at most ")[2].split(" ohm")[0]
        amps_advised = findings[0].split("at most ")[3].split(" A")[0]
        assert float(ohms_advised) * amps <= INA219.shunt_v_max * (1 + 1e-9)
        assert float(amps_advised) * ohms <= INA219.shunt_v_max * (1 + 1e-9)


_lines = st.lists(
    st.sampled_from(
        [*BOARD.splitlines(), *METER.splitlines(), *OUTPUT.splitlines(), "mock = {}", "[board]"]
    )
    | st.text("abgmnopw_[]={}.\"'#0 \n", max_size=20),
    max_size=20,
)


@given(st.binary(max_size=60) | _lines.map(lambda lines: "\n".join(lines).encode()))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_profile_of_any_bytes_is_a_profile_or_findings(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(raw)
    profile, findings = read_profile(path)
    assert (profile is None) == bool(findings)
    assert all(str(finding).startswith(f"{path}:") for finding in findings)


def test_profile_module_imports_nothing_heavy() -> None:
    """The firmware reads its profile at its start, on a small Pi."""
    program = (
        "import sys; import rackgrid_firmware.profile_file; "
        "print(*(sys.modules.keys() & {'asyncio', 'difflib', 'socket', 'typing_extensions', "
        "'email', 'http', 'rackgrid', 'gpiozero', 'smbus2'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
