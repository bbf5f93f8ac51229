from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.controller.simulation.small import QUIET, at

from rackgrid.core import broker
from rackgrid.market.clearing import Clearing
from rackgrid.market.curve import Bid
from rackgrid.simulation.guest import PlannedRestart
from rackgrid.simulation.idle import idle, overlooked
from rackgrid.simulation.recipe import node_id, rack, seconds
from rackgrid.simulation.run import run
from rackgrid.simulation.world import World
from rackgrid_firmware.guard import SafeAsked, step


def forget(patch: pytest.MonkeyPatch, index: int) -> None:
    """Let the market overlook what one node bids."""
    clear: Callable[..., Clearing] = broker.clear

    def overlook(bids: Sequence[Bid], *args: Any, **more: Any) -> Clearing:
        kept = [replace(b, steps=()) if b.bidder == node_id(index) else b for b in bids]
        return clear(kept, *args, **more)

    patch.setattr(broker, "clear", overlook)


def ample() -> World:
    """Three nodes, and power for all their loads."""
    world = rack(1, nodes=3, capacity_w=60)
    world.run(seconds(5))
    assert world.agreed()
    return world


def switched_off(world: World, index: int) -> None:
    """Take a node's flexible loads off, as if nobody wanted them; the pump has a min-off."""
    firmware = at(world, index).firmware
    now_ns = at(world, index).local_ns(world.now_ns)
    firmware.state, _ = step(firmware.rules, firmware.state, SafeAsked(now_ns))


def test_idle_in_a_rack_that_trades_is_nobody() -> None:
    world = ample()
    assert overlooked(world) == frozenset()
    assert world.now_ns == seconds(8)


def test_idle_names_what_is_off_though_it_could_run() -> None:
    world = ample()
    switched_off(world, 3)
    assert idle(world) == {"lamp of n3"}


def test_idle_of_a_moment_is_not_overlooked() -> None:
    world = ample()
    switched_off(world, 3)
    assert overlooked(world) == frozenset()


def test_idle_names_nobody_whose_start_does_not_fit() -> None:
    world = ample()
    switched_off(world, 3)
    for seat in world.seats.values():
        seat.settings = replace(seat.settings, capacity_mw=20_000)
    assert idle(world) == frozenset()


def test_idle_names_nobody_where_a_load_lies() -> None:
    world = ample()
    switched_off(world, 3)
    firmware = at(world, 1).firmware
    firmware.loads = tuple(replace(x, draw_mw=2 * x.spec.nominal_mw) for x in firmware.loads)
    assert idle(world) == frozenset()


def test_idle_names_nobody_where_somebody_is_away() -> None:
    world = ample()
    switched_off(world, 3)
    world.kill(at(world, 1))
    assert idle(world) == frozenset()


def test_idle_names_nobody_while_a_boot_between_may_count_beside_its_heir() -> None:
    """Restarted twice within one pledge: who only restarted once is counted once."""
    world = ample()
    PlannedRestart(1, 500).apply(world)
    world.run(seconds(8))
    switched_off(world, 3)
    assert idle(world) == {"lamp of n3"}
    PlannedRestart(1, 500).apply(world)
    world.run(seconds(11))
    switched_off(world, 3)
    assert idle(world) == frozenset()
    world.run(at(world, 1).pledged_until_ns + seconds(1))
    switched_off(world, 3)
    assert idle(world) == {"lamp of n3"}


def test_run_where_the_market_forgets_a_node_is_a_violation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forget(monkeypatch, 2)
    (violation,) = run(replace(QUIET, capacity_mw=60_000)).violations
    assert "I7 there is room, and nobody starts lamp of n2" in violation
