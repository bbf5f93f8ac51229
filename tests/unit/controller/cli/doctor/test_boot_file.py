"""Fails if a line of config.txt is taken for another, or for none."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import put

from rackgrid.cli.doctor.boot_file import parse, read_boot_file
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.unknown import Unknown

TEXT = """\
# dtparam=spi=on
dtparam=i2c_arm=on,i2c_arm_baudrate=400000
dtparam=strict_gpiod   # relays
dtoverlay=w1-gpio,gpiopin=5
[pi4]
gpio=17,22-24=op,dl
gpio=4=op,dh
gpio=25=ip,pu
[none]
dtparam=i2s=on
gpio=26=op,dh
[all]
dtparam=watchdog=on
"""


def test_lines_are_read_and_comments_and_switched_off_parts_are_not() -> None:
    found = parse(Path("config.txt"), TEXT)
    assert found.has("strict_gpiod")
    assert found.has("i2c_arm")
    assert found.has("watchdog")
    assert not found.has("spi")
    assert not found.has("i2s")
    assert "i2c_arm_baudrate=400000" in found.parameters
    assert found.overlays == ("w1-gpio,gpiopin=5",)
    assert found.driven == {17: False, 22: False, 23: False, 24: False, 4: True}


@pytest.mark.parametrize("line", ["gpio=", "gpio=x=op,dh", "gpio=3-=op", "gpio=1-x=op,dl", "gpio"])
def test_lines_that_mean_nothing_drive_nothing(line: str) -> None:
    assert parse(Path("config.txt"), line).driven == {}


def test_huge_span_of_pins_is_cut_at_the_last_pin() -> None:
    assert max(parse(Path("config.txt"), "gpio=0-999999999=op,dl").driven) == 53


def test_file_is_found_at_its_new_place_and_at_its_old(tmp_path: Path) -> None:
    assert isinstance(read_boot_file(Host(tmp_path)), Unknown)
    put(tmp_path, "/boot/config.txt", "dtparam=spi=on")
    old = read_boot_file(Host(tmp_path))
    assert not isinstance(old, Unknown)
    assert old.has("spi")
    put(tmp_path, "/boot/firmware/config.txt", "dtparam=i2s=on")
    new = read_boot_file(Host(tmp_path))
    assert not isinstance(new, Unknown)
    assert (new.has("spi"), new.has("i2s")) == (False, True)
