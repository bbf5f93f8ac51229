"""The roster: lines, floors, votes, and how many votes lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.stage import pair

from rackgrid.core import roster
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.identity import NodeId
from rackgrid.wire.message import NODES_MAX, RosterLine


def line(node: int, floor_mw: int = 1000, votes: int = 1) -> RosterLine:
    return RosterLine(NodeId(node), f"n{node}", 0, floor_mw, votes)


def test_with_line_new_node_adds_floor_and_vote_at_the_next_version() -> None:
    made = NO_ROSTER.with_line(line(2)).with_line(line(1, 500, 0))
    assert (made.version, made.floors_mw, made.votes) == (2, 1500, 1)
    assert [x.node for x in made.lines] == [1, 2]


def test_with_line_known_node_replaces_its_line() -> None:
    made = NO_ROSTER.with_line(line(1)).with_line(line(1, 700))
    assert (made.version, made.floors_mw, len(made.lines)) == (2, 700, 1)


def test_with_line_beyond_the_limit_is_our_bug() -> None:
    full = Roster(1, tuple(line(n) for n in range(NODES_MAX)))
    with pytest.raises(AssertionError):
        full.with_line(line(NODES_MAX))
    assert len(full.with_line(line(3, 9)).lines) == NODES_MAX


def test_without_releases_floor_and_vote() -> None:
    made = NO_ROSTER.with_line(line(1)).with_line(line(2)).without(NodeId(1))
    assert (made.version, made.floors_mw, made.votes) == (3, 1000, 1)


def test_line_unknown_node_is_none() -> None:
    assert NO_ROSTER.line(NodeId(1)) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 5000)), max_size=30))
def test_changes_in_any_order_never_repeat_a_version_nor_lose_a_floor(
    changes: list[tuple[bool, int, int]],
) -> None:
    """Silence is not among the changes: only a node's own line and its own departure are."""
    made, floors = NO_ROSTER, dict[int, int]()
    for joins, node, floor_mw in changes:
        before = made.version
        made = made.with_line(line(node, floor_mw)) if joins else made.without(NodeId(node))
        if joins:
            floors[node] = floor_mw
        else:
            floors.pop(node, None)
        assert made.version == before + 1
        assert made.floors_mw == sum(floors.values())


def test_taken_reads_back_what_update_announces() -> None:
    made = NO_ROSTER.with_line(line(1)).with_line(line(2))
    assert roster.taken(made.update(pair(3))) == made
    assert made.update(pair(3)).pair.pair() == pair(3)


@given(st.integers(1, 100))
def test_majority_two_of_them_always_share_a_voter(votes: int) -> None:
    assert 2 * roster.majority(votes) > votes
    assert 2 * (roster.majority(votes) - 1) <= votes


def test_needed_before_it_is_formed_asks_for_a_majority_of_the_expected() -> None:
    small = NO_ROSTER.with_line(line(1))
    assert roster.needed(small, expect=5, is_formed=False) == 3
    assert roster.needed(small, expect=5, is_formed=True) == 1


def test_needed_more_votes_than_expected_asks_for_a_majority_of_the_votes() -> None:
    big = Roster(1, tuple(line(n) for n in range(6)))
    assert roster.needed(big, expect=3, is_formed=False) == 4
