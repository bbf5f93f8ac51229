"""Fails if the table says of a load something else than its pin, its module and the kernel do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid.cli.doctor.boot_file import parse
from rackgrid.cli.doctor.boot_table import boot_table
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid_firmware.profile import OutputProfile, SwitchProfile
from rackgrid_firmware.profile_file import load_profile

ROOT = Path(__file__).parents[5]
SHIPPED = load_profile(ROOT / "hardware" / "profiles" / "pi-relay4.toml")
NO_LINES = parse(Path("config.txt"), "")


def row(output: OutputProfile, boot: str = "", keeps: bool | Unknown = True) -> dict[str, str]:
    board = replace(SHIPPED, outputs=(output,))
    (only,) = boot_table(board, parse(Path("config.txt"), boot), keeps)
    return only


def test_every_output_has_a_row_required_ones_too() -> None:
    rows = boot_table(SHIPPED, NO_LINES, True)
    assert [(each["output"], each["kind"]) for each in rows] == [
        ("server", "required"),
        ("fan", "flexible"),
        ("lamp", "flexible"),
        ("pump", "flexible"),
    ]
    assert rows[0] == {
        "output": "server",
        "kind": "required",
        "GPIO": "17",
        "module": "coil at high, NO",
        "at power-on": "pulled down: off",
        "by config.txt": "as before",
        "firmware killed": "as it was, then on",
        "safe state": "on",
    }


@pytest.mark.parametrize(
    ("active_high", "contact", "gpio", "pulled", "says"),
    [
        (False, "no", 22, "", "pulled down: on"),
        (False, "no", 5, "", "pulled up: off"),
        (True, "no", 5, "", "pulled up: on"),
        (True, "no", 5, "down", "pulled down by the board: off"),
        (True, "nc", 17, "", "pulled down: on"),
        (False, "nc", 17, "", "pulled down: off"),
    ],
)
def test_power_on_is_by_pull_polarity_and_contact(
    active_high: bool, contact: str, gpio: int, pulled: str, says: str
) -> None:
    output = replace(
        SHIPPED.outputs[0],
        active_high=active_high,
        gpio=gpio,
        pulled=pulled,
        switch=SwitchProfile(contact=contact),
    )
    said = row(output)
    assert said["at power-on"] == says
    level = "high" if active_high else "low"
    assert said["module"] == f"coil at {level}, {contact.upper()}"


@pytest.mark.parametrize(
    ("line", "says"), [("", "as before"), ("gpio=22=op,dh", "dh: on"), ("gpio=22=op,dl", "dl: off")]
)
def test_boot_line_drives_the_load(line: str, says: str) -> None:
    assert row(SHIPPED.outputs[1], line)["by config.txt"] == says


def test_boot_disk_that_cannot_be_read_says_nothing() -> None:
    rows = boot_table(SHIPPED, Unknown("no boot disk"), True)
    assert {each["by config.txt"] for each in rows} == {"not known"}


@pytest.mark.parametrize(
    ("keeps", "says"),
    [
        (True, "as it was, then off"),
        (False, "on"),
        (Unknown("no word"), "as it was, or on"),
    ],
)
def test_killed_firmware_leaves_the_load_as_the_kernel_and_the_pull_have_it(
    keeps: bool | Unknown, says: str
) -> None:
    """A flexible load at a pin that is pulled to its active side: the worst of them."""
    fan = replace(SHIPPED.outputs[1], gpio=22, active_high=False)
    assert row(fan, keeps=keeps)["firmware killed"] == says


def test_load_that_is_dimmed_has_no_contact() -> None:
    assert row(replace(SHIPPED.outputs[1], pwm_hz=100.0))["module"] == "on at high, pulses"
