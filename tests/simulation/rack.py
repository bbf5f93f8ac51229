"""A rack for the simulation's tests: five nodes, each with a required and two flexible loads."""

from __future__ import annotations

import random

from rackgrid.core.settings import SECOND_NS, LoadSettings, NodeSettings, Timing
from rackgrid.identity import NodeId
from rackgrid.market.offer import Offer
from rackgrid.simulation.firmware import SimFirmware, SimLoad
from rackgrid.simulation.network import Network
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World
from rackgrid_firmware.link import OutputSpec

WATT = 1000
GRID_UC = 250_000
"""The grid's tariff in the tests: 0.25 a kWh."""
FLOOR_W = 5.0
"""Of each node: 2 W of electronics and a 3 W fan."""


def spec(name: str, watts: float, *, required: bool = False) -> OutputSpec:
    """An output with an inrush of one and a half times its nameplate for 50 ms."""
    nominal = int(watts * WATT)
    inrush = nominal if required else nominal * 3 // 2
    return OutputSpec(name, required, nominal, inrush, 50_000_000, 0, 0, f"m-{name}")


def seat(
    index: int,
    *,
    expect: int = 5,
    capacity_w: float = 60,
    reserve_w: float = 0,
    priority: int | None = None,
    timing: Timing | None = None,
    offers: tuple[Offer, ...] | None = None,
    stagger_ns: int = 0,
) -> Seat:
    """A node: 2 W of electronics, a 3 W fan (required), a 6 W lamp and a 4 W pump (flexible)."""
    loads = (
        SimLoad(spec("fan", 3, required=True), 2900),
        SimLoad(spec("lamp", 6), 5800),
        SimLoad(spec("pump", 4), 3900),
    )
    settings = NodeSettings(
        name=f"n{index}",
        priority=index if priority is None else priority,
        expect=expect,
        capacity_mw=int(capacity_w * WATT),
        reserve_mw=int(reserve_w * WATT),
        price_cap_uc=10_000_000,
        loads=(
            LoadSettings("fan", "fan", None),
            LoadSettings("lamp", "lamp", 400_000 + 10_000 * index),
            LoadSettings("pump", "pump", 300_000 + 10_000 * index),
        ),
        timing=timing or Timing(),
        api_port=0,
        terms_from=1,
        terms_until=1001,
        seed=0,
    )
    if offers is None:
        offers = (Offer("grid", GRID_UC, int(capacity_w * WATT)),)
    return Seat(NodeId(100 + index), settings, SimFirmware(2000, loads, stagger_ns), offers)


def rack(
    seed: int,
    *,
    nodes: int = 5,
    capacity_w: float = 60,
    reserve_w: float = 0,
    network: Network | None = None,
    timing: Timing | None = None,
    rho_ppm: int = 0,
) -> World:
    """A rack of `nodes` nodes, all switched on at time 0, each with a clock of its own.

    Args:
        rho_ppm: each clock's rate is off by so much, either way or not at all.
    """
    world = World(seed, int(capacity_w * WATT), network)
    chance = random.Random(seed)
    for index in range(1, nodes + 1):
        one = seat(index, expect=nodes, capacity_w=capacity_w, reserve_w=reserve_w, timing=timing)
        one.clock_ppm = chance.choice((-rho_ppm, 0, rho_ppm))
        one.clock_start_ns = chance.randrange(10**15)
        world.add(one)
    return world


def settled(
    seed: int,
    *,
    nodes: int = 5,
    capacity_w: float = 60,
    reserve_w: float = 0,
    timing: Timing | None = None,
) -> World:
    """A rack that has formed, cleared and switched for eight seconds: its book is open."""
    world = rack(seed, nodes=nodes, capacity_w=capacity_w, reserve_w=reserve_w, timing=timing)
    world.run(seconds(8))
    assert world.agreed(), world.transcript.lines[-20:]
    return world


def broker(world: World) -> Seat:
    """The one broker."""
    (leader,) = world.brokers()
    return leader


def on(world: World) -> set[str]:
    """The flexible loads that are on, as node.load."""
    return {
        f"{s.settings.name}.{load.spec.name}"
        for s in world.seats.values()
        for load, state in zip(s.firmware.loads, s.firmware.state.outputs, strict=True)
        if state.on and not load.spec.required
    }


def switches(world: World, since: int, *, but: str = "") -> list[str]:
    """Lines of the transcript from `since` on that tell of an output switched, `but` one node's."""
    return [
        line
        for line in world.transcript.lines[since:]
        if " switches " in line and line.split()[1] != (but or "-")
    ]


def seconds(count: float) -> int:
    """Virtual time in ns."""
    return int(count * SECOND_NS)
