"""What an operator allows a node: its rank, and how large its floor may become."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.core.stage import line, roster, settings

from rackgrid.core import allowance
from rackgrid.core.allowance import ALLOWANCES_MAX, NO_ALLOWANCE, Allowance
from rackgrid.identity import NodeId

ANNA, BERT = NodeId(1), NodeId(2)
ROSTER = roster(line(ANNA, 8000, priority=4), BERT)


def test_newcomer_gets_what_the_settings_say_where_no_operator_has_spoken() -> None:
    told = replace(settings(), newcomer_priority=9, newcomer_floor_mw=7000)
    assert NO_ALLOWANCE.priority_max(told) == 9
    assert NO_ALLOWANCE.floor_max(told) == 7000
    word = Allowance(priority=0, floor_max_mw=0)
    assert (word.priority_max(told), word.floor_max(told)) == (0, 0)


def test_said_word_leaves_what_it_does_not_name_as_an_earlier_one_had_it() -> None:
    known = allowance.said({}, ANNA, Allowance(priority=7))
    known = allowance.said(known, ANNA, Allowance(floor_max_mw=9000))
    assert known == {ANNA: Allowance(7, 9000)}
    assert allowance.said(known, ANNA, Allowance(priority=8)) == {ANNA: Allowance(8, 9000)}


def test_said_more_words_than_there_may_be_the_oldest_gives_way() -> None:
    known: allowance.Allowances = {}
    for number in range(ALLOWANCES_MAX + 1):
        known = allowance.said(known, NodeId(number), Allowance(priority=number))
    assert len(known) == ALLOWANCES_MAX
    assert NodeId(0) not in known
    assert NodeId(ALLOWANCES_MAX) in known


def test_without_drops_the_word_about_one_node() -> None:
    known = {ANNA: Allowance(1), BERT: Allowance(2)}
    assert allowance.without(known, ANNA) == {BERT: Allowance(2)}


def test_applied_changes_rank_and_limit_and_nothing_else() -> None:
    made = allowance.applied(ROSTER, ANNA, Allowance(7, 9000))
    assert made.line(ANNA) == replace(line(ANNA, 8000, priority=7), floor_max_mw=9000)
    assert made.line(BERT) == ROSTER.line(BERT)
    assert made.version == ROSTER.version + 1
    assert made.floors_mw == ROSTER.floors_mw


def test_applied_word_that_changes_nothing_gives_the_same_roster() -> None:
    assert allowance.applied(ROSTER, ANNA, Allowance(4, 8000)) is ROSTER
    assert allowance.applied(ROSTER, ANNA, NO_ALLOWANCE) is ROSTER


def test_applied_limit_below_what_is_reserved_stops_there() -> None:
    """A floor may be drawn whatever happens: only its node says when it no longer is."""
    lowered = roster(replace(line(ANNA, 5000), floor_max_mw=8000))
    made = allowance.applied(lowered, ANNA, Allowance(floor_max_mw=1000)).line(ANNA)
    assert made is not None
    assert (made.floor_mw, made.floor_max_mw) == (5000, 5000)


def test_applied_to_nobody_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="only a line"):
        allowance.applied(ROSTER, NodeId(3), Allowance(1))
