"""The roster: lines, floors, votes, its stamp, and whose word makes it speak (P7)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.stage import FOUNDER, RACK, line, pair, roster

from rackgrid.core.roster import NO_ROSTER, Roster, announced, united
from rackgrid.identity import NO_RACK, NO_STAMP, BootId, Limit, NodeId, RackId, Stamp
from rackgrid.wire.message import EXPELLED_MAX, NODES_MAX, PLEDGES_MAX, PledgeLine, RosterLine

ANNA, BERT, CARL = NodeId(1), NodeId(2), NodeId(3)
LINES = st.lists(
    st.tuples(st.integers(1, 9), st.integers(0, 5000), st.integers(0, 2)),
    max_size=9,
    unique_by=lambda x: x[0],
).map(lambda rows: tuple(line(*row) for row in rows))


# --- pledges ---------------------------------------------------------------------------------

PLEDGE = PledgeLine(ANNA, BootId(10), 6000, 15_000)


def test_pledge_is_a_change_like_any_other_and_stays_over_the_next() -> None:
    made = roster(1, 2).with_pledge(PLEDGE)
    assert (made.version, made.pledge(ANNA), made.pledge(BERT)) == (2, PLEDGE, None)
    later = made.with_line(line(3))
    assert (later.version, later.pledges) == (3, (PLEDGE,))
    ended = later.without_pledge(ANNA)
    assert (ended.version, ended.pledges, len(ended.lines)) == (4, (), 3)


def test_pledge_is_announced_and_read_again() -> None:
    made = roster(1, 2).with_pledge(PLEDGE)
    assert announced(made.update(0)) == made


def test_pledge_goes_with_its_node_and_no_other_does() -> None:
    other = replace(PLEDGE, node=BERT)
    made = roster(1, 2).with_pledge(other).with_pledge(PLEDGE)
    assert made.pledges == (PLEDGE, other), "in the order of their nodes"
    assert made.without(ANNA).pledges == (other,)


def test_pledge_a_second_of_one_node_or_one_too_many_is_our_bug() -> None:
    made = roster(1, 2).with_pledge(PLEDGE)
    with pytest.raises(AssertionError):
        made.with_pledge(PLEDGE)
    for number in range(3, 2 + PLEDGES_MAX):
        made = made.with_pledge(replace(PLEDGE, node=NodeId(number)))
    with pytest.raises(AssertionError):
        made.with_pledge(replace(PLEDGE, node=NodeId(99)))


def test_united_has_every_pledge_at_its_larger_power() -> None:
    """Fails if one that begins does not count yet, or one that ends does no more."""
    without, with_one = roster(1, 2), roster(1, 2).with_pledge(PLEDGE)
    more = roster(1, 2).with_pledge(replace(PLEDGE, power_mw=9000))
    assert united(without, with_one).pledges == (PLEDGE,)
    assert united(with_one, without).pledges == (PLEDGE,)
    for one, other in ((with_one, more), (more, with_one)):
        assert [p.power_mw for p in united(one, other).pledges] == [9000]


def test_united_has_the_lower_of_two_limits() -> None:
    """Fails if a raise counts before it is agreed, or a cut only then."""
    without, with_one = roster(1, 2), roster(1, 2).with_limit(Limit(1, 40_000))
    assert united(without, with_one).limit == Limit(1, 40_000)
    assert united(with_one, with_one.with_limit(Limit(2, 60_000))).limit == Limit(1, 40_000)
    assert united(with_one, with_one.with_limit(Limit(2, 30_000))).limit == Limit(2, 30_000)
    assert united(without, without).limit.version == 0


def test_limit_is_kept_by_every_later_roster_and_announced() -> None:
    limited = roster(1, 2).with_limit(Limit(1, 40_000))
    assert limited.version == roster(1, 2).version + 1
    later = limited.with_line(line(3, 500)).without(NodeId(1))
    assert later.limit == Limit(1, 40_000)
    assert announced(later.update(0)) == later


def test_with_expelled_keeps_the_line_and_is_kept_by_every_later_roster() -> None:
    made = roster(1, 2).with_expelled(ANNA)
    assert (made.version, made.floors_mw, made.votes) == (2, 10_000, 2)
    assert made.has_expelled(ANNA)
    assert [x.node for x in made.trusted] == [2]
    later = made.with_line(line(3)).without(ANNA).settled()
    assert later.has_expelled(ANNA)
    assert announced(later.update(0)) == later


def test_with_expelled_one_too_many_the_first_without_a_line_gives_way() -> None:
    made = roster(1, 2)
    for number in range(1, EXPELLED_MAX + 1):
        made = made.with_expelled(NodeId(number))
    made = made.with_expelled(NodeId(99))
    assert not made.has_expelled(NodeId(3)), "one and two have lines"
    assert [made.has_expelled(NodeId(number)) for number in (1, 2, 4, 99)] == [True] * 4
    full = roster(*range(1, EXPELLED_MAX + 1))
    for number in range(1, EXPELLED_MAX + 1):
        full = full.with_expelled(NodeId(number))
    with pytest.raises(AssertionError, match="refuses to expel more"):
        full.with_expelled(NodeId(99))


def test_backed_founding_roster_needs_nobody_who_is_expelled() -> None:
    """Fails if a recovery waits for a node that is heard by nobody."""
    made = roster(1, 2, 3, founding=True).with_expelled(ANNA)
    assert made.is_backed({2, 3})
    assert not made.is_backed({1, 2})
    alone = roster(1, founding=True).with_expelled(ANNA)
    assert not alone.is_backed({1})


# --- changes ---------------------------------------------------------------------------------


def test_with_line_new_node_adds_floor_and_vote_at_the_next_version() -> None:
    made = roster(line(2, 1000)).with_line(line(1, 500, 0))
    assert (made.version, made.floors_mw, made.votes) == (2, 1500, 1)
    assert [x.node for x in made.lines] == [1, 2]


def test_with_line_known_node_replaces_its_line() -> None:
    made = roster(1).with_line(line(1, 700))
    assert (made.version, made.floors_mw, len(made.lines)) == (2, 700, 1)


def test_with_line_beyond_the_limit_is_our_bug() -> None:
    full = roster(*range(NODES_MAX))
    with pytest.raises(AssertionError):
        full.with_line(line(NODES_MAX))
    assert len(full.with_line(line(3, 9)).lines) == NODES_MAX


def test_without_releases_floor_and_vote() -> None:
    made = roster(1, line(2, 1000)).without(ANNA)
    assert (made.version, made.floors_mw, made.votes) == (2, 1000, 1)


def test_line_unknown_node_is_none() -> None:
    assert NO_ROSTER.line(ANNA) is None


def test_settled_founding_roster_lets_majorities_decide_from_the_next_version_on() -> None:
    first = roster(1, 2, founding=True)
    made = first.settled()
    assert (made.founding, made.version, made.lines) == (False, 2, first.lines)
    assert made.founded == FOUNDER.boot


@pytest.mark.parametrize(
    ("mine", "proved"),
    [
        (roster(1, 2, founding=True), True),
        (roster(1, 2, of=pair(3), founding=True), False),
        (roster(1, 2), False),
        (roster(1, 2, founding=True, rack=RackId(9)), False),
        (NO_ROSTER, False),
    ],
    ids=["stored it", "stored another", "has learnt it", "another rack", "had none"],
)
def test_proves_that_whoever_stored_the_founding_roster_has_forgotten_nothing(
    mine: Roster, proved: bool
) -> None:
    settled = roster(1, 2, founding=True).settled()
    assert settled.proves(mine) is proved
    assert settled.with_line(line(3)).under(pair(9)).proves(mine) is proved


def test_under_another_broker_keeps_version_and_content_and_is_newer() -> None:
    made = roster(1, 2, version=7).under(pair(8))
    assert made == replace(roster(1, 2), stamp=Stamp(pair(8), 7))
    assert made.stamp > roster(1, 2, version=900).stamp


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 5000)), max_size=30))
def test_changes_in_any_order_never_repeat_a_version_nor_lose_a_floor(
    changes: list[tuple[bool, int, int]],
) -> None:
    """Silence is not among the changes: only a node's own line and its own departure are."""
    made, floors = roster(), dict[int, int]()
    for joins, node, floor_mw in changes:
        before = made.stamp
        made = made.with_line(line(node, floor_mw)) if joins else made.without(NodeId(node))
        if joins:
            floors[node] = floor_mw
        else:
            floors.pop(node, None)
        assert made.stamp > before
        assert (made.rack, made.stamp.pair) == (RACK, FOUNDER)
        assert made.floors_mw == sum(floors.values())


