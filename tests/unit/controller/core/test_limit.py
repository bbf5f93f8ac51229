"""What an operator says that the feed gives: which word counts, and how far."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.core.limit import VERSION_MAX, bounded_mw, latest, said
from rackgrid.identity import NO_LIMIT, Limit

WORDS = st.builds(Limit, st.integers(0, 5), st.integers(0, 5))


def test_said_is_later_than_all_that_is_known() -> None:
    first = said(NO_LIMIT, 40_000)
    assert first == Limit(1, 40_000)
    second = said(first, 60_000)
    assert first.yields_to(second)
    assert not second.yields_to(first)


def test_said_again_is_no_new_word() -> None:
    word = said(NO_LIMIT, 40_000)
    assert said(word, 40_000) is word


def test_said_of_nothing_is_a_word() -> None:
    """Fails if a feed that gives nothing is taken for one of which nobody has spoken."""
    assert said(NO_LIMIT, 0) == Limit(1, 0)


def test_said_past_the_last_number_counts_if_it_is_lower() -> None:
    last = Limit(VERSION_MAX, 40_000)
    assert last.yields_to(said(last, 30_000))
    assert not last.yields_to(said(last, 50_000))


@given(st.lists(WORDS))
def test_latest_is_the_same_in_any_order(words: list[Limit]) -> None:
    """Fails if two nodes that have heard the same words could go by different ones."""
    found = latest(words)
    assert found == latest(reversed(words)) == latest(sorted(words, key=hash))
    assert not any(found.yields_to(word) for word in words)


def test_latest_of_two_that_were_said_at_once_is_the_lower() -> None:
    assert latest([Limit(2, 60_000), Limit(2, 40_000), Limit(1, 10_000)]) == Limit(2, 40_000)


def test_bounded_keeps_within_every_word_and_the_settings() -> None:
    assert bounded_mw(60_000, [NO_LIMIT]) == 60_000
    assert bounded_mw(60_000, [Limit(1, 90_000)]) == 60_000
    assert bounded_mw(60_000, [Limit(1, 45_000), Limit(2, 50_000)]) == 45_000
    assert bounded_mw(60_000, [Limit(1, 0)]) == 0
