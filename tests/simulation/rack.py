"""A rack for the simulation's tests: five nodes, each with a required load and two flexible ones."""

from __future__ import annotations

from rackgrid.core.settings import SECOND_NS, LoadSettings, NodeSettings, Timing
from rackgrid.identity import NodeId
from rackgrid.market.offer import Offer
from rackgrid.simulation.firmware import SimFirmware, SimLoad
from rackgrid.simulation.network import Network
from rackgrid.simulation.world import Seat, World
from rackgrid_firmware.link import OutputSpec

WATT = 1000
GRID_UC = 250_000
"""The grid's tariff in the tests: 0.25 a kWh."""


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
    priority: int | None = None,
    timing: Timing | None = None,
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
        reserve_mw=0,
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
    offers = (Offer("grid", GRID_UC, int(capacity_w * WATT)),)
    return Seat(NodeId(100 + index), settings, SimFirmware(2000, loads, 0), offers)


def rack(seed: int, *, nodes: int = 5, capacity_w: float = 60, network: Network | None = None) -> World:
    """A rack of `nodes` nodes, all switched on at time 0."""
    world = World(seed, int(capacity_w * WATT), network)
    for index in range(1, nodes + 1):
        world.add(seat(index, expect=nodes, capacity_w=capacity_w))
    return world


def seconds(count: float) -> int:
    """Virtual time in ns."""
    return int(count * SECOND_NS)
