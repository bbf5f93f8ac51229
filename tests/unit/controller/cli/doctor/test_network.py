"""Fails if a network that keeps nodes apart passes for one that does not."""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.cli.api import Record
from rackgrid.cli.doctor import network
from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.network import CHECKS, Facts, another, groups_of, judge, look, loop
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.config import Config
from rackgrid.config_file import load_config

ROOT = Path(__file__).parents[5]
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
SOUND = Facts(
    interface="eth0",
    state="up",
    interfaces=("eth0", "lo"),
    group="224.0.0.224",
    loop="",
    another="",
    has_group=True,
    is_wireless=False,
    is_vlan=False,
    in_container="",
    snoops=(),
    port="free",
)
WORLDS = [
    world("interface", PASS, "eth0 is up"),
    world("interface", PASS, "lo is there", interface="lo", state="unknown"),
    world("interface", FAIL, "there are: lo", interfaces=("lo",)),
    world("interface", FAIL, "is down", state="down"),
    world("interface", SKIP, "no word", state=Unknown("no word")),
    world("multicast", PASS, "comes back"),
    world("multicast", FAIL, "has not come back", loop="it has not come back in 1 s"),
    world("multicast", SKIP, "another machine", loop=Unknown("another machine")),
    world("multicast-processes", PASS, "another process hears"),
    world("multicast-processes", FAIL, "cannot join", another="a second process cannot join"),
    world("multicast-processes", SKIP, "another machine", another=Unknown("another machine")),
    world("multicast-joined", PASS, "eth0 has 224.0.0.224"),
    world("multicast-joined", FAIL, "restart rackgrid", has_group=False),
    world("multicast-joined", SKIP, "no daemon", has_group=Unknown("no daemon runs")),
    world("multicast-path", PASS, "nothing seen"),
    world("multicast-path", WARN, "host's network", in_container="docker"),
    world("multicast-path", WARN, "bridge of containers", interface="docker0"),
    world("multicast-path", WARN, "Wi-Fi", is_wireless=True),
    world("multicast-path", WARN, "VLAN", is_vlan=True),
    world("multicast-path", WARN, "querier", snoops=("br0",), group="239.1.2.3"),
    world("multicast-path", PASS, "nothing seen", snoops=("br0",)),
    world("web-port", PASS, "free"),
    world("web-port", PASS, "the daemon serves it", port="ours"),
    world("web-port", FAIL, "ss -ltnp", port="127.0.0.1:8470: Address already in use"),
    world("web-port", SKIP, "enabled = false", port=Unknown("enabled = false")),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_network_is_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_network_without_a_configuration_is_skipped(tmp_path: Path) -> None:
    found = list(judge(look(case_in(tmp_path))))
    assert {finding.grade for finding in found} == {SKIP}
    assert len(found) == len(CHECKS)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    put(tmp_path, "board.toml", (ROOT / "hardware/profiles/pi-relay4.toml").read_bytes())
    text = (ROOT / "systemd/rackgrid.toml").read_text().replace('"eth0"', '"lo"')
    return load_config(put(tmp_path, "rackgrid.toml", text))


def test_look_reads_what_the_interface_is(tmp_path: Path, config: Config) -> None:
    put(tmp_path, "/sys/class/net/lo/operstate", "unknown\n")
    put(tmp_path, "/sys/class/net/lo/wireless/status", "")
    put(tmp_path, "/sys/class/net/br0/bridge/multicast_snooping", "1\n")
    put(tmp_path, "/sys/class/net/br0/bridge/multicast_querier", "0\n")
    put(tmp_path, "/sys/class/net/br1/bridge/multicast_snooping", "1\n")
    put(tmp_path, "/sys/class/net/br1/bridge/multicast_querier", "1\n")
    put(tmp_path, "/proc/net/vlan/lo", "")
    put(tmp_path, "/run/systemd/container", "lxc\n")
    facts = look(case_in(tmp_path, config=config))
    assert isinstance(facts, Facts)
    assert (facts.interface, facts.state) == ("lo", "unknown")
    assert facts.interfaces == ("br0", "br1", "lo")
    assert (facts.is_wireless, facts.is_vlan, facts.in_container) == (True, True, "lxc")
    assert facts.snoops == ("br0",)
    assert isinstance(facts.loop, Unknown)
    assert isinstance(facts.port, Unknown)


IGMP = """\
Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter
1\tlo        :     1      V3
\t\t\t\t010000E0     1 0:00000000\t\t0
2\teth0      :     2      V3
\t\t\t\tE00000E0     1 0:00000000\t\t0
\t\t\t\t010000E0     1 0:00000000\t\t0
"""


@pytest.mark.skipif(sys.byteorder == "big", reason="the listing is of a little-endian machine")
def test_groups_are_those_of_the_one_interface(tmp_path: Path, config: Config) -> None:
    assert groups_of(IGMP, "eth0") == {"224.0.0.224", "224.0.0.1"}
    assert groups_of(IGMP, "lo") == {"224.0.0.1"}
    assert groups_of(IGMP, "eth") == groups_of("", "lo") == set()
    put(tmp_path, "/proc/net/igmp", IGMP)
    facts = look(case_in(tmp_path, config=config, state=Record({})))
    assert isinstance(facts, Facts)
    assert facts.has_group is False, "the rack is on lo"


def test_loop_comes_back_on_a_network_that_works(config: Config) -> None:
    assert loop(config) == ""


def test_loop_that_came_back_while_we_stood_still_has_come_back(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if a busy machine is taken for a network that swallows multicast."""
    monkeypatch.setattr(network, "LOOP_S", 0.0)
    send = network.Transport.send_multicast

    def sent_and_stood_still(transport: network.Transport, data: bytes) -> bool:
        is_sent = send(transport, data)
        select.select(transport.filenos(), [], [], 10.0)
        return is_sent

    monkeypatch.setattr(network.Transport, "send_multicast", sent_and_stood_still)
    assert loop(config) == ""


def test_another_process_hears_on_a_network_that_works(config: Config) -> None:
    assert another(config) == ""


def test_loop_on_an_interface_that_is_not_there_says_so(config: Config) -> None:
    gone = replace(config, rack=replace(config.rack, interface="none0"))
    assert "there is no interface none0" in loop(gone)


def test_loop_that_nothing_answers_is_given_up(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf(_self: object) -> list[object]:
        return []

    monkeypatch.setattr(network, "LOOP_S", 0.05)
    monkeypatch.setattr(network.Transport, "receive", deaf)
    assert "has not come back" in loop(config)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def port_of(config: Config, **web: object) -> str | Unknown:
    changed = replace(config, web=replace(config.web, **web))  # type: ignore[arg-type]
    facts = look(case_in(Path("/"), host=Host(), config=changed))
    assert isinstance(facts, Facts)
    return facts.port


def test_port_that_another_program_has_is_named(config: Config, taken: int) -> None:
    port = port_of(config, port=taken)
    assert port == f"127.0.0.1:{taken}: Address already in use"


def test_port_that_nobody_has_is_free(config: Config) -> None:
    with socket.socket() as lent:
        lent.bind(("127.0.0.1", 0))
        number = lent.getsockname()[1]
    assert port_of(config, port=number) == "free"


@pytest.mark.parametrize("web", [{"port": 0}, {"enabled": False}])
def test_port_that_is_none_is_not_known(config: Config, web: dict[str, object]) -> None:
    assert isinstance(port_of(config, **web), Unknown)


def test_port_that_the_daemon_answers_at_is_ours(tmp_path: Path, config: Config) -> None:
    facts = look(case_in(tmp_path, config=config, state=Record({})))
    assert isinstance(facts, Facts)
    assert facts.port == "ours"
