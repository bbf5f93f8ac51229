"""The standard rack: N nodes that want more than their feed gives, built the same way each time.

Each node has 2 W of electronics, a 3 W fan (required), a 6 W lamp and a 4 W pump (flexible), and
loads start with one and a half times their nameplate. So a feed of 12 W a node is always short, and
its limit is really reached: a rack with watts to spare would prove nothing.
"""

from __future__ import annotations

import random
from dataclasses import replace

from rackgrid.core.franchise import VOTERS_MAX
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
"""The grid's tariff: 0.25 a kWh."""
FLOOR_W = 5.0
"""Of each node: 2 W of electronics and a 3 W fan."""
DWELL_NS = {"pump": (1_000_000_000, 2_000_000_000)}
"""Minimum on-time and off-time, by load."""
STAGGER_NS = 50_000_000
GRID = "grid"
SUN = "sun"
SUNNY = 2
"""The node that alone speaks for the sun, where there is one."""


def node_id(index: int) -> NodeId:
    """Name the node at a place; the first has index 1."""
    return NodeId(100 + index)


def seconds(count: float) -> int:
    """Virtual time in ns."""
    return int(count * SECOND_NS)


def spec(name: str, watts: float, *, required: bool = False) -> OutputSpec:
    """Describe an output; a flexible one starts with half as much again for 50 ms."""
    nominal = int(watts * WATT)
    inrush = nominal if required else nominal * 3 // 2
    min_on, min_off = DWELL_NS.get(name, (0, 0))
    return OutputSpec(name, required, nominal, inrush, 50_000_000, min_on, min_off, f"m-{name}")


def seat(
    index: int,
    *,
    expect: int = 5,
    capacity_w: float = 60,
    reserve_w: float = 0,
    priority: int | None = None,
    timing: Timing | None = None,
    offers: tuple[Offer, ...] | None = None,
    stagger_ns: int = STAGGER_NS,
    meters_feed: bool = False,
) -> Seat:
    """Build one node; the higher its index, the higher its rank and the worth of its loads."""
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
        meters_feed=meters_feed,
    )
    if offers is None:
        offers = (Offer(GRID, GRID_UC, int(capacity_w * WATT)),)
    return Seat(node_id(index), settings, SimFirmware(2000, loads, stagger_ns), offers)


def rack(
    seed: int,
    *,
    nodes: int = 5,
    capacity_w: float = 60,
    reserve_w: float = 0,
    sun_w: float = 0,
    network: Network | None = None,
    timing: Timing | None = None,
    rho_ppm: int = 0,
    feed_meter: bool = False,
    voters_max: int = VOTERS_MAX,
) -> World:
    """Build a rack, all its nodes switched on at time 0, each with a clock of its own.

    Args:
        sun_w: so much of the capacity comes from a source that one node alone speaks for.
        feed_meter: whether the first node meters the feed.
        voters_max: how many nodes vote at most.
        rho_ppm: each clock's rate is off by so much, either way or not at all.
    """
    world = World(seed, int(capacity_w * WATT), network)
    chance = random.Random(seed)  # noqa: S311 - a replayable simulation, not a secret
    grid = Offer(GRID, GRID_UC, int((capacity_w - sun_w) * WATT))
    sun = Offer(SUN, 0, int(sun_w * WATT))
    for index in range(1, nodes + 1):
        one = seat(
            index,
            expect=nodes,
            capacity_w=capacity_w,
            reserve_w=reserve_w,
            timing=timing,
            meters_feed=feed_meter and index == 1,
            offers=(grid, sun) if sun_w and index == SUNNY else (grid,),
        )
        one.settings = replace(one.settings, voters_max=voters_max)
        one.clock_ppm = chance.choice((-rho_ppm, 0, rho_ppm))
        one.clock_start_ns = chance.randrange(10**15)
        world.add(one)
    return world


def joiner(world: World, index: int) -> Seat:
    """Build a node that is new to this rack, set up as its others are."""
    like = world.seats[min(world.seats)].settings
    one = seat(
        index,
        expect=like.expect,
        capacity_w=like.capacity_mw / WATT,
        reserve_w=like.reserve_mw / WATT,
        timing=like.timing,
        offers=tuple(o for o in world.seats[min(world.seats)].offers if o.source == GRID),
    )
    one.clock_start_ns = world.chance.randrange(10**15)
    return one


def supply_mw(world: World) -> int:
    """What the feed truly gives now: no more than its capacity, nor than its sources."""
    capacity_mw = min(s.settings.capacity_mw for s in world.seats.values())
    if world.limit_mw is not None:
        capacity_mw = min(capacity_mw, world.limit_mw)
    sources = {o.source: o.power_mw for s in world.seats.values() for o in s.offers}
    return min(capacity_mw, sum(sources.values()))
