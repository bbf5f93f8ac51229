"""The heart: what the broker counts (P3) is never below what a node that keeps P2 may hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.controller.core.duel import NODE, PLAYS, TIMING, Duel, G, play
from tests.unit.controller.core.stage import report

from rackgrid.core import grant
from rackgrid.core.grant import DEAD_MAX, ISSUED_MAX, OLD_MAX, Account, Claim
from rackgrid.core.settings import MS_NS
from rackgrid.identity import BootId
from rackgrid.wire.message import ClaimReport, Report

# --- the law ---------------------------------------------------------------------------------


@settings(max_examples=400)
@given(
    plays=PLAYS,
    node_ppm=st.sampled_from((-10_000, 0, 10_000)),
    broker_ppm=st.sampled_from((-10_000, 0, 10_000)),
    holds=st.integers(0, 9),
)
def test_counted_any_history_is_never_below_what_the_node_may_hold(
    plays: list[tuple[str, int, int]], node_ppm: int, broker_ppm: int, holds: int
) -> None:
    """Fails if an expiry is not stretched, an issued grant is forgotten, or a boot is erased."""
    play(plays, node_ppm, broker_ppm, holds)


def test_counted_slowest_node_under_fastest_broker_is_held_to_the_last_moment() -> None:
    """The stretch is needed to the millisecond: without it this fails after 1,000 ms."""
    duel = play([("grants", 7, 1)], -10_000, 10_000, holds=0)
    assert duel.account.counted_mw(duel.broker_now) == 0
    duel = Duel(-10_000, 10_000, 0)
    duel.grants(7, 1)
    duel.waits(1009)
    assert duel.boots[0].holds_mw(duel.node_now) == 7
    assert duel.account.counted_mw(duel.broker_now) == 7


@given(PLAYS)
def test_account_any_history_stays_bounded(plays: list[tuple[str, int, int]]) -> None:
    account = play(plays, 0, 0, 5).account
    assert len(account.issued) <= ISSUED_MAX
    assert len(account.old) <= OLD_MAX
    assert len(account.dead) <= DEAD_MAX


# --- examples --------------------------------------------------------------------------------


def opened(holding_mw: int = 0, holding_ms: int = 0) -> Account:
    first = report(1, holding_mw=holding_mw, holding_ms=holding_ms)
    return grant.opened(NODE, BootId(1), first, 0, 0, TIMING)


def reported(
    account: Account, said: Report, now_ns: int, boot: int = 1, answers_ns: int | None = None
) -> Account:
    sent_ns = now_ns if answers_ns is None else answers_ns
    return grant.reported(account, BootId(boot), said, sent_ns, now_ns, TIMING)


def test_opened_node_that_holds_nothing_counts_nothing() -> None:
    assert opened().counted_mw(0) == 0


def test_opened_node_that_holds_counts_it_for_the_stretched_rest() -> None:
    account = opened(6000, 100)
    rest = TIMING.stretched(100 * MS_NS)
    assert account.counted_mw(rest - 1) == 6000
    assert account.counted_mw(rest) == 0


def test_opened_margin_is_added_to_the_rest() -> None:
    timing = replace(TIMING, margin_ns=50 * MS_NS)
    account = grant.opened(NODE, BootId(1), report(1, holding_mw=6, holding_ms=1), 0, 0, timing)
    assert account.counted_mw(timing.stretched(MS_NS) + 50 * MS_NS - 1) == 6


def test_issued_counts_before_anybody_took_it() -> None:
    account = grant.issued(opened(), 1, 6000, TIMING)
    assert (account.counted_mw(G - 1), account.counted_mw(G)) == (6000, 0)


def test_reported_round_taken_settles_it_and_all_before() -> None:
    account = grant.issued(grant.issued(opened(), 1, 9000, TIMING), 2, 6000, TIMING)
    account = reported(account, report(2, holding_mw=6000, holding_ms=900, round_taken=2), 1)
    assert account.issued == ()
    assert account.counted_mw(2) == 6000


def test_reported_lower_holding_does_not_free_a_later_grant() -> None:
    account = grant.issued(opened(), 1, 9000, TIMING)
    account = reported(account, report(2), 1)
    assert account.counted_mw(2) == 9000


def test_renewable_what_was_counted_without_a_gap_may_be_granted_again() -> None:
    account = grant.issued(opened(), 1, 6000, TIMING)
    account = reported(account, report(2, holding_mw=6000, holding_ms=900, round_taken=1), 1)
    assert account.renewable_mw(2) == 6000


def test_renewable_word_of_what_has_ended_counts_and_is_no_title() -> None:
    """Fails if a node that stood still gets back what others have been given meanwhile."""
    late = TIMING.stretched(100 * MS_NS)
    account = reported(opened(6000, 100), report(2, holding_mw=6000, holding_ms=50), late)
    assert (account.counted_mw(late), account.renewable_mw(late)) == (6000, 0)
    account = reported(account, report(3, holding_mw=6000, holding_ms=50), late + 1)
    assert account.renewable_mw(late + 1) == 0, "and no more by being said again"


def test_renewable_draw_beyond_the_grant_is_no_title() -> None:
    account = grant.issued(opened(), 1, 6000, TIMING)
    account = reported(account, report(2, holding_mw=9000, holding_ms=900, round_taken=1), 1)
    assert (account.counted_mw(2), account.renewable_mw(2)) == (9000, 6000)


def test_reported_bid_overtaken_on_its_way_is_ignored() -> None:
    account = reported(opened(), report(3, holding_mw=5, holding_ms=900), 1)
    assert reported(account, report(2), 2) is account


def test_reported_new_boot_counts_beside_the_old_one_until_its_expiry() -> None:
    account = grant.issued(opened(), 1, 6000, TIMING)
    account = reported(account, report(1, holding_mw=4000, holding_ms=900), 5, boot=2)
    assert (account.running_mw(6), account.old_mw(6), account.counted_mw(6)) == (4000, 6000, 10000)
    assert account.copper_mw(6) == 6000, "one copper, by turns"
    assert account.old_mw(G) == 0


@pytest.mark.parametrize("answers_ns", [3, 5])
def test_reported_late_ack_of_the_dead_boot_erases_nothing(answers_ns: int) -> None:
    account = reported(opened(), report(1, holding_mw=4000, holding_ms=900), 5, boot=2)
    assert reported(account, report(99), 6, boot=1, answers_ns=answers_ns) is account


def test_reported_dead_boot_heard_for_the_first_time_after_its_heir_is_not_taken_for_it() -> None:
    """Fails if a node that restarted is unheard for as long as its broker leads."""
    account = grant.issued(opened(), 1, 6000, TIMING)
    account = reported(account, report(1, holding_mw=4000, holding_ms=900), 50, boot=3)
    assert reported(account, report(9), 60, boot=2, answers_ns=40) is account


def test_reported_live_boot_comes_back_though_a_dead_one_was_taken_for_it() -> None:
    """A new boot may first answer a late heartbeat; then a dead one's last ack looks newer."""
    account = opened(4000, 2000)
    account = reported(account, report(1, holding_mw=4000, holding_ms=2000), 50, 2, answers_ns=10)
    account = reported(account, report(7, holding_mw=3000, holding_ms=2000), 60, 3, answers_ns=20)
    assert account.boot == BootId(3)
    again = report(2, holding_mw=4000, holding_ms=2000)
    assert reported(account, again, 70, 2) is account, "both speak: two nodes of one identity?"
    later_ns = 61 + TIMING.absent_ns
    account = reported(account, again, later_ns, 2)
    assert (account.boot, account.dead) == (BootId(2), (BootId(1), BootId(3)))
    beside_mw = 4000 + 4000 + 4000 + 3000
    assert account.counted_mw(later_ns) == beside_mw, "each beside the others: never too little"
    assert account.renewable_mw(later_ns) == 3000


