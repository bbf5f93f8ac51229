"""The fail-safe ladder, rung by rung: whatever ends, what it held goes off, and nothing pulses.

Each test lets a lamp burn under a hold that lasts longer than all that is waited for, then ends
something. What the lines did is read from the kernel, which notes every edge.
"""

from __future__ import annotations

import pytest
from tests.vpi.bench import wait_until
from tests.vpi.node import (
    CONTROLLER,
    FIRMWARE,
    LAMP,
    LEFT,
    MIN_OFF_S,
    PUMP,
    RACKGRID,
    SERVER,
    Node,
    levels,
    of,
    output,
)

from rackgrid_firmware.link import Attached, OutputState, Switched, Telemetry

pytestmark = pytest.mark.vpi

DRIVEN_ON, DRIVEN_OFF, LET_GO_OFF = (True, True), (True, False), (False, False)
"""(is output, level) of a line of an active-high load."""


@pytest.fixture
def burning(node: Node) -> Node:
    """A firmware whose lamp is held for 20 s by a hand that was left to itself."""
    node.start()
    node.leave_hand("hold lamp 19.9 listen 600")
    wait_until("the lamp burns", lambda: node.on()["lamp"])
    node.plant.forget_edges()
    return node


def held_until_ns(node: Node) -> int:
    """The lamp's deadline, as the hand that was left has been told."""
    telemetries = of(Telemetry, node.left_hand_was_told())
    return max(output(telemetry.outputs, "lamp").deadline_ns for telemetry in telemetries)


def attached(node: Node) -> dict[str, OutputState]:
    """How the outputs stand for a controller that comes now."""
    (hello,) = of(Attached, node.hand("until attached"))
    return {state.name: state for state in hello.outputs}


def test_sigterm_makes_every_output_safe_and_ends_well(burning: Node) -> None:
    deadline_ns = held_until_ns(burning)
    burning.pi.run(f"systemctl stop {FIRMWARE}")
    (off,) = burning.plant.edges(LAMP)
    assert (off.is_output, off.level) == DRIVEN_OFF
    assert off.t_ns < deadline_ns
    assert not burning.plant.edges(SERVER), "a required load does not notice"
    assert not burning.plant.edges(PUMP)
    assert burning.show(FIRMWARE, "Result") == "success"
    assert burning.on() == {"server": True, "lamp": False, "pump": False}
    (last,) = (r for r in of(Switched, burning.left_hand_was_told()) if not r.state.on)
    assert last.state.cause == "safe"


def test_sigkill_leaves_the_load_on_until_the_helper_opens_it(burning: Node) -> None:
    deadline_ns = held_until_ns(burning)
    killed = burning.pid()
    burning.pi.run(f"systemctl kill --kill-whom=main -s KILL {FIRMWARE}")
    burning.wait_for_restart(killed)
    (off,) = burning.plant.edges(LAMP)
    assert (off.is_output, off.level) == DRIVEN_OFF, "as Raspberry Pi OS keeps it: driven"
    assert off.t_ns < deadline_ns
    assert not burning.plant.edges(SERVER)
    assert not burning.plant.edges(PUMP)
    assert "safe: 3 outputs" in burning.journal()


def test_sigkill_with_strict_gpiod_lets_go_at_once_and_never_pulses(burning: Node) -> None:
    deadline_ns = held_until_ns(burning)
    killed = burning.pid()
    burning.plant.lets_go(strict=True)
    burning.pi.run(f"systemctl kill --kill-whom=main -s KILL {FIRMWARE}")
    burning.wait_for_restart(killed)
    first, *later = burning.plant.edges(LAMP)
    assert (first.is_output, first.level) == LET_GO_OFF
    assert first.t_ns < deadline_ns
    assert not any(edge.level for edge in later), "it never comes back on"
    assert all(edge.level for edge in burning.plant.edges(PUMP)), "its pull holds it off"
    assert burning.on() == {"server": True, "lamp": False, "pump": False}


def test_strict_gpiod_takes_a_required_load_s_power_while_no_process_has_its_pin(
    burning: Node,
) -> None:
    # Why hardware/doctor.md asks for a resistor towards "on", or the relay's other contact.
    burning.plant.lets_go(strict=True)
    burning.pi.run(f"systemctl stop {FIRMWARE}")
    assert "safe: 3 outputs" in burning.journal()
    assert burning.on() == {"server": False, "lamp": False, "pump": False}
    burning.start()
    assert burning.on() == {"server": True, "lamp": False, "pump": False}
    burning.plant.pull(SERVER, "up")
    burning.plant.forget_edges()
    burning.pi.run(f"systemctl restart {FIRMWARE}")
    assert all(edge.level for edge in burning.plant.edges(SERVER)), "with that resistor it stays on"


def test_restart_of_the_firmware_opens_what_was_held_and_blinks_no_required_load(
    burning: Node,
) -> None:
    burning.pi.run(f"systemctl restart {FIRMWARE}")
    assert levels(burning.plant.edges(LAMP)) == [DRIVEN_OFF]
    assert not burning.plant.edges(SERVER)
    assert not burning.plant.edges(PUMP)


