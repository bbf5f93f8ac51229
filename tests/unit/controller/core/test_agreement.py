"""One change of the roster at a time, by the majorities of both sides of it (P7).

What several brokers do with these rules on a hostile network is in tests/simulation.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.stage import FOUNDER, line, pair, roster

from rackgrid.core import agreement
from rackgrid.core.agreement import Agreement
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.identity import NodeId, Stamp

ANNA, BERT, CARL, DORA, EMIL = (NodeId(n) for n in range(1, 6))
MINE = pair(5)
"""The pair of the broker whose term this is."""
THREE = roster(1, 2, 3, version=7)


def told(held: Agreement, version: int, *nodes: NodeId) -> Agreement:
    for node in nodes:
        held = agreement.stored(held, node, version)
    return held


def recommitted(base: Roster = THREE) -> Agreement:
    """A term whose broker has had its roster agreed under its own pair."""
    held = agreement.proposed(agreement.begun(base), base.under(MINE))
    held = told(held, base.version, *(x.node for x in base.lines))
    assert held.is_free
    return held


# --- the first of a term ---------------------------------------------------------------------


def test_begun_term_is_free_for_nothing_before_its_roster_is_agreed_anew() -> None:
    held = agreement.begun(THREE)
    assert not held.is_free
    assert (held.newest, held.reserved, held.authorities) == (THREE, THREE, (THREE,))
    assert not held.is_founding


def test_proposed_same_roster_anew_needs_its_majority_once() -> None:
    held = agreement.proposed(agreement.begun(THREE), THREE.under(MINE))
    assert held.newest.stamp == Stamp(MINE, 7)
    assert held.authorities == (THREE,)
    held = told(held, 7, ANNA)
    assert (held.agreed_version, held.is_free) == (0, False)
    held = told(held, 7, BERT)
    assert (held.agreed_version, held.is_free) == (7, True)
    assert held.base.stamp == Stamp(MINE, 7)


@pytest.mark.parametrize(
    ("stamp", "newer"),
    [
        (Stamp(FOUNDER, 7), False),
        (Stamp(FOUNDER, 6), False),
        (Stamp(FOUNDER, 8), True),
        (Stamp(pair(2), 1), True),
        (Stamp(MINE, 9), False),
    ],
)
def test_newer_whatever_another_broker_announced_later(stamp: Stamp, newer: bool) -> None:
    assert agreement.begun(THREE).is_newer(stamp, MINE) is newer


def test_newer_is_void_once_a_roster_is_agreed_under_the_own_pair() -> None:
    """A half-made change of a dead broker must not end every broker after it."""
    assert not recommitted().is_newer(Stamp(pair(2), 900), MINE)


# --- changes ---------------------------------------------------------------------------------


def test_proposed_change_needs_both_majorities_for_authority_and_reserves_both() -> None:
    four = recommitted().base.with_line(line(4, 9000)).with_line(line(1, 100))
    held = agreement.proposed(recommitted(), four)
    assert held.authorities == (recommitted().base, four)
    floor = held.reserved.line(ANNA)
    assert floor is not None
    assert (floor.floor_mw, held.reserved.floors_mw) == (5000, 5000 * 3 + 9000)


def test_stored_majority_of_the_new_roster_without_one_of_the_old_agrees_nothing() -> None:
    old = recommitted(roster(1, 2, 3, 4, version=7))
    held = agreement.proposed(old, old.base.without(ANNA))
    held = told(held, 8, BERT, CARL)
    assert held.proposed is not None, "two of the three that stay, and of the four that were"
    held = told(held, 8, DORA)
    assert held.proposed is None
    assert (held.agreed_version, held.base.line(ANNA), held.reserved) == (8, None, held.base)


def test_stored_majority_of_the_old_roster_without_one_of_the_new_agrees_nothing() -> None:
    old = recommitted()
    held = agreement.proposed(old, old.base.with_line(line(4)))
    held = told(held, 8, ANNA, BERT)
    assert held.proposed is not None
    assert told(held, 8, DORA).agreed_version == 8


def test_stored_older_version_or_the_same_again_or_a_stranger_moves_nothing() -> None:
    old = recommitted()
    held = agreement.proposed(old, old.base.with_line(line(1, 100)))
    assert agreement.stored(held, ANNA, 7) is held
    once = told(held, 8, ANNA)
    assert agreement.stored(once, ANNA, 8) is once
    assert told(once, 8, EMIL).proposed is not None


def test_stored_without_a_change_under_way_is_noted_for_the_next_step() -> None:
    held = told(recommitted(), 9, ANNA)
    assert held.stored[ANNA] == 9
    assert held.is_free


def test_proposed_second_change_at_once_is_our_bug() -> None:
    held = agreement.proposed(recommitted(), recommitted().base.with_line(line(4)))
    with pytest.raises(AssertionError, match="one change at a time"):
        agreement.proposed(held, held.newest.with_line(line(5)))


def test_proposed_change_of_two_votes_is_our_bug() -> None:
    base = recommitted().base
    with pytest.raises(AssertionError, match="moves one vote"):
        agreement.proposed(recommitted(), base.with_line(line(4, votes=2)))


def test_proposed_older_stamp_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="stamps grow"):
        agreement.proposed(recommitted(), THREE.with_line(line(4)))


# --- the founding ----------------------------------------------------------------------------

FIRST = roster(1, 2, line(3, votes=0), of=MINE, founding=True)


def test_founding_before_there_is_a_roster_or_with_one_needs_and_gives_no_authority() -> None:
    for held in (agreement.begun(NO_ROSTER), agreement.begun(FIRST)):
        assert held.is_founding
        assert held.authorities == ()
    held = agreement.proposed(agreement.begun(NO_ROSTER), FIRST)
    assert held.is_founding
    assert held.reserved == FIRST


def test_founding_takes_every_node_on_it_and_is_then_as_good_as_any() -> None:
    """Fails if most of a first roster are enough: the others might be in another rack by then."""
    held = agreement.proposed(agreement.begun(NO_ROSTER), FIRST)
    held = told(held, 1, ANNA, BERT)
    assert held.is_founding
    held = told(held, 1, CARL)
    assert not held.is_founding
    assert held.base == replace(FIRST, founding=False)
    assert held.authorities == (held.base,)
    settled = agreement.proposed(held, FIRST.settled())
    assert told(settled, 2, ANNA, BERT).agreed_version == 2


def test_founding_that_another_broker_began_goes_on_under_the_next_pair() -> None:
    held = agreement.proposed(agreement.begun(FIRST), FIRST.under(pair(9)))
    assert told(held, 1, ANNA, BERT).agreed_version == 0
    assert told(held, 1, ANNA, BERT, CARL).agreed_version == 1


# --- the laws --------------------------------------------------------------------------------

VOTES = st.lists(st.integers(0, 2), min_size=1, max_size=6).filter(any)


@given(VOTES, st.integers(1, 7), st.integers(-1, 1), st.booleans(), st.permutations(range(1, 8)))
def test_stored_in_any_order_is_agreed_as_soon_as_both_rosters_are_backed_and_no_sooner(
    votes: list[int], who: int, by: int, leaves: bool, order: list[int]
) -> None:
    rows = [line(n, votes=v) for n, v in enumerate(votes, 1)]
    base = recommitted(roster(*rows, version=7)).base
    known = base.line(NodeId(who))
    has = known.votes if known else 0
    leaves = leaves and known is not None and has <= 1
    new = base.without(NodeId(who)) if leaves else base.with_line(line(who, votes=max(0, has + by)))
    held, told_by = agreement.proposed(recommitted(roster(*rows, version=7)), new), set[NodeId]()
    for node in map(NodeId, order):
        held = agreement.stored(held, node, new.version)
        told_by.add(node)
        both = base.is_backed(told_by) and new.is_backed(told_by)
        assert (held.agreed_version == new.version) is both
        assert held.reserved.floors_mw >= max(base.floors_mw, new.floors_mw) or both


@pytest.mark.parametrize("order", list(permutations((ANNA, BERT, CARL))), ids=str)
def test_stored_founding_is_agreed_by_the_last_of_them(order: tuple[NodeId, ...]) -> None:
    held = agreement.proposed(agreement.begun(NO_ROSTER), FIRST)
    assert told(held, 1, *order[:-1]).agreed_version == 0
    assert told(held, 1, *order).agreed_version == 1