def test_reported_three_boots_in_a_row_count_beside_each_other() -> None:
    account = grant.issued(opened(), 1, 3000, TIMING)
    account = grant.issued(reported(account, report(1), 5, boot=2), 2, 4000, TIMING)
    account = grant.issued(reported(account, report(1), 6, boot=3), 3, 5000, TIMING)
    assert account.counted_mw(7) == 12_000


def test_reported_more_boots_than_are_kept_apart_lose_no_watt() -> None:
    account = opened()
    for boot in range(2, OLD_MAX + 6):
        account = grant.issued(account, boot, 1000, TIMING)
        account = reported(account, report(1), 1, boot=boot, answers_ns=boot)
    assert len(account.old) == OLD_MAX
    assert account.old_mw(2) == 1000 * (OLD_MAX + 4)


def test_issued_more_grants_than_are_kept_apart_merge_pessimistically() -> None:
    account = opened()
    for round_ in range(1, ISSUED_MAX + 2):
        account = grant.issued(account, round_, 10_000 - round_, TIMING)
    assert len(account.issued) == ISSUED_MAX
    assert account.issued[0] == Claim(9999, G, 2)


@pytest.mark.parametrize(("until", "ms"), [(0, 0), (1, 1), (MS_NS, 1), (MS_NS + 1, 2), (-5, 0)])
def test_holding_ms_rounds_up_and_never_below_nothing(until: int, ms: int) -> None:
    assert grant.holding_ms(100 + until, 100) == ms


