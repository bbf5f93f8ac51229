"""Authority counts from the sending of what was answered, and from nothing later (P4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.stage import line, roster

from rackgrid.core import authority
from rackgrid.core.authority import NEVER, SENT_MAX, Authority
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.core.settings import MS_NS
from rackgrid.identity import NodeId

T = 500 * MS_NS
ME, ANNA, BERT = NodeId(1), NodeId(2), NodeId(3)


def of(*votes: int, founding: bool = False) -> Roster:
    """A roster of these votes, from node 1 on."""
    return roster(*(line(n, votes=v) for n, v in enumerate(votes, 1)), founding=founding)


def until(held: Authority, *rosters: Roster, own: int = NEVER) -> int:
    return authority.until_ns(held, rosters or (of(1, 1, 1),), ME, own, T)


def test_until_nobody_answered_is_never() -> None:
    assert until(authority.sent(Authority(), 1, 100)) == NEVER


def test_until_an_ack_counts_from_the_sending_of_its_heartbeat() -> None:
    held = authority.sent(authority.sent(Authority(), 1, 100), 2, 900)
    held = authority.acked(authority.acked(held, ANNA, 1), BERT, 2)
    # Two of three votes: the second-newest answered sending decides.
    assert until(held) == 100 + T


def test_until_own_vote_counts_as_given_now() -> None:
    held = authority.acked(authority.sent(Authority(), 1, 100), ANNA, 1)
    assert until(held, own=700) == 100 + T
    assert until(held) == NEVER


def test_acked_older_heartbeat_does_not_take_a_newer_answer_back() -> None:
    held = authority.sent(authority.sent(Authority(), 1, 100), 2, 200)
    held = authority.acked(authority.acked(held, ANNA, 2), ANNA, 1)
    assert held.acked[ANNA] == 200


def test_acked_heartbeat_never_sent_counts_for_nothing() -> None:
    held = authority.sent(Authority(), 1, 100)
    assert authority.acked(held, ANNA, 2) is held


def test_acked_forgotten_heartbeat_counts_for_nothing() -> None:
    held = Authority()
    for seq in range(1, SENT_MAX + 2):
        held = authority.sent(held, seq, seq)
    assert len(held.sent) == SENT_MAX
    assert authority.acked(held, ANNA, 1) is held


def test_until_node_without_a_vote_gives_no_authority() -> None:
    held = authority.acked(authority.sent(Authority(), 1, 100), BERT, 1)
    assert until(held, of(1, 1, 0), own=200) == NEVER


def test_until_node_off_the_roster_gives_no_authority() -> None:
    held = authority.acked(authority.sent(Authority(), 1, 100), NodeId(99), 1)
    assert until(held, own=200) == NEVER


def test_until_two_rosters_the_one_that_was_answered_longer_ago_decides() -> None:
    """Fails if a change that is not agreed yet moves authority to the other half of the rack."""
    held = authority.sent(authority.sent(Authority(), 1, 100), 2, 900)
    held = authority.acked(authority.acked(held, ANNA, 1), BERT, 2)
    old, new = of(0, 1, 0), of(0, 0, 1)
    assert until(held, old) == 100 + T
    assert until(held, new) == 900 + T
    assert until(held, old, new) == 100 + T
    assert until(held, old, of(1, 0, 0)) == NEVER


def test_until_no_roster_to_speak_for_is_never() -> None:
    held = authority.acked(authority.sent(Authority(), 1, 100), ANNA, 1)
    assert authority.until_ns(held, (), ME, 700, T) == NEVER
    assert until(held, NO_ROSTER, own=700) == NEVER


def test_until_founding_roster_that_gives_no_authority_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="founding has no authority"):
        until(Authority(), of(1, 1, founding=True), own=700)


def test_until_a_broker_whose_own_vote_suffices_has_it_while_it_may_vote() -> None:
    assert until(Authority(), of(2, 1), own=700) == 700 + T
    assert until(Authority(), of(2, 1)) == NEVER


@given(
    votes=st.lists(st.integers(0, 3), min_size=2, max_size=7),
    others=st.lists(st.integers(0, 3), min_size=1, max_size=8),
    acks=st.lists(st.tuples(st.integers(2, 8), st.integers(1, 12)), max_size=40),
    own=st.booleans(),
)
def test_until_any_acks_is_t_after_a_sending_that_a_majority_of_each_roster_answered(
    votes: list[int], others: list[int], acks: list[tuple[int, int]], own: bool
) -> None:
    """Fails if one vote too few suffices, or if the end is later than that sending + T."""
    held, now_ns = Authority(), 1300
    for seq in range(1, 13):
        held = authority.sent(held, seq, seq * 100)
    newest = dict.fromkeys(range(2, 9), NEVER)
    for node, seq in acks:
        held = authority.acked(held, NodeId(node), seq)
        newest[node] = max(newest[node], seq * 100)
    newest[1] = now_ns if own else NEVER
    rosters = (of(*votes), of(*others))
    end = until(held, *rosters, own=now_ns if own else NEVER)

    def answered_since(sent_ns: int) -> set[NodeId]:
        return {NodeId(n) for n, t in newest.items() if t != NEVER and t >= sent_ns}

    instants = [seq * 100 for seq in range(1, 13)] + [now_ns]
    reached = [t for t in instants if all(r.is_backed(answered_since(t)) for r in rosters)]
    assert end == (max(reached) + T if reached else NEVER)
