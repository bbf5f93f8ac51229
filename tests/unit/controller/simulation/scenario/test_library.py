"""The library: seven scenarios by name, and a rack that a seed decides."""

from __future__ import annotations

import random

import pytest

from rackgrid.market.tariff import Slots
from rackgrid.simulation.scenario import library
from rackgrid.simulation.scenario.work import DAY_MINUTES, MINUTE_NS


def test_library_holds_the_seven_scenarios() -> None:
    assert set(library.names()) == {
        "sunny-day",
        "cloudy-day",
        "evening-peak",
        "price-spike",
        "negative-noon",
        "black-start",
        "greedy-node",
    }
    assert all(library.scenario(name).name == name for name in library.names())


def test_library_names_what_there_is_where_a_name_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"no scenario 'sunday'; there are: sunny-day, "):
        library.scenario("sunday")


def test_rack_has_twelve_nodes_of_three_loads_and_is_the_seeds() -> None:
    nodes = library.nodes(random.Random(3))
    assert [node.name for node in nodes] == [f"node-{n:02}" for n in range(1, 13)]
    assert all(len(node.loads) == 2 and node.required_mw > 0 for node in nodes)
    assert all(node.floor_mw == library.BASE_MW + node.required_mw for node in nodes)
    names = [load.name for node in nodes for load in node.loads]
    assert len(set(names)) == 24
    plates = [load.plate_mw for node in nodes for load in node.loads]
    again = [load.plate_mw for node in library.nodes(random.Random(3)) for load in node.loads]
    assert plates == again


@pytest.mark.parametrize("name", library.names())
def test_scenario_has_a_price_at_every_minute_and_room_for_its_floors(name: str) -> None:
    scenario = library.scenario(name)
    for minute in (0, 719, 1439, library.DAYS_MAX * DAY_MINUTES - 1):
        at_ns = library.EPOCH_NS + minute * MINUTE_NS
        assert scenario.tariff.price_at(at_ns) is not None
    floors_mw = sum(node.floor_mw for node in library.nodes(random.Random(1)))
    assert floors_mw < scenario.capacity_mw - scenario.reserve_mw


def test_price_spike_and_negative_noon_are_what_they_say() -> None:
    spike, noon = library.scenario("price-spike").tariff, library.scenario("negative-noon").tariff
    assert isinstance(spike, Slots)
    assert isinstance(noon, Slots)
    assert spike.price_at(library.EPOCH_NS + 18 * 60 * MINUTE_NS) == 4_000_000
    price = noon.price_at(library.EPOCH_NS + 12 * 60 * MINUTE_NS)
    assert price is not None
    assert price < 0