# --- handed over -----------------------------------------------------------------------------

CLAIM = ClaimReport(NODE, BootId(1), 6000, 100, 500, 40)


def test_handed_counts_each_part_until_its_stretched_end() -> None:
    held = grant.handed(CLAIM, 7, TIMING)
    running_ns, old_ns = (7 + TIMING.stretched(ms * MS_NS) for ms in (100, 40))
    assert [held.counted_mw(t) for t in (7, old_ns - 1, old_ns, running_ns - 1, running_ns)] == [
        6500,
        6500,
        6000,
        6000,
        0,
    ]


def test_handed_beside_the_own_word_of_its_boot_only_older_boots_stand() -> None:
    held = grant.handed(CLAIM, 0, TIMING)
    assert held.beside(BootId(1), 0) == (held.old,)
    assert held.beside(BootId(2), 0) == (held.running, held.old)
    assert held.beside(BootId(2), held.old.until_ns) == (held.running,)


def test_handed_on_once_more_loses_nothing_but_the_time_that_has_passed() -> None:
    held = grant.handed(CLAIM, 0, TIMING)
    again = held.told(20 * MS_NS)
    assert (again.running_mw, again.old_mw) == (6000, 500)
    assert again.running_ms == grant.holding_ms(held.running.until_ns, 20 * MS_NS)
    assert held.told(held.running.until_ns) == ClaimReport(NODE, BootId(1), 0, 0, 0, 0)


def test_told_account_that_counts_nothing_says_nothing() -> None:
    assert grant.told(opened(), 0) == ClaimReport(NODE, BootId(1), 0, 0, 0, 0)


def test_told_absurd_reports_do_not_leave_the_wire() -> None:
    """Fails if a node that lies about its holding can end the broker that resigns."""
    most = (1 << 32) - 1
    account = opened(most, most)
    for boot in range(2, OLD_MAX):
        said = report(1, holding_mw=most, holding_ms=most)
        account = reported(account, said, 1, boot, answers_ns=boot)
    word = grant.told(account, 1)
    assert word == ClaimReport(NODE, BootId(OLD_MAX - 1), most, most, most, most)


@given(PLAYS, st.integers(0, 3), st.lists(st.integers(0, 1500), min_size=1, max_size=5))
def test_handed_what_was_told_is_never_below_what_was_counted(
    plays: list[tuple[str, int, int]], late_ms: int, later_ms: list[int]
) -> None:
    """Fails if a successor counts less than the broker that handed it the book."""
    duel = play(plays, 0, 0, 5, after_ms=0)
    now_ns = duel.broker_now
    word = grant.told(duel.account, now_ns)
    held = grant.handed(word, now_ns + late_ms * MS_NS, TIMING)
    for ms in (0, *later_ms):
        then_ns = now_ns + (late_ms + ms) * MS_NS
        assert held.counted_mw(then_ns) >= duel.account.counted_mw(then_ns)
