"""A node that is put out, under the simulation's checkers."""

from __future__ import annotations

from tests.simulation.scenarios.stage import Stage

from rackgrid.core.event import ExpelRequested
from rackgrid.simulation.fault import Kill
from rackgrid.simulation.recipe import FLOOR_W, WATT, node_id


def test_expelled_node_ends_its_loads_by_itself_and_the_rack_trades_on_beside_its_floor() -> None:
    """An operator expels n4, which runs two loads, and later its broker dies.

    It has no vote from then on, gets no grant, and its loads end at their deadlines; its watts go
    to others only then, and its floor to nobody. What the dead broker knew, the next one knows too.
    """
    stage = Stage()
    assert stage.granted_w(4) > 0
    told = stage.seat(5)
    stage.world.tell(told, ExpelRequested(told.local_ns(stage.world.now_ns), node_id(4)))
    stage.run(6)
    stage.unharmed()
    assert stage.granted_w(4) == 0
    assert stage.draw_w(4) <= FLOOR_W
    found = stage.state(5).roster.line(node_id(4))
    assert found is not None
    assert (found.votes, found.floor_mw) == (0, FLOOR_W * WATT)
    stage.fault(Kill(5))
    stage.run(10)
    stage.unharmed()
    assert stage.leads() == "n3", "n4 ranks higher, and leads nobody"
    assert stage.granted_w(4) == 0
    assert sum(stage.granted_w(index) for index in (1, 2, 3)) > 0
    stage.never("n4: elected")
