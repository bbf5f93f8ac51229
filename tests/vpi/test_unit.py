"""A unit of a real systemd as a load: what it makes of the words of `adapters/plug/unit.py`.

The other tests of units run over a stand-in, which can only show that we say what we mean. Each
script here is a controller that speaks and is gone: what ends the unit is systemd alone.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.vpi.bench import Pi, wait_until

pytestmark = pytest.mark.vpi

BURN = """\
[Service]
ExecStart=/bin/sleep infinity
TimeoutStopSec=100ms
"""
HEAD = """\
import asyncio, json, subprocess, time
from rackgrid.adapters.plug.unit import Unit
clock = time.monotonic_ns
unit = Unit("burn.service", {freezes}, 300_000_000, clock)
def after(seconds): return clock() + round(seconds * 1e9)
def shown(*names):
    words = ["systemctl", "show", "burn.service", *(f"--property={{name}}" for name in names)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in said.splitlines())
"""
PYTHON = "/opt/rackgrid/venv/bin/python"


@pytest.fixture
def burn(pi: Pi) -> Pi:
    pi.write("/etc/systemd/system/burn.service", BURN)
    pi.run(
        "systemctl daemon-reload; systemctl thaw burn.service; systemctl stop burn.service; true"
    )
    pi.run("systemctl stop 'rackgrid-deadman-*'; systemctl reset-failed")
    return pi


def speak(pi: Pi, script: str, *, freezes: bool = False) -> dict[str, Any]:
    """Let a controller say something and end; return what it printed last."""
    body = HEAD.format(freezes=freezes) + script
    said = pi.run(f"{PYTHON} - <<'END-OF-SCRIPT'\n{body}\nEND-OF-SCRIPT")
    return json.loads(said.splitlines()[-1])


def monotonic_us(pi: Pi, name: str) -> int:
    return int(pi.run(f"systemctl show --value --property={name} burn.service"))


def wait_for(pi: Pi, name: str, value: str) -> None:
    look = f"systemctl show --value --property={name} burn.service"
    wait_until(f"{name} of the unit is {value}", lambda: pi.run(look).strip() == value)


def wait_until_dead(pi: Pi) -> None:
    wait_for(pi, "ActiveState", "inactive")


def test_unit_that_systemd_ends_in_time_is_proven(burn: Pi) -> None:
    said = speak(burn, "print(json.dumps({'missing': asyncio.run(unit.prove())}))")
    assert said == {"missing": ""}
    burn.run("sed -i /TimeoutStopSec/d /etc/systemd/system/burn.service; systemctl daemon-reload")
    said = speak(burn, "print(json.dumps({'missing': asyncio.run(unit.prove())}))")
    assert "may take 1min 30s to stop" in said["missing"]


def test_unit_whose_controller_is_gone_ends_before_the_deadline(burn: Pi) -> None:
    said = speak(
        burn,
        """
deadline = after(5)
held = asyncio.run(unit.hold(deadline, starts=True))
print(json.dumps({"deadline": deadline, "on": held.sight.on, "left": held.sight.left_ns,
                  "latest": held.latest_ns, **shown("ActiveState")}))
""",
    )
    assert said["on"]
    assert said["ActiveState"] == "active"
    assert 0 < said["left"] < 5e9
    assert said["latest"] <= said["deadline"]
    wait_until_dead(burn)
    assert monotonic_us(burn, "InactiveEnterTimestampMonotonic") * 1000 <= said["deadline"]
    assert not burn.run("systemctl list-units --all --no-legend 'rackgrid-deadman-*'").strip()


def test_word_that_comes_too_late_leaves_nothing_on(burn: Pi) -> None:
    """As if the start had been held up on its way to systemd until after its end."""
    burn.run(
        "systemd-run --quiet --unit=rackgrid-deadman-burn-a "
        "--on-boot=$(( $(cut -d. -f1 /proc/uptime) - 3 ))s "
        "--timer-property=AccuracySec=10ms --timer-property=RemainAfterElapse=no "
        "--timer-property=Wants=burn.service --timer-property=Before=burn.service "
        "systemctl stop burn.service"
    )
    wait_until_dead(burn)
    burn.run("sleep 1")
    assert burn.run("systemctl is-active burn.service; true").strip() == "inactive"


def test_unit_is_renewed_without_an_interruption_and_one_timer_is_left(burn: Pi) -> None:
    said = speak(
        burn,
        """
asyncio.run(unit.hold(after(6), starts=True))
begun = shown("ActiveEnterTimestampMonotonic", "MainPID")
for _ in range(5):
    time.sleep(0.3)  # as far apart as a controller renews; nothing is waited for
    held = asyncio.run(unit.hold(after(6), starts=False))
    assert held is not None and held.sight.on
said = subprocess.run(["systemctl", "list-units", "--no-legend", "rackgrid-deadman-*.timer"],
                      capture_output=True, text=True, check=True).stdout
print(json.dumps({"same": begun == shown(*begun), "timers": len(said.split("\\n")) - 1}))
asyncio.run(unit.release())
""",
    )
    assert said == {"same": True, "timers": 1}
    assert burn.run("systemctl is-active burn.service; true").strip() == "inactive"


def test_what_another_controller_left_is_seen_with_its_end(burn: Pi) -> None:
    speak(
        burn, "print(json.dumps({'h': asyncio.run(unit.hold(after(30), starts=True)) is not None}))"
    )
    said = speak(
        burn,
        """
sight = asyncio.run(unit.look())
print(json.dumps({"on": sight.on, "left": sight.left_ns, "sure": sight.sure_ns}))
""",
    )
    assert said["on"]
    assert 0 < said["sure"] <= said["left"] < 30e9


def test_unit_is_frozen_when_its_controller_is_gone(burn: Pi) -> None:
    said = speak(
        burn,
        """
missing = asyncio.run(unit.prove())
deadline = after(5)
held = None if missing else asyncio.run(unit.hold(deadline, starts=True))
print(json.dumps({"missing": missing, "on": held is not None and held.sight.on}))
""",
        freezes=True,
    )
    if said["missing"]:
        assert "cannot be frozen" in said["missing"]
        pytest.skip("this kernel has no unified cgroup hierarchy to freeze in")
    assert said["on"]
    wait_for(burn, "FreezerState", "frozen")
    assert burn.run("systemctl is-active burn.service").strip() == "active"
    burn.run("systemctl thaw burn.service")
