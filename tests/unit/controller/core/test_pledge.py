"""What a pledge counts for, who gets one, and what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.core.stage import TIMING, pair, report, roster

from rackgrid.core import grant, pledge
from rackgrid.core.book import Book
from rackgrid.core.grant import Account, Claim, Handed
from rackgrid.core.roster import Roster
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import PLEDGES_MAX, Pledge, PledgeLine

NOW = 10**12
ANNA, BERT = NodeId(1), NodeId(2)
OLD, NEW = BootId(10), BootId(11)
LINE = PledgeLine(ANNA, OLD, 10_000, 15_000)
ASKED = Pledge(OLD, 10_000, 15_000)
ROSTER = roster(ANNA, BERT)


def account(holding_mw: int = 10_000, boot: BootId = OLD, holding_ms: int = 2000) -> Account:
    said = report(1, holding_mw=holding_mw, holding_ms=holding_ms)
    return grant.opened(ANNA, boot, said, NOW, NOW, TIMING)


def refusal(
    of: Roster = ROSTER,
    asked: Pledge = ASKED,
    held: Account | None = None,
    limit_mw: int | None = None,
) -> str | None:
    return pledge.refusal(of, ANNA, asked, held or account(), limit_mw, NOW)


# --- what it counts for ----------------------------------------------------------------------


@pytest.mark.parametrize(("held_mw", "beside_mw"), [(0, 10_000), (4000, 6000), (12_000, 0)])
def test_beside_counts_the_larger_of_pledge_and_account(held_mw: int, beside_mw: int) -> None:
    book = Book({ANNA: account(held_mw)})
    assert pledge.beside_mw((LINE,), book, NOW) == beside_mw


def test_beside_of_a_node_that_nobody_has_heard_in_this_term_is_all_of_it() -> None:
    """Fails if a pledge ends with the broker that agreed it."""
    assert pledge.beside_mw((LINE,), Book({BERT: account()}), NOW) == 10_000


def test_beside_of_what_was_handed_over_is_the_rest() -> None:
    running, old = Claim(7000, NOW + SECOND_NS), Claim(1000, NOW)
    book = Book(handed={ANNA: Handed(ANNA, OLD, running, old)})
    assert pledge.beside_mw((LINE,), book, NOW) == 3000
    assert pledge.beside_mw((LINE,), book, NOW + SECOND_NS) == 10_000


def test_beside_stays_when_the_account_runs_out() -> None:
    book = Book({ANNA: account()})
    ends_ns = NOW + TIMING.stretched(2000 * MS_NS) + TIMING.margin_ns
    assert pledge.beside_mw((LINE,), book, ends_ns - 1) == 0
    assert pledge.beside_mw((LINE,), book, ends_ns) == 10_000


def test_title_is_what_the_later_boot_has_adopted_and_no_more_than_was_pledged() -> None:
    assert pledge.title_mw((LINE,), account(6000, NEW), NOW) == 6000
    assert pledge.title_mw((LINE,), account(12_000, NEW), NOW) == 10_000


def test_title_of_the_boot_that_stops_or_of_another_node_is_none() -> None:
    assert pledge.title_mw((LINE,), account(6000, OLD), NOW) == 0
    assert pledge.title_mw((replace(LINE, node=BERT),), account(6000, NEW), NOW) == 0


def test_lasts_is_stretched_and_has_the_margin() -> None:
    """Fails if a slow clock at the node could outlast the count."""
    assert pledge.lasts_ns(LINE, TIMING) == TIMING.stretched(15 * SECOND_NS) + TIMING.margin_ns


# --- who gets one ----------------------------------------------------------------------------


def test_refusal_of_what_is_held_anyway_is_none() -> None:
    assert refusal() is None


def test_refusal_of_more_than_is_counted() -> None:
    assert refusal(asked=Pledge(OLD, 10_001, 15_000)) == "it asks for more than it may hold"


def test_refusal_of_what_was_reported_and_is_no_title() -> None:
    """Fails if a stale report could be made to last: its watts may be others' by now."""
    assert refusal(held=grant.kept(account(), 0)) == "it asks for more than it may hold"


def test_refusal_while_the_book_is_closed_has_the_takeovers_limit() -> None:
    assert refusal(limit_mw=9_999) == "it asks for more than it may hold"
    assert refusal(limit_mw=10_000) is None


def test_refusal_of_a_stranger() -> None:
    assert refusal(roster(BERT)) == "it is not on the roster"


def test_refusal_of_a_second_one() -> None:
    assert refusal(ROSTER.with_pledge(replace(LINE, boot=NEW))) == "its last one has not ended"


def test_refusal_of_one_beyond_the_limit() -> None:
    full = ROSTER
    for number in range(PLEDGES_MAX):
        full = full.with_pledge(replace(LINE, node=NodeId(100 + number)))
    assert refusal(full) == f"{PLEDGES_MAX} nodes restart already"


@pytest.mark.parametrize("span_ms", [0, 60_001])
def test_refusal_of_no_span_and_of_one_too_long(span_ms: int) -> None:
    assert refusal(asked=Pledge(OLD, 10_000, span_ms)) == "it asks for too long"


def test_refusal_of_the_longest_span_is_none() -> None:
    assert refusal(asked=Pledge(OLD, 10_000, 60_000)) is None


# --- what ends it ----------------------------------------------------------------------------


def test_given_back_by_a_later_boot_that_names_it_and_by_no_other() -> None:
    back = Pledge(OLD, 0, 0)
    assert pledge.is_given_back(LINE, back, NEW)
    assert not pledge.is_given_back(LINE, back, OLD), "its own outputs still hold"
    assert not pledge.is_given_back(LINE, replace(back, boot=BootId(9)), NEW), "it means another"
    assert not pledge.is_given_back(LINE, ASKED, NEW), "it asks for one"


def test_roster_of_another_broker_keeps_its_pledges() -> None:
    assert ROSTER.with_pledge(LINE).under(pair(9)).pledge(ANNA) == LINE
