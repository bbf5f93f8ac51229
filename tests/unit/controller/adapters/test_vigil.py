"""Fails if a window is lost or told late, or if a broken meter could fill the record."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.adapters.story import PAIR, SECOND, cleared, judged

from rackgrid.adapters.vigil import SUSPECT_NS, WINDOWS_MAX, Vigil
from rackgrid.core.action import RoundCleared
from rackgrid.core.look import Look
from rackgrid.identity import NodeId, Term

OTHER = replace(PAIR, term=Term(8))


def seen(drawn_mw: int, at_ns: int = 0, node: int = 2) -> RoundCleared:
    return replace(cleared(), looks={NodeId(node): Look(at_ns, 3, drawn_mw, 0, 0)})


def test_news_is_told_at_once_with_all_that_waited() -> None:
    vigil = Vigil()
    calm = [judged(number=number, is_news=False) for number in (1, 2)]
    assert [vigil.judged(each) for each in calm] == [[], []]
    assert vigil.judged(judged()) == [*calm, judged()]
    assert vigil.is_owed(cleared()), "the round that it counts from is told, too"
    assert not vigil.is_owed(cleared())
    assert vigil.rest() == []


def test_windows_that_are_no_news_wait_for_a_round_or_for_many() -> None:
    vigil = Vigil()
    calm = judged(is_news=False)
    vigil.judged(calm)
    assert not vigil.is_owed(cleared())
    assert vigil.rest() == [[calm]]
    told = [vigil.judged(calm) for _ in range(WINDOWS_MAX)]
    assert [len(each) for each in told] == [0] * (WINDOWS_MAX - 1) + [WINDOWS_MAX]
    assert vigil.is_owed(cleared())


def test_node_that_draws_too_much_is_news_and_then_not_for_a_while() -> None:
    vigil = Vigil()
    assert not vigil.is_owed(seen(200))
    assert vigil.is_owed(seen(201))
    assert not vigil.is_owed(seen(900, SUSPECT_NS - 1))
    assert vigil.is_owed(seen(900, 5 * SECOND, node=3))
    assert vigil.is_owed(seen(900, SUSPECT_NS))


def test_another_office_begins_anew() -> None:
    vigil = Vigil()
    vigil.is_owed(seen(900))
    vigil.judged(judged(is_news=False))
    assert vigil.is_owed(replace(seen(900), pair=OTHER))
    assert vigil.rest() == []
    vigil.judged(judged())
    assert vigil.judged(judged(pair=OTHER, is_news=False)) == []
    assert not vigil.is_owed(replace(cleared(), pair=OTHER))
    assert len(vigil.rest()) == 1
