"""Faults of every kind upon a rack of three, one upon the other: the feed is never overdrawn.

What happens, to whom and when comes from a seed. The kernel that stands still altogether is not
among it: its pins stay as they are until a hardware watchdog resets the Pi, and no software helps.
"""

from __future__ import annotations

import random
import select
from collections.abc import Callable

import pytest
from tests.vpi.node import CONTROLLER, FIRMWARE, SHUNT_OHMS, Node
from tests.vpi.rack import CAPACITY_W, SETTLED_W, Rack

pytestmark = pytest.mark.vpi

FAULTS = 12
SPELL_S = 6.0
"""The longest that a fault lasts, and that a Pi stays without power."""

Fault = Callable[[Rack, Node, float], object]


def pause(seconds: float) -> None:
    """Let a fault last: not a wait for anything."""
    select.select([], [], [], seconds)


def cut_power(rack: Rack, node: Node, spell_s: float) -> None:
    rack.pull_plug(node)
    pause(spell_s)
    node.pi.power_on()
    node.pi.wait_for_boot()


def unplug(rack: Rack, node: Node, spell_s: float) -> None:
    rack.bench.unplug(node.pi)
    pause(spell_s)
    rack.bench.plug_in(node.pi)


def lose_and_delay(rack: Rack, node: Node, spell_s: float) -> None:
    card = "dev eth0 root netem"
    node.pi.run(
        f"tc qdisc add {card} loss 30% delay 20ms 20ms; sleep {spell_s:.1f}; tc qdisc del {card}"
    )


def hang_bus(rack: Rack, node: Node, spell_s: float) -> None:
    for address in SHUNT_OHMS:
        node.plant.meter(address, fault=110, delay_us=1_000_000)
    pause(spell_s)
    for address in SHUNT_OHMS:
        node.plant.meter(address, fault=0, delay_us=0)


def stop_controller(rack: Rack, node: Node, spell_s: float) -> None:
    node.pi.run(f"P={node.pid(CONTROLLER)}; kill -STOP $P; sleep {spell_s:.1f}; kill -CONT $P")


def jump_clock(rack: Rack, node: Node, spell_s: float) -> None:
    node.pi.run(f"date -s @$(($(date +%s) + {round((spell_s - SPELL_S / 2) * 1e6)}))")


KINDS: dict[str, Fault] = {
    "its power is cut": cut_power,
    "its cable is pulled": unplug,
    "its network is bad": lose_and_delay,
    "its bus hangs": hang_bus,
    "its controller stops for a while": stop_controller,
    "its wall clock jumps": jump_clock,
    "its controller is killed": lambda rack, node, _: node.pi.run(
        f"systemctl kill -s KILL {CONTROLLER}"
    ),
    "its controller is restarted": lambda rack, node, _: node.pi.run(
        f"systemctl restart {CONTROLLER}"
    ),
    "its firmware is killed": lambda rack, node, _: node.pi.run(
        f"systemctl kill --kill-whom=main -s KILL {FIRMWARE}"
    ),
    "its firmware hangs": lambda rack, node, _: node.pi.run(f"kill -STOP {node.pid()}"),
    "its firmware is restarted": lambda rack, node, _: node.pi.run(f"systemctl restart {FIRMWARE}"),
}


@pytest.mark.parametrize("seed", [1, 2])
def test_rack_in_a_storm_of_faults_never_overdraws_the_feed_and_recovers(
    settled: Rack, seed: int
) -> None:
    chance = random.Random(seed)
    story: list[str] = []
    for _ in range(FAULTS):
        node, what = chance.choice(settled.nodes), chance.choice(list(KINDS))
        spell_s = chance.uniform(0.2, SPELL_S)
        KINDS[what](settled, node, spell_s)
        story.append(f"{node.pi.name}: {what} ({spell_s:.1f} s)")
        assert settled.peak_w() <= CAPACITY_W, story
        pause(chance.uniform(0.0, 2.0))
    settled.broker(settled.nodes)
    settled.wait_for_loads(settled.nodes, lamps=3, pumps=1)
    assert SETTLED_W <= settled.peak_w() <= CAPACITY_W, story
