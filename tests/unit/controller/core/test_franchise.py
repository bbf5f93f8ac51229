"""Who votes, and that no step on the way there parts one majority from the next (P7)."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.stage import line, roster

from rackgrid.core import franchise
from rackgrid.core.franchise import VOTERS_MAX
from rackgrid.core.roster import Roster
from rackgrid.identity import NodeId, Rank
from rackgrid.wire.message import RosterLine

NOBODY = frozenset[NodeId]()


def everybody(of: Roster) -> frozenset[NodeId]:
    return frozenset(x.node for x in of.lines)


def votes(of: Roster) -> dict[int, int]:
    return {x.node: x.votes for x in of.lines}


def steps(
    of: Roster,
    present: frozenset[NodeId] | None = None,
    gone: frozenset[NodeId] = NOBODY,
    voters_max: int = VOTERS_MAX,
) -> list[Roster]:
    """Take steps until there is none left."""
    taken = [of]
    here = everybody(of) if present is None else present
    while (after := franchise.next_step(taken[-1], here, gone, voters_max)) is not None:
        taken.append(after)
        assert len(taken) < 60, "the steps do not end"
    return taken


# --- examples --------------------------------------------------------------------------------


def test_next_step_newcomers_get_their_votes_one_by_one_the_highest_rank_first() -> None:
    new = [line(n, votes=0, priority=n) for n in (2, 3, 4, 5)]
    taken = steps(roster(line(1), *new))
    assert [sum(votes(r).values()) for r in taken] == [1, 2, 3, 4, 5]
    assert votes(taken[1]) == {1: 1, 2: 0, 3: 0, 4: 0, 5: 1}


def test_next_step_whoever_has_a_vote_keeps_it_before_a_higher_rank_that_has_none() -> None:
    old = [line(n) for n in range(1, 6)]
    assert steps(roster(*old, line(9, votes=0, priority=99))) == [
        roster(*old, line(9, votes=0, priority=99))
    ]


def test_next_step_two_of_whom_one_meters_the_feed_gives_it_two_votes() -> None:
    """A rack of two outlives the loss of the other one, and of no one else."""
    end = steps(roster(line(1), line(2, votes=0, meters_feed=True)))[-1]
    assert votes(end) == {1: 1, 2: 2}
    assert end.is_backed({NodeId(2)})
    assert not end.is_backed({NodeId(1)})


def test_next_step_second_vote_goes_back_when_a_third_voter_comes() -> None:
    two = roster(line(1), line(2, votes=2, meters_feed=True), line(3, votes=0))
    taken = steps(two)
    assert [votes(r) for r in taken] == [
        {1: 1, 2: 2, 3: 0},
        {1: 1, 2: 2, 3: 1},
        {1: 1, 2: 1, 3: 1},
    ]


def test_next_step_even_number_without_a_meter_leaves_the_lowest_rank_without_a_vote() -> None:
    end = steps(roster(line(1, priority=3), line(2, priority=5), line(3), line(4)))[-1]
    assert votes(end) == {1: 1, 2: 1, 3: 0, 4: 1}


def test_next_step_the_long_silent_lose_their_vote_and_keep_their_floor() -> None:
    of = roster(*range(1, 6), line(6, votes=0))
    end = steps(of, everybody(of) - {NodeId(5)}, frozenset({NodeId(5)}))[-1]
    assert votes(end) == {1: 1, 2: 1, 3: 1, 4: 1, 5: 0, 6: 1}
    assert end.floors_mw == of.floors_mw


def test_next_step_absent_for_a_while_keeps_a_vote_and_gets_none() -> None:
    of = roster(1, 2, 3, line(4, votes=0), line(5, votes=0))
    assert steps(of, frozenset({NodeId(1), NodeId(2)})) == [of]


def test_next_step_meter_that_is_silent_gets_no_second_vote() -> None:
    """Two of five die, one of them the feed's meter: the three that are left must go on."""
    of = roster(line(1, meters_feed=True), 2, 3, 4, 5)
    taken = steps(of, frozenset(map(NodeId, (3, 4, 5))), frozenset({NodeId(2)}))
    assert votes(taken[-1]) == {1: 0, 2: 0, 3: 1, 4: 1, 5: 1}
    assert all(step.is_backed({NodeId(3), NodeId(4), NodeId(5)}) for step in taken)


def test_fair_no_more_voters_than_are_allowed() -> None:
    of = roster(*(line(n, votes=0, priority=n) for n in range(1, 9)))
    for most in (1, 3, 5):
        wanted = franchise.fair(of, everybody(of), NOBODY, most)
        assert {n for n, v in wanted.items() if v} == set(range(9 - most, 9))


def test_fair_nobody_to_vote_is_nobody_voting() -> None:
    of = roster(line(1, votes=0))
    assert franchise.fair(of, NOBODY, NOBODY) == {NodeId(1): 0}


# --- the laws --------------------------------------------------------------------------------


