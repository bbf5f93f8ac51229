"""The demo's rack: its files, its ports, its processes, and nothing of it left afterwards."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rackgrid.cli.demo import rack as racks
from rackgrid.cli.demo.rack import DemoNode, DemoRack
from rackgrid.config_file import load_config
from rackgrid.errors import RackgridError
from rackgrid_firmware.profile_file import load_profile

DEADLINE_S = 15.0


def until(what: str, condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, what
        select.select([], [], [], 0.01)


def draws(rack: DemoRack) -> dict[str, dict[str, float]]:
    assert rack._control is not None
    return {name: node["loads"] for name, node in rack._control.draws()["nodes"].items()}


def test_rack_is_made_acted_upon_and_cleared_away() -> None:
    with DemoRack(2, seed=3) as rack:
        first, second = rack.nodes
        assert rack.node("pi-2") is second
        assert rack.node("pi-9") is None
        for node in rack.nodes:
            config = load_config(node.config)
            assert load_profile(config.node.board).driver == "mock"
            assert config.rack.expect == 2
            assert config.web.port == node.api_port
        assert load_config(first.config).sources[-1].name == "solar", "the panel is at the first"
        assert len(load_config(second.config).sources) == 1
        until("the servers are fed", lambda: all(d["server"] > 0 for d in draws(rack).values()))
        act_on(rack, second)
        pids = [c.pid for n in rack.nodes for c in (n.firmware, n.controller) if c is not None]
        assert len(pids) == 4
    assert not rack.folder.exists()
    assert not any(c.running for n in rack.nodes for c in (n.firmware, n.controller) if c)


def act_on(rack: DemoRack, node: DemoNode) -> None:
    rack.set_load("pi-1", "server", 2.0)
    until("the server draws less", lambda: 0 < draws(rack)["pi-1"]["server"] < 2.5)
    with pytest.raises(ValueError, match="no output 'boiler'"):
        rack.set_load("pi-1", "boiler", 2.0)
    rack.set_tariff(0.77)
    assert json.loads((rack.folder / "tariff.json").read_text()) == {"price": 0.77}
    rack.set_sun(0.0)
    assert node.controller is not None
    killed = node.controller.pid
    rack.kill(node)
    assert node.dead
    assert not node.controller.running
    assert node.firmware is not None
    assert node.firmware.running, "it goes on by itself"
    rack.revive(node)
    assert not node.dead
    assert node.controller.running
    assert node.controller.pid != killed
    rack.revive(node)
    assert node.controller.pid != killed, "who lives is not started twice"


def test_rack_that_cannot_be_made_clears_away_what_there_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(racks, "_PROFILE", "[board]\nname = 'x'\n{panel}{stagger_s}\n")
    rack = DemoRack(1, seed=1)
    with pytest.raises(RackgridError, match=r"firmware ended with 78 .*board.toml:"), rack:
        pass
    assert not rack.folder.exists()
    firmware = rack.nodes[0].firmware
    assert firmware is not None
    assert not firmware.running


def test_rack_ports_are_different_free_and_below_those_of_outgoing_connections() -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = racks._free_ports(13)
    assert len(set(ports)) == 13
    assert max(ports) < max(low, 32000)
    for port in ports:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))


def test_rack_ports_that_are_taken_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    (free,) = racks._free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(racks, "_PORTS", [taken.getsockname()[1], free])
        assert racks._free_ports(1) == [free]
        with pytest.raises(RackgridError, match="no 2 free ports"):
            racks._free_ports(2)
