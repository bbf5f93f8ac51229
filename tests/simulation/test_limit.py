"""What an operator told one node of the feed goes on when that node and its broker have gone."""

from __future__ import annotations

import pytest

from rackgrid.core.event import CapacityChanged
from rackgrid.core.settings import MS_NS
from rackgrid.simulation import recipe
from rackgrid.simulation.fault import Kill
from rackgrid.simulation.network import Datagram
from rackgrid.simulation.recipe import WATT, node_id, seconds
from rackgrid.simulation.seat import DISK_NS
from rackgrid.simulation.target import BROKER
from rackgrid.simulation.world import World
from rackgrid.wire.message import Price

CUT_MW = 40 * WATT
TOLD = 2


def prices(world: World) -> list[Price]:
    """Collect every price from here on."""
    found: list[Price] = []

    def tap(sent: Datagram) -> bool:
        if isinstance(sent.message, Price):
            found.append(sent.message)
        return False

    world.tap = tap
    return found


@pytest.mark.parametrize("disk_ns", [DISK_NS, seconds(5)], ids=["disks write", "disks stall"])
def test_cut_outlives_the_node_that_was_told_and_the_broker_that_took_it(disk_ns: int) -> None:
    """Fails if a new broker shares out once more what the one before it no longer did."""
    world = recipe.rack(1)
    world.run(seconds(8))
    for seat in world.seats.values():
        seat.disk_ns = disk_ns
    told, said = world.seats[node_id(TOLD)], prices(world)
    world.tell(told, CapacityChanged(told.local_ns(world.now_ns), CUT_MW))
    world.run(world.now_ns + 60 * MS_NS)
    assert said[-1].capacity_mw == CUT_MW
    before = said[-1].pair
    Kill(TOLD).apply(world)
    Kill(BROKER).apply(world)
    world.run(world.now_ns + seconds(2))
    after = {price.capacity_mw for price in said if price.pair > before}
    assert after == {CUT_MW}