# --- on the wire -----------------------------------------------------------------------------


@given(LINES, st.booleans(), st.integers(0, 9))
def test_announced_reads_back_what_update_says(
    lines: tuple[RosterLine, ...], founding: bool, agreed: int
) -> None:
    made = roster(*lines, of=pair(3), version=9, founding=True)
    made = made if founding else made.settled()
    said = made.update(agreed)
    assert announced(said) == made
    assert said.agreed_version == agreed


def test_no_roster_belongs_to_no_rack_and_is_older_than_every_other() -> None:
    assert (NO_ROSTER.rack, NO_ROSTER.stamp) == (NO_RACK, NO_STAMP)
    assert NO_ROSTER.stamp < roster(1, of=pair(1, 0, 0), version=0).stamp


# --- majorities ------------------------------------------------------------------------------


def test_backed_more_than_half_of_the_votes_and_not_of_the_nodes() -> None:
    of = roster(line(1, votes=2), line(2), line(3, votes=0), line(4, votes=0))
    assert of.is_backed({ANNA})
    assert not of.is_backed({BERT, CARL, NodeId(4)})


def test_backed_half_of_the_votes_is_not_enough() -> None:
    assert not roster(1, 2).is_backed({ANNA})
    assert roster(1, 2).is_backed({ANNA, BERT})


