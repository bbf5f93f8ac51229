"""The bully's table, its patience, and its back-off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.stage import TIMING, pair, report

from rackgrid.core import election
from rackgrid.core.election import (
    BACK_OFF_MAX_NS,
    BACK_OFF_NS,
    HIGHER_PATIENCE_NS,
    NEVER_HEARD,
    Following,
    Leading,
    Listening,
    Standing,
)
from rackgrid.core.settings import MS_NS
from rackgrid.identity import NodeId
from rackgrid.wire.vocabulary import Stance

H = TIMING.heartbeat_ns
NOW = 10**12
ANNA, BERT = NodeId(1), NodeId(2)


# --- the table of answers --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leads", "heard_ago", "may_vote", "is_bound", "outranks", "knows_more", "answer"),
    [
        (True, 10 * H, True, False, False, False, Stance.ALIVE),
        (True, 10 * H, False, True, True, True, Stance.ALIVE),
        (False, 2 * H - 1, True, False, True, False, Stance.ALIVE),
        (False, 2 * H, True, False, False, False, Stance.SUPPORT),
        (False, 2 * H, False, False, True, False, Stance.BOUND),
        (False, 2 * H, True, True, True, False, Stance.BOUND),
        (False, 2 * H, True, False, True, False, Stance.OUTRANKED),
        (False, 2 * H, True, False, True, True, Stance.OUTRANKED),
        (False, 2 * H, True, False, False, True, Stance.BOUND),
        (False, NOW - NEVER_HEARD, True, False, False, False, Stance.SUPPORT),
    ],
)
def test_stance_each_row_of_the_table(
    leads: bool,
    heard_ago: int,
    may_vote: bool,
    is_bound: bool,
    outranks: bool,
    knows_more: bool,
    answer: Stance,
) -> None:
    assert answer is election.stance(
        leads=leads,
        heard_ago_ns=heard_ago,
        may_vote=may_vote,
        is_bound=is_bound,
        outranks=outranks,
        knows_more=knows_more,
        timing=TIMING,
    )


@given(
    st.booleans(), st.integers(0, 5 * H), st.booleans(), st.booleans(), st.booleans(), st.booleans()
)
def test_stance_support_is_given_only_by_whoever_is_free_to_give_it(
    leads: bool, heard_ago: int, may_vote: bool, is_bound: bool, outranks: bool, knows_more: bool
) -> None:
    answer = election.stance(
        leads=leads,
        heard_ago_ns=heard_ago,
        may_vote=may_vote,
        is_bound=is_bound,
        outranks=outranks,
        knows_more=knows_more,
        timing=TIMING,
    )
    is_free = may_vote and not (leads or is_bound or outranks or knows_more)
    assert (answer is Stance.SUPPORT) == (is_free and heard_ago >= 2 * H)


# --- following -------------------------------------------------------------------------------


@pytest.mark.parametrize(("index", "ms"), [(0, 0), (1, 15), (3, 45), (4, 60), (30, 60)])
def test_skew_grows_by_rank_up_to_its_limit(index: int, ms: int) -> None:
    assert election.skew_ns(index, TIMING) == ms * MS_NS


def test_heartbeat_heard_new_broker_is_followed_for_three_heartbeats_and_the_skew() -> None:
    state = election.heartbeat_heard(Listening(0), pair(3), 7, NOW, 2, TIMING)
    assert state == Following(pair(3), NOW, 7, NOW + 3 * H + 30 * MS_NS)


@pytest.mark.parametrize("seq", [6, 7])
def test_heartbeat_heard_repeated_or_overtaken_is_no_sign_of_life(seq: int) -> None:
    state = Following(pair(3), NOW, 7, NOW + 3 * H)
    assert election.heartbeat_heard(state, pair(3), seq, NOW + 5, 0, TIMING) is None


def test_heartbeat_heard_of_another_pair_counts_its_own_sequence() -> None:
    state = Following(pair(3), NOW, 7, NOW + 3 * H)
    assert election.heartbeat_heard(state, pair(4), 1, NOW + 5, 0, TIMING) is not None


def test_resigned_broker_is_stood_for_at_once_by_rank() -> None:
    state = election.resigned(Following(pair(3), NOW, 7, NOW + 3 * H), NOW + 5, 1, TIMING)
    assert (state.heard_ns, state.stand_ns) == (NEVER_HEARD, NOW + 5 + 15 * MS_NS)


def test_patient_waits_longer_and_never_shorter() -> None:
    assert election.patient(Listening(100), 300) == Listening(300)
    assert election.patient(Listening(100), 50) == Listening(100)
    following = Following(pair(3), 0, 1, 100)
    assert election.next_deadline_ns(election.patient(following, 300)) == 300
    assert election.patient(Leading(pair(3)), 300) == Leading(pair(3))


# --- standing --------------------------------------------------------------------------------


def stood(*higher: NodeId) -> Standing:
    return election.stood(pair(4), 99, frozenset(higher), NOW, 0, TIMING)


def test_stood_nobody_higher_decides_at_once() -> None:
    state = stood()
    assert state.decide_ns == NOW
    assert election.wins(state, NOW, is_backed=True)
    assert not election.wins(state, NOW + H, is_backed=False)


def test_stood_higher_ranks_have_their_say_first() -> None:
    state = stood(BERT)
    assert not election.wins(state, NOW, is_backed=True)
    assert election.wins(state, NOW + HIGHER_PATIENCE_NS, is_backed=True)
    assert election.wins(election.supported(state, BERT, report()), NOW, is_backed=True)
    assert election.wins(election.unanswered(state), NOW, is_backed=True)


def test_supported_keeps_the_report_of_each_voter() -> None:
    state = election.supported(election.supported(stood(), ANNA, report(1)), ANNA, report(2))
    assert state.supports == {ANNA: report(2)}


@given(st.integers(0, 40), st.integers(*BACK_OFF_NS))
def test_backed_off_doubles_up_to_a_limit(attempt: int, jitter: int) -> None:
    state = election.stood(pair(4), 9, frozenset(), NOW, attempt, TIMING)
    later = election.backed_off(state, NOW, jitter)
    assert later.attempt == attempt + 1
    assert later.stand_ns - NOW == min(jitter * 2 ** min(attempt, 8), BACK_OFF_MAX_NS)


def test_next_deadline_each_state_names_its_own() -> None:
    waiting = stood(BERT)
    assert election.next_deadline_ns(Listening(5)) == 5
    assert election.next_deadline_ns(Following(pair(1), 1, 1, 9)) == 9
    assert election.next_deadline_ns(waiting) == waiting.decide_ns
    assert election.next_deadline_ns(election.unanswered(waiting)) == waiting.give_up_ns
    assert election.next_deadline_ns(Leading(pair(1))) is None
