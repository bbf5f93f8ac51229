"""Fails if a profile may ask of a chip what it cannot do, or is not told what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.part import PARTS
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.profile_table import DRIVERS

BOARD = '[board]\nname = "b"\ndriver = "pi"\nbase_w = 4\n'
ELEVEN = '"ina219" or "pi-ina219" or "ina226" or "ina260" or "ina3221" or "hwmon" or "iio"'


def meter(driver: str, *lines: str, name: str = "m") -> str:
    return "\n".join(["[[meter]]", f'name = "{name}"', f'driver = "{driver}"', *lines, ""])


def load(folder: Path, text: str, board: str = BOARD) -> list[str]:
    """The findings of a board with these meters, without the path; the board has four lines."""
    path = folder / "board.toml"
    path.write_text(board + text)
    try:
        load_profile(path)
    except ProfileError as error:
        return [finding.removeprefix(str(path)) for finding in error.findings]
    return []


def profiles(folder: Path, text: str) -> tuple[MeterProfile, ...]:
    path = folder / "board.toml"
    path.write_text(BOARD + text)
    return load_profile(path).meters


GOOD = {
    "ina219": meter("ina219", "address = 0x4f"),
    "pi-ina219": meter("pi-ina219", "address = 0x40"),
    "ina226": meter("ina226", "address = 0x40", "shunt_ohms = 0.005", "amps_max = 16"),
    "ina260": meter("ina260", "address = 0x40", "amps_max = 15"),
    "ina3221": meter("ina3221", "address = 0x43", "channel = 3", "shunt_ohms = 0.1"),
    "hwmon": meter("hwmon", 'path = "/sys/class/hwmon/hwmon2"'),
    "iio": meter("iio", 'path = "1-0041"', "shunt_ohms = 0.1"),
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_each_driver_has_a_meter_that_is_accepted(tmp_path: Path, driver: str) -> None:
    (made,) = profiles(tmp_path, GOOD[driver])
    assert made.driver == driver


def test_meter_has_the_shunt_inside_or_its_own_or_the_kernels(tmp_path: Path) -> None:
    ohms = {driver: profiles(tmp_path, text)[0].shunt_ohms for driver, text in GOOD.items()}
    assert ohms == {
        "ina219": 0.1,
        "pi-ina219": 0.1,
        "ina226": 0.005,
        "ina260": 0.002,
        "ina3221": 0.1,
        "hwmon": 0.0,
        "iio": 0.1,
    }


def test_meter_of_the_kernel_has_a_path_and_no_address(tmp_path: Path) -> None:
    (made,) = profiles(tmp_path, GOOD["hwmon"] + "channel = 2\n")
    assert (made.path, made.channel) == ("/sys/class/hwmon/hwmon2", 2)
    assert (made.bus, made.address) == (0, 0)


def test_three_channels_of_one_ina3221_may_share_an_address(tmp_path: Path) -> None:
    text = "".join(
        meter("ina3221", "address = 0x40", f"channel = {n}", "shunt_ohms = 0.1", name=f"m{n}")
        for n in (1, 2, 3)
    )
    assert [made.channel for made in profiles(tmp_path, text)] == [1, 2, 3]


def triple(name: str, *lines: str) -> str:
    return meter("ina3221", "address = 0x40", "shunt_ohms = 0.1", *lines, name=name)


NOT = "take this line away"
BROKEN = {
    "no such driver": (
        meter("ina32", "address = 0x40"),
        [f':7: [[meter]] "m" driver: not one of the choices (got "ina32"); allowed: {ELEVEN}; '
         "did you mean 'ina3221'?"],
    ),
    "no address": (
        meter("ina219"),
        [':5: [[meter]] "m" address: missing: I2C address; allowed: 0x40 to 0x4f'],
    ),
    "address misspelt": (
        meter("ina219", "adress = 0x40"),
        [":8: [[meter]] \"m\" adress: unknown key; did you mean 'address'?"],
    ),
    "address beyond the ina3221": (
        meter("ina3221", "address = 0x44", "channel = 1", "shunt_ohms = 0.1"),
        [':8: [[meter]] "m" address: no INA3221 answers here (got 0x44); allowed: 0x40 to 0x43'],
    ),
    "no channel": (
        triple("m"),
        [':5: [[meter]] "m" channel: missing: which of the chip\'s shunts; allowed: 1 to 3'],
    ),
    "channel beyond": (
        triple("m", "channel = 4"),
        [':10: [[meter]] "m" channel: too large (got 4); allowed: 1 to 3'],
    ),
    "channel of a chip that has one": (
        meter("ina226", "address = 0x40", "shunt_ohms = 0.01", "channel = 1"),
        [f':10: [[meter]] "m" channel: not with driver = "ina226": the chip has a single channel; '
         f"{NOT}"],
    ),
    "channel twice": (
        triple("m", "channel = 2") + triple("n", "channel = 2"),
        [':16: [[meter]] "n" channel: used already in line 10, by [[meter]] "m"; each needs its '
         "own (got 2)"],
    ),
    "channels that convert differently": (
        triple("m", "channel = 1") + triple("n", "channel = 2", 'profile = "fast"'),
        [':17: [[meter]] "n" profile: one INA3221 converts alike for all its channels, and '
         '[[meter]] "m" has another (got "fast"); allowed: "energy"'],
    ),
    "an ina3221 and another chip at one address": (
        triple("m", "channel = 1") + triple("n", "channel = 2")
        + meter("ina226", "address = 0x40", "shunt_ohms = 0.1", name="o"),
        [':20: [[meter]] "o" address: used already in line 8, by [[meter]] "m"; each needs its own '
         "(got 0x40)"],
    ),
    "no shunt": (
        meter("ina226", "address = 0x40"),
        [':5: [[meter]] "m" shunt_ohms: missing: the shunt; allowed: as printed on it: R100 is '
         "0.1 ohm, R010 is 0.01, R002 is 0.002"],
    ),
    "shunt beside the one inside": (
        meter("ina260", "address = 0x40", "shunt_ohms = 0.002"),
        [':9: [[meter]] "m" shunt_ohms: not with driver = "ina260": the INA260\'s shunt of 0.002 '
         f"ohm is inside, and `gain` corrects it; {NOT}"],
    ),
    "more than the ina226 sees": (
        meter("ina226", "address = 0x40", "shunt_ohms = 0.1", "amps_max = 3"),
        [':10: [[meter]] "m" amps_max: 3 A through 0.1 ohm is 300 mV, and the chip sees at most '
         "81.92 mV; fit a shunt of at most 0.0273 ohm, or expect at most 0.819 A"],
    ),
    "more than the ina3221 sees": (
        triple("m", "channel = 1", "amps_max = 2"),
        [':11: [[meter]] "m" amps_max: 2 A through 0.1 ohm is 200 mV, and the chip sees at most '
         "163.8 mV; fit a shunt of at most 0.0819 ohm, or expect at most 1.63 A"],
    ),
    "more than the ina260 bears": (
        meter("ina260", "address = 0x40", "amps_max = 20"),
        [':9: [[meter]] "m" amps_max: 20 A is more than the shunt inside an INA260 bears; expect '
         "at most 15 A, or take an INA226 with a shunt of its own"],
    ),
    "path of a chip that we read": (
        meter("ina219", "address = 0x40", 'path = "1-0040"'),
        [':9: [[meter]] "m" path: not with driver = "ina219": `bus` and `address` find the INA219; '
         f'only "hwmon" and "iio" have a path; {NOT}'],
    ),
    "no path": (
        meter("hwmon"),
        [':5: [[meter]] "m" path: missing: where the kernel driver shows the chip; allowed: a '
         'directory such as "/sys/class/hwmon/hwmon2", or its I2C device as "1-0041"'],
    ),
    "path that is neither": (
        meter("hwmon", 'path = "hwmon2"'),
        [':8: [[meter]] "m" path: not understood (got "hwmon2"); allowed: an absolute path, or an '
         'I2C device as "1-0041"'],
    ),
    "what the kernel decides": (
        meter("hwmon", 'path = "/x"', "bus = 1", "address = 0x40", 'profile = "fast"',
              "feed_ohms = 0.1"),
        [f':{line}: [[meter]] "m" {key}: not with driver = "hwmon": {why}; {NOT}'
         for line, key, why in (
             (9, "bus", "a kernel driver has the chip, and `path` finds it"),
             (10, "address", "a kernel driver has the chip, and `path` finds it"),
             (11, "profile", "the kernel driver decides how the chip converts"),
             (12, "feed_ohms", "what its kernel driver makes of V and I is not known, nor how far "
              "to believe it"),
         )],
    ),
    "iio without a shunt": (
        meter("iio", 'path = "1-0041"', "channel = 2"),
        [':5: [[meter]] "m" shunt_ohms: missing: the shunt; allowed: as printed on it: R100 is '
         "0.1 ohm, R010 is 0.01, R002 is 0.002",
         ':9: [[meter]] "m" channel: not with driver = "iio": the chips that it reads have a '
         f"single channel; {NOT}"],
    ),
    "path twice": (
        meter("hwmon", 'path = "1-0041"') + meter("hwmon", 'path = "1-0041"', name="n"),
        [':9: [[meter]] "n" channel: used already in line 5, by [[meter]] "m"; each needs its own '
         "(got 1)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "findings"), BROKEN.values(), ids=list(BROKEN))
def test_meter_that_cannot_be_is_refused_with_what_to_write(
    tmp_path: Path, text: str, findings: list[str]
) -> None:
    assert load(tmp_path, text) == findings


@pytest.mark.parametrize("driver", ["hwmon", "iio"])
def test_kernel_driver_on_a_mock_board_is_refused(tmp_path: Path, driver: str) -> None:
    (finding,) = load(tmp_path, GOOD[driver], BOARD.replace('"pi"', '"mock"'))
    assert finding == (
        ':7: [[meter]] "m" driver: a mock board has no kernel drivers; '
        'write the chip\'s own name, such as "ina226"'
    )


def test_examples_of_the_hardware_page_are_accepted_and_cover_every_driver(
    tmp_path: Path,
) -> None:
    page = (Path(__file__).parents[3] / "hardware" / "README.md").read_text()
    example = page.split("```toml\n")[1].split("```")[0]
    assert {made.driver for made in profiles(tmp_path, example)} == set(DRIVERS)


def test_every_chip_that_is_advised_is_a_driver() -> None:
    assert set(GOOD) == set(DRIVERS) >= set(PARTS)


def test_ina219_is_set_up_key_by_key(tmp_path: Path) -> None:
    lines = ('shunt_range = "80mV"', 'shunt_adc = "32x"', 'bus_adc = "9bit"', 'bus_range = "16V"')
    (made,) = profiles(tmp_path, meter("ina219", "address = 0x40", *lines))
    assert (made.shunt_range, made.shunt_adc, made.bus_adc) == ("80mV", "32x", "9bit")
    assert made.bus_range == "16V"


@pytest.mark.parametrize(
    ("driver", "lines", "expected"),
    [
        ("ina219", (), "auto"),
        ("pi-ina219", (), "auto"),
        ("ina219", ("amps_max = 2",), ""),
        ("ina219", ("amps_max = 2", 'shunt_range = "auto"'), "auto"),
        ("ina226", ("shunt_ohms = 0.1",), ""),
    ],
)
def test_range_is_chosen_by_what_is_expected_or_by_itself(
    tmp_path: Path, driver: str, lines: tuple[str, ...], expected: str
) -> None:
    (made,) = profiles(tmp_path, meter(driver, "address = 0x40", *lines))
    assert made.shunt_range == expected


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            meter("ina219", "address = 0x40", 'shunt_range = "50mV"'),
            ':9: [[meter]] "m" shunt_range: not one of the choices (got "50mV"); allowed: "40mV" '
            'or "80mV" or "160mV" or "320mV" or "auto"',
        ),
        (
            meter("ina219", "address = 0x40", 'shunt_adc = "3x"'),
            ':9: [[meter]] "m" shunt_adc: not one of the choices (got "3x")',
        ),
        (
            meter("ina219", "address = 0x40", "amps_max = 1", 'shunt_range = "80mV"'),
            ':10: [[meter]] "m" shunt_range: amps_max through 0.1 ohm is 100 mV, which is beyond '
            'its end (got "80mV"); allowed: a wider range, or "auto"',
        ),
        (
            meter("ina226", "address = 0x40", "shunt_ohms = 0.1", 'bus_range = "16V"'),
            ':10: [[meter]] "m" bus_range: not with driver = "ina226": only an INA219 is set up '
            "key by key; take this line away",
        ),
        (
            meter("hwmon", 'path = "1-0041"', 'bus_adc = "9bit"'),
            ':9: [[meter]] "m" bus_adc: not with driver = "hwmon"',
        ),
    ],
)
def test_setting_that_the_chip_cannot_keep_is_refused(
    tmp_path: Path, text: str, finding: str
) -> None:
    (found,) = load(tmp_path, text)
    assert found.startswith(finding)