def test_relays_safe_leaves_a_running_firmware_its_pins_and_acts_once_it_is_gone(
    burning: Node,
) -> None:
    said = burning.pi.run(f"{RACKGRID} relays safe && exit 1 || exit 0")
    assert 'is held by "lg"' in said
    assert "systemctl stop rackgrid-firmware" in said
    assert not burning.plant.edges()
    burning.pi.run(
        f"mkdir -p /run/systemd/system/{FIRMWARE}.d;"
        f"printf '[Service]\\nExecStopPost=\\nRestart=no\\n' "
        f">/run/systemd/system/{FIRMWARE}.d/bare.conf; systemctl daemon-reload;"
        f"systemctl kill --kill-whom=main -s KILL {FIRMWARE}"
    )
    wait_until("it has ended", lambda: burning.show(FIRMWARE, "ActiveState") == "failed")
    assert burning.on()["lamp"]
    burning.pi.run("mv /etc/rackgrid/board.toml /etc/rackgrid/gone")  # it needs no profile either
    assert burning.pi.run(f"{RACKGRID} relays safe").startswith("safe: 3 outputs")
    assert burning.on() == {"server": True, "lamp": False, "pump": False}


def test_kernel_that_lets_go_is_helped_by_no_helper_but_by_the_pull(burning: Node) -> None:
    # Without its helper, what a killed firmware leaves on depends on the kernel alone.
    burning.pi.run(
        f"mkdir -p /run/systemd/system/{FIRMWARE}.d;"
        f"printf '[Service]\\nExecStopPost=\\nRestart=no\\n' "
        f">/run/systemd/system/{FIRMWARE}.d/bare.conf; systemctl daemon-reload"
    )
    burning.pi.run(f"systemctl kill --kill-whom=main -s KILL {FIRMWARE}")
    wait_until("it has ended", lambda: burning.show(FIRMWARE, "ActiveState") == "failed")
    assert not burning.plant.edges(LAMP), "the very trap that the helper is for"
    assert burning.on()["lamp"]


def test_firmware_that_hangs_is_killed_by_the_watchdog_and_its_outputs_made_safe(
    burning: Node,
) -> None:
    deadline_ns = held_until_ns(burning)
    hung = burning.pid()
    burning.pi.run(f"kill -STOP {hung}")
    burning.wait_for_restart(hung)
    (off,) = burning.plant.edges(LAMP)
    assert (off.is_output, off.level) == DRIVEN_OFF
    assert off.t_ns < deadline_ns, "the watchdog came before the deadline that nobody kept"
    assert not burning.plant.edges(SERVER)
    assert not burning.plant.edges(PUMP)
    journal = burning.journal()
    assert "Watchdog timeout" in journal
    assert "safe: 3 outputs" in journal


def test_controller_killed_the_load_burns_to_its_deadline_and_no_longer(burning: Node) -> None:
    deadline_ns = held_until_ns(burning)
    burning.pi.run(f"systemctl kill -s KILL {LEFT}")
    wait_until("the lamp is off", lambda: not burning.on()["lamp"])
    (off,) = burning.plant.edges(LAMP)
    assert off.t_ns >= deadline_ns
    assert "output=lamp on=0 cause=deadline" in burning.journal()


def test_restart_keeps_the_dwell_and_a_crash_takes_the_worst(node: Node) -> None:
    node.start()
    node.hand(f"hold pump {MIN_OFF_S + 4} until switched release pump until switched")
    before = attached(node)
    node.pi.run(f"systemctl restart {FIRMWARE}")
    assert attached(node)["pump"].since_ns == before["pump"].since_ns, "it has been off since then"
    killed = node.pid()
    node.pi.run(f"systemctl kill --kill-whom=main -s KILL {FIRMWARE}")
    node.wait_for_restart(killed)
    after = attached(node)["pump"]
    assert after.since_ns > before["pump"].may_switch_ns - round(MIN_OFF_S * 1e9)
    assert after.may_switch_ns == after.since_ns + round(MIN_OFF_S * 1e9)
    assert after.cause == "boot"


def test_power_cut_and_boot_start_every_output_safe_and_inside_its_min_off(node: Node) -> None:
    node.pi.run(f"systemctl enable -q {FIRMWARE}; sync")
    node.start()
    node.hand(f"hold pump {MIN_OFF_S + 4} until switched hold lamp 19 until switched")
    assert node.on() == {"server": True, "lamp": True, "pump": True}
    node.pi.cut()
    node.pi.power_on()
    node.pi.wait_for_boot()
    assert node.show(FIRMWARE, "ActiveState") == "active"
    assert levels(node.plant.edges(LAMP)) == [DRIVEN_OFF]
    assert levels(node.plant.edges(PUMP)) == [(True, True)], "its relay closes at a low level"
    assert levels(node.plant.edges(SERVER)) == [DRIVEN_ON]
    pump = attached(node)["pump"]
    (claimed,) = node.plant.edges(PUMP)
    assert pump.since_ns >= claimed.t_ns
    assert pump.may_switch_ns == pump.since_ns + round(MIN_OFF_S * 1e9)
    node.hand("hold pump 19.9 until switched")
    _, on = node.plant.edges(PUMP)
    assert on.t_ns >= pump.may_switch_ns
    node.pi.run(f"systemctl disable -q {FIRMWARE} {CONTROLLER}")
