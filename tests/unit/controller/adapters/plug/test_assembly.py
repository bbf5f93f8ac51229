"""From the configuration to the bank: which way leads to which plug."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.adapters.plug.device import ShellyDevice, TasmotaDevice

from rackgrid.adapters.plug.actuator import Actuator
from rackgrid.adapters.plug.assembly import bank_of
from rackgrid.adapters.plug.generic import Generic
from rackgrid.adapters.plug.unit import Unit
from rackgrid.adapters.private_file import write_new
from rackgrid.config import Config, LoadConfig
from rackgrid.config_file import load_config
from rackgrid.deadman import MS_NS, SECOND_NS, timer_of
from rackgrid.errors import ConfigError, TransportError
from rackgrid_firmware.link import Lock

FILE = """
[rack]
name = "demo"
interface = "lo"
grant_s = 5
[feed]
capacity_w = 300
[node]
name = "pi-1"
board = "board.toml"
runtime_dir = "."
[[load]]
name = "heater"
worth = 1
nominal_w = 40.0001
inrush_w = 60
inrush_s = 2
min_on_s = 3
min_off_s = 4
"""


def config(folder: Path, lines: str) -> Config:
    (folder / "board.toml").write_text('[board]\nname = "b"\ndriver = "mock"\nbase_w = 1\n')
    (folder / "rackgrid.toml").write_text(FILE + lines)
    return load_config(folder / "rackgrid.toml")


def actuator(folder: Path, lines: str) -> Actuator:
    bank = bank_of(config(folder, lines), time.monotonic_ns)
    assert bank is not None
    return bank._sockets["heater"].actuator


def test_board_alone_needs_no_bank(tmp_path: Path) -> None:
    made = config(tmp_path, 'unit = "burn.service"')
    alone = replace(made, loads=(LoadConfig("fan", "fan", "flexible", 1.0),))
    assert bank_of(alone, time.monotonic_ns) is None


def test_watts_are_rounded_up_and_times_kept(tmp_path: Path) -> None:
    bank = bank_of(config(tmp_path, 'unit = "burn.service"'), time.monotonic_ns)
    assert bank is not None
    socket = bank._sockets["heater"]
    assert (socket.nominal_mw, socket.inrush_mw) == (40_001, 60_000)
    assert (socket.inrush_ns, socket.min_on_ns, socket.min_off_ns) == (
        2 * SECOND_NS,
        3 * SECOND_NS,
        4 * SECOND_NS,
    )


def test_rules_of_the_configuration_reach_the_guard_both_ways(tmp_path: Path) -> None:
    lines = (
        "hold_s = 2\nswitches_per_day = 9\ncontact_life = 1000\nstart_delay_s = 3600\n"
        'unit = "burn.service"\n[[load]]\nname = "boiler"\nworth = 1\nnominal_w = 5\n'
        'http = "shelly://b"\nnot_with = ["heater"]\ndead_s = 3'
    )
    bank = bank_of(config(tmp_path, lines), time.monotonic_ns)
    assert bank is not None
    heater, boiler = (bank._sockets[name] for name in ("heater", "boiler"))
    assert (heater.hold_ns, heater.switches_per_day) == (2 * SECOND_NS, 9)
    assert heater.contact_life == 1000
    assert 0 < heater.calm_until_ns < 3600 * SECOND_NS
    assert boiler.calm_until_ns == 0
    assert (heater.not_with, boiler.not_with) == (("boiler",), ("heater",))
    assert boiler.dead_ns == 3 * SECOND_NS
    assert len(bank._rules_for(SECOND_NS).outputs) == 2


def test_lockouts_and_starts_are_kept_where_they_outlive_what_they_must(tmp_path: Path) -> None:
    """Fails if a lockout lies on tmpfs alone, or each start goes to the card."""
    made = config(tmp_path, 'unit = "burn.service"')
    node = replace(made.node, state_dir=tmp_path / "state", runtime_dir=tmp_path / "run")
    for each in (node.state_dir, node.runtime_dir):
        each.mkdir()
    bank = bank_of(replace(made, node=node), time.monotonic_ns)
    assert bank is not None
    bank.attach(SECOND_NS)
    bank.handle(Lock(1, "heater", True))
    bank.close()
    kept = [
        path.read_text()
        for path in (node.state_dir / "plugs.json", node.runtime_dir / "plug-starts.json")
    ]
    assert all('"is_locked": true' in text for text in kept)


def test_unit_gets_what_grants_leave_for_its_stopping(tmp_path: Path) -> None:
    made = actuator(tmp_path, 'unit = "burn.service"\nsafe = "freeze"')
    assert isinstance(made, Unit)
    assert made._freezes
    assert 2700 * MS_NS < made._spare_ns < 2800 * MS_NS


def test_shelly_over_http_is_reached_with_its_password(tmp_path: Path) -> None:
    device = ShellyDevice()
    try:
        device.password = "open sesame"
        write_new(tmp_path / "password", "open sesame\n")
        lines = f'http = "shelly://{device.address}"\npassword_file = "password"'
        made = actuator(tmp_path, lines)
        assert asyncio.run(made.prove()) == ""
        asyncio.run(made.hold(time.monotonic_ns() + 5 * SECOND_NS, starts=True))
        assert device.relay.is_on
    finally:
        device.close()


def test_tasmota_over_http_is_reached_with_its_password(tmp_path: Path) -> None:
    device = TasmotaDevice()
    try:
        device.password = "open & sesame"
        write_new(tmp_path / "password", "open & sesame\n")
        lines = f'http = "tasmota://{device.address}"\npassword_file = "password"'
        made = actuator(tmp_path, lines)
        assert asyncio.run(made.prove()) == ""
        asyncio.run(made.hold(time.monotonic_ns() + 5 * SECOND_NS, starts=True))
        assert device.relay.is_on
    finally:
        device.close()


@pytest.mark.parametrize("make", ["shelly", "tasmota"])
def test_plugs_over_mqtt_share_one_line_and_its_delay(tmp_path: Path, make: str) -> None:
    server = '\n[mqtt]\nhost = "127.0.0.1"\n'
    made = bank_of(config(tmp_path, f'mqtt = "{make}://plug-1"{server}'), time.monotonic_ns)
    assert made is not None
    assert made._line is not None
    assert made._sockets["heater"].actuator.timer == timer_of(make, "mqtt")
    assert made._sockets["heater"].is_judged, "one answer says state and watts"


def test_plug_of_any_maker_is_one_that_its_topics_describe(tmp_path: Path) -> None:
    lines = (
        'mqtt = "generic://a/set"\nstate_topic = "a"\npower_topic = "b"\n'
        'on_payload = "on {seconds}"\n[mqtt]\nhost = "127.0.0.1"\n'
    )
    (tmp_path / "board.toml").write_text('[board]\nname = "b"\ndriver = "mock"\nbase_w = 1\n')
    path = tmp_path / "rackgrid.toml"
    path.write_text(FILE.replace("grant_s = 5", "grant_s = 6") + lines)
    made = bank_of(load_config(path), time.monotonic_ns)
    assert made is not None
    assert made._line is not None
    assert not made._sockets["heater"].is_judged
    plug = made._sockets["heater"].actuator
    assert isinstance(plug, Generic)
    assert plug.timer == timer_of("generic", "mqtt")
    with pytest.raises(TransportError, match="no MQTT server"):
        asyncio.run(plug.look())


def test_bank_without_plugs_over_mqtt_has_no_line(tmp_path: Path) -> None:
    made = bank_of(config(tmp_path, 'http = "shelly://a.lan"'), time.monotonic_ns)
    assert made is not None
    assert made._line is None


def test_password_file_that_is_not_there_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'heater' password_file .*gone cannot be read"):
        actuator(tmp_path, 'http = "shelly://a.lan"\npassword_file = "gone"')
