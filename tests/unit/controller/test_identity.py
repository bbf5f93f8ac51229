from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.identity import NO_PAIR, BootId, NodeId, Pair, Rank, Term

ids = st.integers(0, 2**64 - 1)
pairs = st.builds(Pair, st.integers(1, 2**32 - 1).map(Term), ids.map(NodeId), ids.map(BootId))


@given(pairs, pairs)
def test_pair_higher_term_wins_then_higher_node_then_boot(one: Pair, other: Pair) -> None:
    key_one = (one.term, one.node, one.boot)
    key_other = (other.term, other.node, other.boot)
    assert (one < other) == (key_one < key_other)
    assert (one == other) == (key_one == key_other)


@given(pairs)
def test_no_pair_is_lower_than_every_real_one(pair: Pair) -> None:
    assert pair > NO_PAIR


def test_pair_shown_names_term_and_node() -> None:
    assert str(Pair(Term(12), NodeId(0xAB), BootId(1))) == "12/00000000000000ab"


@given(ids, ids, st.integers(0, 9), st.integers(0, 9))
def test_rank_priority_decides_before_the_id(a: int, b: int, high: int, low: int) -> None:
    one, other = Rank(high, NodeId(a)), Rank(low, NodeId(b))
    assert (one > other) == ((high, a) > (low, b))