def test_backed_founding_roster_needs_every_node_on_it_and_there_must_be_one() -> None:
    of = roster(1, 2, line(3, votes=0), founding=True)
    assert not of.is_backed({ANNA, BERT})
    assert of.is_backed({ANNA, BERT, CARL})
    assert not roster(founding=True).is_backed({ANNA})


def test_backed_roster_without_votes_or_by_strangers_never_is() -> None:
    assert not roster(line(1, votes=0)).is_backed({ANNA})
    assert not NO_ROSTER.is_backed(frozenset())
    assert not roster(1).is_backed({NodeId(77)})


@given(LINES, st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)), st.booleans())
def test_backed_twice_over_always_shares_a_node(
    lines: tuple[RosterLine, ...], one: set[int], other: set[int], founding: bool
) -> None:
    of = roster(*lines, founding=founding)
    if of.is_backed(one) and of.is_backed(other):
        assert one & other & {x.node for x in of.lines}


# --- two at once -----------------------------------------------------------------------------


def test_united_is_stamped_as_the_newer_one() -> None:
    newer = roster(1, of=pair(4), version=8)
    assert united(roster(1, 2), newer).stamp == newer.stamp


@given(LINES, LINES)
def test_united_reserves_everybody_on_either_at_the_higher_floor(
    one: tuple[RosterLine, ...], other: tuple[RosterLine, ...]
) -> None:
    """Fails if a floor is not counted while its change is neither agreed nor given up."""
    old, new = roster(*one), roster(*other)
    both = united(old, new)
    nodes = {x.node for x in (*old.lines, *new.lines)}
    assert [x.node for x in both.lines] == sorted(nodes)
    for node in nodes:
        floors = [x.floor_mw for x in (old.line(node), new.line(node)) if x is not None]
        kept = both.line(node)
        assert kept is not None
        assert kept.floor_mw == max(floors)