def rows(number: int) -> st.SearchStrategy[RosterLine]:
    return st.builds(
        line,
        st.just(number),
        votes=st.sampled_from((0, 0, 1, 1, 1, 2)),
        priority=st.integers(0, 3),
        meters_feed=st.sampled_from((False, False, False, True)),
    )


ROSTERS = st.integers(1, 7).flatmap(
    lambda size: st.tuples(*(rows(n) for n in range(1, size + 1))).map(lambda x: roster(*x))
)
SETS = st.frozensets(st.integers(1, 7).map(NodeId))
MOST = st.sampled_from((1, 3, 5, 5))


def a_rack(of: Roster, present: frozenset[NodeId], gone: frozenset[NodeId]) -> bool:
    """Whether a broker can see this: somebody who votes is there, as it is itself."""
    return any(x.votes and x.node not in gone for x in of.lines) or any(
        x.node in present for x in of.lines
    )


@given(ROSTERS, SETS, SETS, MOST)
def test_next_step_any_majority_meets_any_majority_of_the_roster_before(
    of: Roster, present: frozenset[NodeId], gone: frozenset[NodeId], most: int
) -> None:
    """Fails if two halves could each find one: the whole of P7 rests on it."""
    everyone = everybody(of)
    quorums = [frozenset(q) for k in range(len(everyone) + 1) for q in combinations(everyone, k)]
    taken = steps(of, present - gone, gone, most)
    for old, new in pairwise(taken):
        assert abs(old.votes - new.votes) <= 1
        assert new.version == old.version + 1
        assert new.floors_mw == old.floors_mw
        for quorum in quorums:
            assert not (old.is_backed(quorum) and new.is_backed(everyone - quorum))


@given(ROSTERS, SETS, SETS, MOST)
def test_next_step_ends_with_an_odd_handful_and_a_second_vote_only_at_the_feeds_meter(
    of: Roster, present: frozenset[NodeId], gone: frozenset[NodeId], most: int
) -> None:
    present -= gone
    if not a_rack(of, present, gone):
        return
    end = steps(of, present, gone, most)[-1]
    voters = [x for x in end.lines if x.votes]
    assert end.votes % 2 == 1
    assert len(voters) <= most
    assert {x.node for x in voters} <= everybody(of) - gone
    double = [x for x in voters if x.votes > 1]
    assert bool(double) is (len(voters) % 2 == 0)
    for one in double:
        assert (one.votes, one.meters_feed, len(double)) == (2, True, 1)


@given(ROSTERS, SETS, SETS, MOST)
def test_next_step_nobody_who_is_not_gone_loses_its_vote_without_need(
    of: Roster, present: frozenset[NodeId], gone: frozenset[NodeId], most: int
) -> None:
    """Only too many voters, or an even number of them and no meter, take one.

    The silent lose theirs first, then the lowest ranks.
    """
    present -= gone

    def claim(x: RosterLine) -> tuple[bool, Rank]:
        return x.node in present, Rank(x.priority, x.node)

    end = steps(of, present, gone, most)[-1]
    kept = [x for x in of.lines if x.votes and x.node not in gone]
    lost = [x for x in kept if not votes(end)[x.node]]
    for one in lost:
        stay = [x for x in kept if x not in lost]
        assert all(claim(x) > claim(one) for x in stay)
    assert len(lost) <= max(0, len(kept) - most) + 1
    if len(lost) > max(0, len(kept) - most):
        assert not any(x.meters_feed and x.votes and x.node in present for x in end.lines)
        old = {x.node for x in kept}
        assert not any(x.votes and x.node not in old for x in end.lines), "a newcomer came instead"


@given(ROSTERS, SETS, SETS, MOST)
def test_next_step_nobody_who_is_not_heard_gets_a_vote(
    of: Roster, present: frozenset[NodeId], gone: frozenset[NodeId], most: int
) -> None:
    """Fails if a majority comes to rest on a node that may be dead."""
    present -= gone
    for old, new in pairwise(steps(of, present, gone, most)):
        raised = [n for n, count in votes(new).items() if count > votes(old)[n]]
        assert set(raised) <= present


@given(ROSTERS, SETS, SETS, MOST)
def test_next_step_majority_of_those_who_are_heard_stays_one(
    of: Roster, present: frozenset[NodeId], gone: frozenset[NodeId], most: int
) -> None:
    """Fails if a rack that can decide takes that from itself."""
    present -= gone
    is_lawful = sum(x.votes > 1 for x in of.lines) <= 1
    if is_lawful and of.is_backed(present):
        assert all(step.is_backed(present) for step in steps(of, present, gone, most))


@given(ROSTERS, SETS, SETS, MOST)
def test_next_step_votes_never_fall_below_what_they_were_or_will_be(
    of: Roster, present: frozenset[NodeId], gone: frozenset[NodeId], most: int
) -> None:
    """A vote is given before another is taken: the quorum is never smaller than at both ends."""
    sums = [r.votes for r in steps(of, present - gone, gone, most)]
    assert min(sums) == min(sums[0], sums[-1])
