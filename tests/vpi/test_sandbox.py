"""The units' sandboxes, tried from inside: what they keep out, and that rackgrid works within."""

from __future__ import annotations

import re

import pytest
from tests.vpi.bench import Pi, ScriptFailed, wait_until
from tests.vpi.node import CONTROLLER, FIRMWARE, RACKGRID, Node
from tests.vpi.rack import configure

pytestmark = pytest.mark.vpi

EXPOSURE_MAX = 2.0
UNITS = (FIRMWARE, CONTROLLER)
WELL = (
    *("pi-model", "lgpio", "gpiochip", "gpio-access", "i2c-device", "i2c-kernel-driver"),
    *("meter-answers", "meter-plausible", "service-watchdog", "fail-safe-helper"),
    *("profile-in-force", "lgpio-directory", "disk-writable", "runtime-in-memory"),
    *("interface", "multicast", "daemon", "clones", "rejected-datagrams", "broker", "load-faults"),
)
"""What the doctor must find well, having looked at a kernel's own devices."""


@pytest.fixture(scope="module")
def working(pi: Pi) -> Node:
    """A node of a rack of one, both of whose units run."""
    node = Node(pi)
    node.reset()
    configure(node, expect=1)
    node.start(CONTROLLER)
    wait_until("it leads its rack of one", lambda: node.pi.state().get("role") == "broker")
    wait_until("its lamp burns", lambda: node.on()["lamp"])
    return node


def inside(node: Node, unit: str, command: str) -> str:
    """Try a command as root, but in a unit's control group and mount namespace."""
    group, pid = node.show(unit, "ControlGroup"), node.pid(unit)
    # The group first: once inside the namespace its files cannot be written.
    script = f"echo $$ >/sys/fs/cgroup{group}/cgroup.procs; exec nsenter -t {pid} -m -- {command}"
    try:
        return node.pi.run(f"bash -c '{script}'")
    except ScriptFailed as refused:
        return str(refused)


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_denied_nothing_that_it_needs(working: Node, unit: str) -> None:
    journal = working.journal(unit)
    assert not re.search(r"(?i)denied|not permitted|traceback|trouble|\bbug\b", journal), journal
    assert working.show(unit, "NRestarts") == "0"
    assert working.show(unit, "SubState") == "running"


@pytest.mark.parametrize("unit", UNITS)
def test_process_has_no_rights(working: Node, unit: str) -> None:
    status = working.pi.run(f"cat /proc/{working.pid(unit)}/status")
    found = dict(re.findall(r"^(\w+):\s+(.*)$", status, re.MULTILINE))
    assert int(found["Uid"].split()[0]) > 0
    assert {found[key] for key in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"


def test_firmware_has_its_devices_and_no_other_and_no_network(working: Node) -> None:
    assert inside(working, FIRMWARE, "dd if=/dev/gpiochip0 count=0 status=none") == ""
    assert inside(working, FIRMWARE, "dd if=/dev/i2c-1 count=0 status=none") == ""
    for device in ("/dev/ubda", "/dev/mem", "/dev/hwrng"):
        assert "Operation not permitted" in inside(
            working, FIRMWARE, f"dd if={device} count=0 status=none"
        )
    links = working.pi.run(f"nsenter -t {working.pid(FIRMWARE)} -n -- ip -br link")
    assert "lo " in links
    assert "eth0" not in links
    assert working.pi.run("ls -A /run/rackgrid-firmware | grep lgd-nfy").strip(), "LG_WD's pipe"


def test_controller_has_no_device(working: Node) -> None:
    for device in ("/dev/gpiochip0", "/dev/i2c-1", "/dev/ubda"):
        assert "No such file" in inside(working, CONTROLLER, f"dd if={device} count=0 status=none")


@pytest.mark.parametrize("unit", UNITS)
def test_system_is_read_only_inside(working: Node, unit: str) -> None:
    assert "Read-only file system" in inside(working, unit, "touch /etc/rackgrid/board.toml")


@pytest.mark.parametrize("unit", UNITS)
def test_running_unit_is_scored_tight_by_systemd(working: Node, unit: str) -> None:
    said = working.pi.run(f"systemd-analyze security --no-pager {unit}")
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert score is not None
    assert float(score[1]) <= EXPOSURE_MAX


def test_doctor_on_a_node_that_works_finds_nothing_wrong(working: Node) -> None:
    said = working.pi.run(f"{RACKGRID} doctor")
    verdicts = {code: word for word, code in re.findall(r"^  ([A-Z]+) (\S+):", said, re.MULTILINE)}
    assert "FAIL" not in verdicts.values(), said
    assert {code: verdicts[code] for code in WELL} == dict.fromkeys(WELL, "PASS"), said
