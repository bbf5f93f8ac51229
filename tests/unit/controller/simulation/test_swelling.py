import pytest
from tests.unit.controller.simulation.small import QUIET, at, three

from rackgrid.core import authority
from rackgrid.simulation.run import run
from rackgrid.simulation.swelling import LONGEST, UNDERWAY_MAX, sizes, swollen


def test_swollen_rack_that_runs_as_it_should_is_not() -> None:
    assert swollen(three()) is None


def test_swollen_names_what_has_grown_and_where() -> None:
    world = three()
    node = at(world, 2).node
    assert node is not None
    node.state.notes.update({str(number): None for number in range(LONGEST + 1)})
    said = swollen(world)
    assert said is not None
    assert said.startswith("state.notes of n2 holds ")


def test_swollen_counts_what_is_under_way() -> None:
    world = three()
    for _ in range(UNDERWAY_MAX + 1):
        world.at(world.now_ns, lambda: None)
    assert "under way" in (swollen(world) or "")


def test_sizes_finds_every_container_of_a_node() -> None:
    node = at(three(), 3).node
    assert node is not None
    found = {path for path, _ in sizes(node.state, "state")}
    assert {
        "state.peers",
        "state.agent.bids",
        "state.office.authority.sent",
        "state.office.book.accounts[].issued",
        "state.roster.lines",
    } <= found


def test_run_core_that_leaks_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "SENT_MAX", 10 * LONGEST)
    (violation,) = run(QUIET).violations
    assert "I9 state.office.authority.sent of n3 holds " in violation
