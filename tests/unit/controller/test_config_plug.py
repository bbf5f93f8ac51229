"""Loads that no pin switches, as `rackgrid.toml` has them; mistakes are in the corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid.config import PlugConfig
from rackgrid.config_file import load_config, read_config

BOARD = """
[board]
name = "bare"
driver = "mock"
base_w = 1
"""
HEAD = """
[rack]
name = "demo"
interface = "lo"
grant_s = 5
[feed]
capacity_w = 300
[node]
name = "pi-1"
board = "board.toml"
[mqtt]
host = "server.lan"
[[load]]
name = "heater"
worth = 1
nominal_w = 40
"""


def read(folder: Path, lines: str) -> PlugConfig:
    (folder / "board.toml").write_text(BOARD)
    (folder / "rackgrid.toml").write_text(HEAD + lines)
    load, *_ = load_config(folder / "rackgrid.toml").loads
    assert load.output == "heater"
    assert load.plug is not None
    return load.plug


@pytest.mark.parametrize(
    ("line", "make", "address", "channel"),
    [
        ('unit = "burn@2.service"', "unit", "burn@2.service", 0),
        ('user_unit = "burn.service"', "unit", "burn.service", 0),
        ('http = "shelly://192.168.1.20"', "shelly", "192.168.1.20", 0),
        ('http = "shelly://plug.lan:8080/3"', "shelly", "plug.lan:8080", 3),
        ('http = "tasmota://plug.lan"', "tasmota", "plug.lan", 1),
        ('mqtt = "tasmota://cellar/heater/2"', "tasmota", "cellar/heater", 2),
        ('mqtt = "shelly://shellyplus1pm-7c87"', "shelly", "shellyplus1pm-7c87", 0),
        ('mqtt = "generic://a/set/1"\nstate_topic = "a"', "generic", "a/set/1", 0),
    ],
)
def test_plug_is_read(tmp_path: Path, line: str, make: str, address: str, channel: int) -> None:
    plug = read(tmp_path, line)
    assert plug.way == line.split()[0]
    assert (plug.make, plug.address, plug.channel) == (make, address, channel)


def test_facts_of_a_plug_have_defaults(tmp_path: Path) -> None:
    plug = read(tmp_path, 'unit = "burn.service"')
    assert (plug.nominal_w, plug.inrush_w, plug.inrush_s) == (40, 40, 0)
    assert (plug.min_on_s, plug.min_off_s, plug.safe) == (0, 0, "off")
    assert plug.password_file is None


def test_facts_of_a_plug_are_read(tmp_path: Path) -> None:
    lines = "inrush_w = 90\ninrush_s = 2\nmin_on_s = 60\nmin_off_s = 300\n"
    plug = read(tmp_path, lines + 'safe = "off"\npassword_file = "p"\nhttp = "shelly://a/0"')
    assert (plug.inrush_w, plug.inrush_s, plug.min_on_s, plug.min_off_s) == (90, 2, 60, 300)
    assert plug.password_file == tmp_path / "p"


@pytest.mark.parametrize(
    "vital",
    ["sshd", "dbus", "systemd-networkd", "rackgrid", "NetworkManager", "user@1000", "getty@tty1"],
)
def test_what_the_node_lives_by_is_not_switched(tmp_path: Path, vital: str) -> None:
    (tmp_path / "board.toml").write_text(BOARD)
    (tmp_path / "rackgrid.toml").write_text(HEAD + f'unit = "{vital}.service"')
    findings = read_config(tmp_path / "rackgrid.toml").findings
    assert ["never switched" in str(finding) for finding in findings] == [True]
