"""Three Pis on one network form a rack: real units, real multicast, and a feed that is tight.

Three floors of 6.5 W leave 29 W: three lamps of 6 W and one pump of 8 W. A Pi that is gone keeps
its floor, and what its lamp leaves lets the others run two pumps: so a watt that were given twice
would be seen. What the Pis truly drew is added up from every edge of every line.
"""

from __future__ import annotations

import pytest
from tests.vpi.node import CONTROLLER, LAMP, SERVER
from tests.vpi.plant import Edge
from tests.vpi.rack import CAPACITY_W, FLOOR_W, LAMP_WORTH, SETTLED_W, Rack, set_tariff

pytestmark = pytest.mark.vpi


def required_is_on(edges: list[Edge]) -> bool:
    """Whether a required load, once on, never went off."""
    return [edge.level for edge in edges] == [True]


def test_rack_serves_what_fits_and_never_more_than_the_feed_gives(settled: Rack) -> None:
    states = [node.pi.state() for node in settled.nodes]
    assert [state["feed"]["floors_w"] for state in states] == [3 * FLOOR_W] * 3
    assert SETTLED_W <= settled.peak_w() <= CAPACITY_W
    assert all(required_is_on(node.plant.edges(SERVER)) for node in settled.nodes)


def test_price_above_a_load_s_worth_switches_it_on_another_pi_than_the_broker_s(
    settled: Rack,
) -> None:
    broker = settled.broker(settled.nodes)
    member = next(node for node in settled.nodes if node is not broker)
    before = len(member.plant.edges(LAMP))
    for node in settled.nodes:
        set_tariff(node, LAMP_WORTH + 0.05)
    settled.wait_for_loads(settled.nodes, lamps=0, pumps=0)
    assert [edge.level for edge in member.plant.edges(LAMP)[before:]] == [False]
    for node in settled.nodes:
        set_tariff(node, LAMP_WORTH - 0.05)
    settled.wait_for_loads(settled.nodes, lamps=3, pumps=0)
    assert [edge.level for edge in member.plant.edges(LAMP)[before:]] == [False, True]
    assert all(required_is_on(node.plant.edges(SERVER)) for node in settled.nodes)


def test_controllers_that_are_restarted_one_by_one_switch_no_load(settled: Rack) -> None:
    # At a price that no pump pays, so that the feed is not short: only then may outputs run on.
    for node in settled.nodes:
        set_tariff(node, LAMP_WORTH - 0.05)
    settled.wait_for_loads(settled.nodes, lamps=3, pumps=0)
    before = settled.edge_count()
    for node in settled.nodes:
        node.pi.run(f"systemctl restart {CONTROLLER}")
        settled.broker(settled.nodes)
    settled.wait_for_rounds(6)
    assert settled.edge_count() == before


def test_wall_clock_that_jumps_by_a_year_at_the_broker_disturbs_nothing(settled: Rack) -> None:
    broker = settled.broker(settled.nodes)
    term, before = broker.pi.state()["term"], settled.edge_count()
    for jump_s in (31_536_000, -31_536_000):
        broker.pi.run(f"date -s @$(($(date +%s) + {jump_s}))")
        settled.wait_for_rounds(6)
    assert settled.broker(settled.nodes) is broker
    assert broker.pi.state()["term"] == term
    assert settled.edge_count() == before


def test_broker_s_cable_is_pulled_and_what_it_holds_ends_before_others_take_it(
    settled: Rack,
) -> None:
    broker = settled.broker(settled.nodes)
    others = [node for node in settled.nodes if node is not broker]
    settled.bench.unplug(broker.pi)
    settled.broker(others)
    settled.wait_for_loads(others, lamps=2, pumps=2)
    settled.wait_for_loads([broker], lamps=0, pumps=0)
    settled.bench.plug_in(broker.pi)
    settled.broker(settled.nodes)
    settled.wait_for_loads(settled.nodes, lamps=3, pumps=1)
    assert SETTLED_W <= settled.peak_w() <= CAPACITY_W
    assert all(required_is_on(node.plant.edges(SERVER)) for node in settled.nodes)


def test_broker_s_power_is_cut_another_leads_and_no_watt_is_given_twice(settled: Rack) -> None:
    broker = settled.broker(settled.nodes)
    term = broker.pi.state()["term"]
    survivors = [node for node in settled.nodes if node is not broker]
    settled.pull_plug(broker)
    new = settled.broker(survivors)
    assert new.pi.state()["term"] > term
    settled.wait_for_loads(survivors, lamps=2, pumps=2)  # what the dead lamp and pump leave
    assert settled.peak_w() <= CAPACITY_W
    broker.pi.power_on()
    broker.pi.wait_for_boot()
    settled.broker(settled.nodes)
    settled.wait_for_loads(settled.nodes, lamps=3, pumps=1)
    assert SETTLED_W <= settled.peak_w() <= CAPACITY_W
    assert all(node.plant.edges(SERVER)[-1].level for node in settled.nodes)
