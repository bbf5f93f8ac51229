from dataclasses import replace

import pytest

from rackgrid.identity import NodeId
from rackgrid.simulation import recipe
from rackgrid.simulation.recipe import WATT


def test_rack_default_is_short_of_watts_so_that_its_limit_is_reached() -> None:
    world = recipe.rack(1)
    wanted_mw = sum(load.spec.nominal_mw for s in world.seats.values() for load in s.firmware.loads)
    assert wanted_mw > world.checker.capacity_mw
    assert list(world.seats) == [NodeId(n) for n in range(101, 106)]


def test_rack_floor_of_each_node_is_what_is_stated() -> None:
    world = recipe.rack(1)
    assert {s.firmware.floor_mw for s in world.seats.values()} == {recipe.FLOOR_W * WATT}


def test_rack_clocks_are_off_by_rho_or_right_and_show_different_times() -> None:
    world = recipe.rack(3, nodes=9, rho_ppm=10_000)
    assert {s.clock_ppm for s in world.seats.values()} <= {-10_000, 0, 10_000}
    assert len({s.local_ns(0) for s in world.seats.values()}) == 9


@pytest.mark.parametrize(("sun_w", "sources"), [(0, {"grid"}), (15, {"grid", "sun"})])
def test_rack_sun_is_a_part_of_the_capacity_that_one_node_speaks_for(
    sun_w: float, sources: set[str]
) -> None:
    world = recipe.rack(1, sun_w=sun_w)
    assert recipe.supply_mw(world) == 60 * WATT
    sunny = world.seats[recipe.node_id(recipe.SUNNY)]
    assert {o.source for o in sunny.offers} == sources
    others = {o.source for s in world.seats.values() if s is not sunny for o in s.offers}
    assert others == {"grid"}


def test_supply_is_the_least_of_capacity_and_sources() -> None:
    world = recipe.rack(1, sun_w=15)
    sunny = world.seats[recipe.node_id(recipe.SUNNY)]
    sunny.offers = sunny.offers[:1]
    assert recipe.supply_mw(world) == 45 * WATT
    sunny.settings = replace(sunny.settings, capacity_mw=40 * WATT)
    assert recipe.supply_mw(world) == 40 * WATT


def test_joiner_is_set_up_as_the_others_and_speaks_for_the_grid_only() -> None:
    world = recipe.rack(1, nodes=3, capacity_w=36, reserve_w=5, sun_w=9)
    late = recipe.joiner(world, 4)
    assert late.id == recipe.node_id(4)
    assert late.settings.expect == 3
    assert (late.settings.capacity_mw, late.settings.reserve_mw) == (36 * WATT, 5 * WATT)
    assert [o.source for o in late.offers] == ["grid"]
