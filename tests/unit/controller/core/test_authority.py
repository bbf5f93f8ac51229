"""Authority counts from the sending of what was answered, and from nothing later (P4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.core import authority
from rackgrid.core.authority import NEVER, SENT_MAX, Authority
from rackgrid.core.roster import Roster, majority
from rackgrid.core.settings import MS_NS
from rackgrid.identity import NodeId
from rackgrid.wire.message import RosterLine

T = 500 * MS_NS
ME, ANNA, BERT = NodeId(1), NodeId(2), NodeId(3)


def roster(*votes: int) -> Roster:
    return Roster(
        1, tuple(RosterLine(NodeId(i), f"n{i}", 0, 0, v) for i, v in enumerate(votes, start=1))
    )


def until(
    held: Authority, votes: tuple[int, ...] = (1, 1, 1), need: int = 2, own: int = NEVER
) -> int:
    return authority.until_ns(held, roster(*votes), need, ME, own, T)


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
    assert until(held, votes=(1, 1, 0), own=200) == NEVER


def test_until_node_off_the_roster_gives_no_authority() -> None:
    held = authority.acked(authority.sent(Authority(), 1, 100), NodeId(99), 1)
    assert until(held, own=200) == NEVER


@given(
    votes=st.lists(st.integers(0, 3), min_size=2, max_size=7).filter(sum),
    acks=st.lists(st.tuples(st.integers(2, 8), st.integers(1, 12)), max_size=40),
    own=st.booleans(),
)
def test_until_any_acks_is_t_after_a_sending_that_a_majority_answered(
    votes: list[int], acks: list[tuple[int, int]], own: bool
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
    need = majority(sum(votes))
    end = until(held, tuple(votes), need, now_ns if own else NEVER)

    def answered_since(sent_ns: int) -> int:
        return sum(v for i, v in enumerate(votes, start=1) if newest.get(i, NEVER) >= sent_ns)

    instants = [seq * 100 for seq in range(1, 13)] + [now_ns]
    reached = [t for t in instants if answered_since(t) >= need]
    assert end == (max(reached) + T if reached else NEVER)
