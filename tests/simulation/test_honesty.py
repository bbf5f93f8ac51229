"""A load that takes more than it bids, and a node whose load does it again and again.

Fails if honest neighbours, required loads or the limit pay for it, or if nobody notices.
"""

from __future__ import annotations

from tests.simulation.rack import broker, on, settled

from rackgrid.core.state import State
from rackgrid.market.honesty import HONEST, WHOLE, Record
from rackgrid.simulation.mishap import Liar
from rackgrid.simulation.recipe import node_id, seconds
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World

GREEDY = 1


def state_of(seat: Seat) -> State:
    assert seat.node is not None
    return seat.node.state


def record(world: World, index: int) -> Record:
    office = state_of(broker(world)).office
    assert office is not None
    return office.trusts[node_id(index)].record


def test_load_that_lies_once_is_learned_and_its_node_is_not_flagged() -> None:
    world = settled(3, capacity_w=90)
    world.run(world.now_ns + seconds(8))
    Liar(GREEDY, "lamp", 150).apply(world)
    world.run(world.now_ns + seconds(30))
    assert world.checker.violations == []
    board = state_of(world.seats[node_id(GREEDY)]).agent.board
    assert board is not None
    assert dict(board.plates.learned) == {"lamp": 9000}
    assert record(world, GREEDY).share_permille > WHOLE
    assert not record(world, GREEDY).is_flagged
    assert "n1.lamp" in on(world), "there is room for what it really takes"


def test_node_that_lies_anew_each_time_is_flagged_and_gets_less() -> None:
    world = settled(4, capacity_w=130)
    world.run(world.now_ns + seconds(8))
    for percent in (140, 190, 240, 300, 360):
        Liar(GREEDY, "lamp", percent).apply(world)
        world.run(world.now_ns + seconds(11))
    assert world.checker.violations == []
    assert record(world, GREEDY).is_flagged
    assert record(world, GREEDY).share_permille > 1100
    honest = {f"n{i}.{load}" for i in range(2, 6) for load in ("lamp", "pump")}
    assert honest <= on(world), "its neighbours get what they got before"
    for index in range(2, 6):
        assert record(world, index) == HONEST
