"""The broker: heartbeats, rounds of clearing, and what it issues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.ballot import ack as ack_of
from tests.unit.controller.core.stage import RACK, TIMING, pair, report, roster, settings, step

from rackgrid.core import agreement, broker, grant
from rackgrid.core.book import Book, Inherited
from rackgrid.core.broker import JOIN_PATIENCE_NS, ROUND_GAP_NS, WATTS_MAX_MW
from rackgrid.core.grant import Account
from rackgrid.core.office import Joining, Office
from rackgrid.core.roster import Roster
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import NO_PAIR, NO_RACK, BootId, Limit, NodeId
from rackgrid.market.clearing import clear
from rackgrid.wire.message import PROTOCOL_VERSION, Ack, Allotment, Join, OfferReport, Price, Report

NOW = 10**12
H = TIMING.heartbeat_ns
ME, ANNA, BERT, CARL = (NodeId(n) for n in (9, 1, 2, 3))
TOLD = settings()
ROSTER = roster(ANNA, BERT, ME, version=4)


def taken(of: Roster = ROSTER, supports: Mapping[NodeId, Report] | None = None) -> Office:
    return broker.taken(pair(3), of, supports or {}, NOW)


def office(*said: tuple[NodeId, Report], opened: bool = True, of: Roster = ROSTER) -> Office:
    """An office whose book is open, with these reports received now."""
    made = taken(of)
    accounts = {n: grant.opened(n, BootId(n), r, NOW, NOW, TIMING) for n, r in said}
    return replace(made, book=Book(accounts, first_majority_ns=NOW, opened=opened))


def cleared(
    held: Office, *, now_ns: int = NOW, may_grant: bool = True
) -> tuple[Office, list[Price]]:
    return broker.cleared(held, TOLD, now_ns, may_grant=may_grant)[:2]


def allotted(prices: list[Price]) -> dict[NodeId, Allotment]:
    return {a.node: a for price in prices for a in price.allotments}


LAMP = step(400_000, 6000, 9000)
LAMP_ON = step(400_000, 6000, running=True)


def wants(bid_seq: int = 1, *, holding_mw: int = 0, running: bool = False) -> Report:
    ms = 2000 if holding_mw else 0
    steps = (LAMP_ON if running else LAMP,)
    return report(bid_seq, steps=steps, holding_mw=holding_mw, holding_ms=ms)


# --- heartbeats ------------------------------------------------------------------------------


def test_beat_numbers_and_remembers_when_it_was_sent() -> None:
    held, said = broker.beat(taken(), NOW, TIMING)
    assert (said.seq, said.pair, said.rack, said.round) == (1, pair(3), RACK, 0)
    assert (said.founding, said.roster_version, said.agreed_version) == (False, 0, 0)
    assert held.authority.sent == {1: NOW}
    assert held.heartbeat_ns == NOW + H


def test_beat_late_keeps_the_beat_and_does_not_hurry_to_catch_up() -> None:
    held = taken()
    late, _ = broker.beat(held, NOW + H // 4, TIMING)
    assert late.heartbeat_ns == NOW + H
    very_late, _ = broker.beat(held, NOW + 10 * H, TIMING)
    assert very_late.heartbeat_ns == NOW + 10 * H + H // 2


def ack(seq: int, *, votes: bool = True) -> Ack:
    return ack_of(pair(3), seq, votes=votes, said=wants())


def test_acked_is_a_vote_and_a_report_and_ends_absence() -> None:
    held, _ = broker.beat(taken(), NOW, TIMING)
    held = replace(held, absent=frozenset({ANNA}))
    held = broker.acked(held, ANNA, BootId(1), ack(1), NOW + 5, TIMING)
    assert held.authority.acked == {ANNA: NOW}
    assert held.book.accounts[ANNA].bid_received_ns == NOW + 5
    assert held.absent == frozenset()


def test_acked_in_its_quiet_time_reports_and_does_not_vote() -> None:
    held, _ = broker.beat(taken(), NOW, TIMING)
    held = broker.acked(held, ANNA, BootId(1), ack(1, votes=False), NOW, TIMING)
    assert held.authority.acked == {}
    assert ANNA in held.book.accounts


def test_acked_heartbeat_that_was_never_sent_changes_nothing() -> None:
    held = taken()
    assert broker.acked(held, ANNA, BootId(1), ack(7), NOW, TIMING) is held


def test_voted_first_word_of_what_was_left_holds_for_the_term() -> None:
    """After its first ack a node has left this very broker for nobody."""
    held, _ = broker.beat(taken(), NOW, TIMING)
    held = broker.voted(held, ANNA, ack_of(pair(3), left=pair(2)))
    held = broker.voted(held, ANNA, ack_of(pair(3), left=pair(1)))
    held = broker.voted(held, BERT, ack_of(pair(3), votes=False, left=pair(1)))
    assert held.left == {ANNA: pair(2), BERT: pair(1)}


def test_voted_stores_count_for_the_roster_of_this_broker_and_with_a_vote() -> None:
    held, _ = broker.beat(taken(), NOW, TIMING)
    mine = ROSTER.under(pair(3))
    held = replace(held, agreement=agreement.proposed(held.agreement, mine))
    for node, votes, has in ((ANNA, False, mine), (BERT, True, ROSTER)):
        held = broker.voted(held, node, ack_of(pair(3), votes=votes, has=has.stamp))
    assert held.agreement.stored == {}
    for node in (ANNA, BERT):
        held = broker.voted(held, node, ack_of(pair(3), has=mine.stamp))
    assert held.agreement.agreed_version == 4
    _, said = broker.beat(held, NOW + H, TIMING)
    assert (said.roster_version, said.agreed_version) == (4, 4)


def test_reserved_what_exceeds_the_floors_counts_as_floor_even_of_the_silent() -> None:
    held = office((ANNA, report(1, excess_mw=2500)))
    assert broker.reserved_mw(held) == 17_500
    _, prices = cleared(held, now_ns=NOW + 9 * SECOND_NS)
    assert prices[0].floors_mw == 17_500


def test_authority_of_an_office_counts_its_acks() -> None:
    held, _ = broker.beat(taken(), NOW, TIMING)
    held = broker.acked(held, ANNA, BootId(1), ack(1), NOW + 5, TIMING)
    until = broker.authority_until_ns(held, ME, NOW + 5, TIMING)
    assert until == NOW + TIMING.authority_ns


def test_own_report_goes_into_the_book_like_any_other() -> None:
    held = broker.own_report(taken(), ME, BootId(9), wants(), NOW, TIMING)
    assert held.book.accounts[ME].bid_seq == 1


def test_silent_names_each_node_once() -> None:
    held = office((ANNA, wants()))
    later = NOW + TIMING.absent_ns + 1
    assert broker.silent(held, ME, later - 1, TIMING) == []
    assert broker.silent(held, ME, later, TIMING) == [ANNA, BERT]
    told = replace(held, absent=frozenset({ANNA}))
    assert broker.silent(told, ME, later, TIMING) == [BERT]


def test_round_due_by_the_clock_or_after_the_gap_if_urgent() -> None:
    held = replace(office(), round_ns=NOW + 500, rounded_ns=NOW - ROUND_GAP_NS + 3)
    assert broker.round_due_ns(held, urgent=False) == NOW + 500
    assert broker.round_due_ns(held, urgent=True) == NOW + 3


# --- clearing --------------------------------------------------------------------------------


def test_cleared_grant_answers_the_newest_bid_and_is_counted_before_it_is_sent() -> None:
    held, prices = cleared(office((ANNA, wants(5))))
    assert allotted(prices)[ANNA] == Allotment(ANNA, BootId(1), 5, 9000, 1)
    assert held.book.counted_mw(NOW) == 9000
    assert (held.round, prices[0].round, held.round_ns) == (1, 1, NOW + TIMING.round_ns)
    assert (prices[0].price_uc, prices[0].capacity_mw, prices[0].floors_mw) == (
        250_000,
        60_000,
        15_000,
    )


def test_cleared_tells_the_whole_book_and_what_came_of_it() -> None:
    """Fails if a round cannot be made again from what is told of it."""
    held = office((ANNA, wants(5)), (BERT, wants(7)))
    _, prices, told = broker.cleared(held, TOLD, NOW, may_grant=True)
    limits = (told.floors_mw, told.capacity_mw, told.room_mw, told.price_cap_uc)
    again = clear(told.bids, told.offers, *limits)
    assert again == told.clearing
    assert (told.pair, told.round, told.granting) == (held.pair, 1, True)
    assert (prices[0].price_uc, prices[0].allotments) == (again.price_uc, told.allotments)
    assert [bid.bidder for bid in told.bids] == [ANNA, BERT]


def test_cleared_without_authority_a_price_goes_out_and_no_grant() -> None:
    held, prices = cleared(office((ANNA, wants())), may_grant=False)
    assert allotted(prices) == {}
    assert prices[0].price_uc == 250_000
    assert held.book.counted_mw(NOW) == 0


def test_cleared_closed_book_renews_and_raises_nothing() -> None:
    held = office((ANNA, wants(holding_mw=6000, running=True)), (BERT, wants()), opened=False)
    held = replace(held, book=replace(held.book, inherited={}))
    _, prices = cleared(held)
    assert {n: a.grant_mw for n, a in allotted(prices).items()} == {ANNA: 0, BERT: 0}


def test_cleared_silent_node_keeps_its_watts_counted_and_gets_no_grant() -> None:
    old = grant.issued(grant.opened(BERT, BootId(2), wants(), NOW, NOW, TIMING), 1, 40_000, TIMING)
    held = office((ANNA, wants()))
    held = replace(held, book=replace(held.book, accounts={**held.book.accounts, BERT: old}))
    later = NOW + TIMING.absent_ns + 1
    fresh = replace(held.book.accounts[ANNA], bid_received_ns=later)
    held = replace(held, book=replace(held.book, accounts={ANNA: fresh, BERT: old}))
    after, prices = cleared(held, now_ns=later)
    assert {n: a.grant_mw for n, a in allotted(prices).items()} == {ANNA: 0}
    assert after.book.counted_mw(later) == 40_000


def test_cleared_raise_waits_until_lowered_watts_were_reported_back() -> None:
    """Lower before raise: the cheap lamp is shed first, and its watts move only when it is off."""
    dear = report(1, steps=(step(900_000, 6000, 9000),))
    cheap = report(
        1, steps=(step(300_000, 30_000, running=True),), holding_mw=30_000, holding_ms=2000
    )
    scarce = (OfferReport("grid", 250_000, 45_000),)
    held = office((ANNA, replace(dear, offers=scarce)), (BERT, replace(cheap, offers=scarce)))
    held, prices = cleared(held)
    assert {n: a.grant_mw for n, a in allotted(prices).items()} == {ANNA: 0, BERT: 0}
    assert held.wanting
    off = grant.reported(
        held.book.accounts[BERT], BootId(2), report(2, round_taken=1), NOW + 1, NOW + 1, TIMING
    )
    held = replace(held, book=replace(held.book, accounts={**held.book.accounts, BERT: off}))
    _, prices = cleared(held, now_ns=NOW + 1)
    assert allotted(prices)[ANNA].grant_mw == 9000


def test_cleared_book_that_opens_renews_nothing_that_did_not_last() -> None:
    """Fails if the very round that opens the book takes a holding for a title that is none."""
    full = report(1, holding_mw=40_000, holding_ms=2000)
    said = ((ANNA, wants(holding_mw=6000, running=True)), (BERT, full), (ME, report(1)))
    held = office(*said, opened=False)
    lasted = {n: Inherited(r.holding_mw, NOW - (n == ANNA)) for n, r in said}
    held, prices = cleared(replace(held, book=replace(held.book, inherited=lasted)))
    assert held.book.opened
    assert allotted(prices)[ANNA].grant_mw == 0


def test_cleared_node_off_the_roster_gets_nothing() -> None:
    _, prices = cleared(office((ANNA, wants()), of=roster(BERT, ME)))
    assert allotted(prices) == {}


def test_cleared_joiner_is_made_room_for_until_it_stops_asking() -> None:
    held = office((ANNA, wants(holding_mw=6000, running=True)))
    asked = Join(1, "carl", 0, 43_000, False, PROTOCOL_VERSION, NO_PAIR, NO_RACK, 1)
    big = replace(held, joining={CARL: Joining(BootId(3), asked, NOW)})
    kept, prices = cleared(big)
    assert allotted(prices)[ANNA].grant_mw == 0
    assert CARL in kept.joining
    later = NOW + JOIN_PATIENCE_NS
    fresh = replace(held.book.accounts[ANNA], bid_received_ns=later)
    big = replace(big, book=replace(held.book, accounts={ANNA: fresh}))
    kept, prices = cleared(big, now_ns=later)
    assert kept.joining == {}
    assert allotted(prices)[ANNA].grant_mw == 6000


def test_cleared_restarted_controller_makes_no_shortage() -> None:
    """What a new boot has adopted is the dead boot's: it is counted twice, and cleared once."""
    held = office(
        (ANNA, wants(holding_mw=20_000, running=True)),
        (BERT, wants(holding_mw=6000, running=True)),
    )
    again = grant.reported(
        held.book.accounts[ANNA],
        BootId(77),
        report(1, steps=(step(400_000, 20_000, running=True),), holding_mw=20_000, holding_ms=1500),
        NOW + 1,
        NOW,
        TIMING,
    )
    held = replace(held, book=replace(held.book, accounts={**held.book.accounts, ANNA: again}))
    assert held.book.counted_mw(NOW) == 46_000  # of 45 W: overbooked, on paper
    _, prices = cleared(held)
    assert {n: a.grant_mw for n, a in allotted(prices).items()} == {ANNA: 20_000, BERT: 6000}


def test_cleared_supports_make_the_first_price_and_no_grant() -> None:
    held = taken(supports={ANNA: wants(), NodeId(44): wants()})
    held = broker.own_report(held, ME, BootId(9), report(1, offers=()), NOW, TIMING)
    held, prices = cleared(held, may_grant=False)
    assert prices[0].capacity_mw == 60_000
    assert prices[0].price_uc == 250_000
    assert allotted(prices) == {}
    assert ANNA not in held.book.accounts


def test_cleared_supporters_source_is_believed_until_its_first_ack_is_overdue() -> None:
    held = office((BERT, report(1, offers=())))
    held = replace(held, supports={ANNA: wants()})
    assert cleared(held)[1][0].capacity_mw == 60_000
    late = held.since_ns + TIMING.absent_ns + 1
    assert cleared(held, now_ns=late)[1][0].capacity_mw == 0


def test_cleared_two_speakers_for_one_source_count_with_the_worse_word() -> None:
    one = report(1, offers=(OfferReport("sun", 100, 50_000),))
    other = report(1, offers=(OfferReport("sun", 300, 40_000),))
    _, prices = cleared(office((ANNA, one), (BERT, other)))
    assert (prices[0].capacity_mw, prices[0].price_uc) == (40_000, 300)


def test_cleared_absurd_reports_do_not_leave_the_wire() -> None:
    absurd = report(1, draw_mw=WATTS_MAX_MW, holding_mw=WATTS_MAX_MW, holding_ms=9)
    _, prices = cleared(office((ANNA, absurd), (BERT, absurd)))
    assert (prices[0].drawn_mw, prices[0].granted_mw) == (WATTS_MAX_MW, WATTS_MAX_MW)


def test_capacity_least_word_counts_even_of_a_node_that_fell_silent() -> None:
    assert broker.capacity_mw(office(), TOLD) == TOLD.capacity_mw
    held = office((ANNA, report(1, capacity_mw=45_000)), (BERT, report(1, capacity_mw=70_000)))
    assert broker.capacity_mw(held, TOLD) == 45_000
    assert cleared(held, now_ns=NOW + 9 * SECOND_NS)[1][0].capacity_mw <= 45_000


def test_capacity_of_a_node_that_is_off_the_roster_is_no_matter() -> None:
    held = office((ANNA, report(1, capacity_mw=45_000)), (BERT, report(1, capacity_mw=70_000)))
    without = held.agreement.reserved.without(ANNA)
    held = replace(held, agreement=replace(held.agreement, reserved=without))
    assert broker.capacity_mw(held, TOLD) == 70_000


def test_capacity_raised_at_every_node_is_raised() -> None:
    held = office((ANNA, report(1, capacity_mw=80_000)), (BERT, report(1, capacity_mw=90_000)))
    assert broker.capacity_mw(held, TOLD) == 80_000


def test_capacity_is_within_an_operators_latest_word_whoever_brings_it() -> None:
    held = office((ANNA, report(1, limit=Limit(2, 50_000))), (BERT, report(1, limit=Limit(1, 9))))
    assert broker.limit(held) == Limit(2, 50_000)
    assert broker.capacity_mw(held, TOLD) == 50_000
    assert cleared(held)[1][0].capacity_mw == 50_000


def test_capacity_that_is_given_back_counts_once_that_is_agreed() -> None:
    """Fails if a raise is used before every later broker knows of it."""
    held = office((ANNA, report(1, limit=Limit(2, 55_000))))
    base = replace(held.agreement.base, limit=Limit(1, 40_000))
    before = replace(held, agreement=replace(held.agreement, base=base, reserved=base))
    assert broker.capacity_mw(before, TOLD) == 40_000
    agreed = base.with_limit(Limit(2, 55_000))
    after = replace(held, agreement=replace(held.agreement, base=agreed, reserved=agreed))
    assert broker.capacity_mw(after, TOLD) == 55_000


def accounts_of(
    draws: list[tuple[int, int, int, bool]], capacity_mw: int
) -> list[tuple[NodeId, Report]]:
    said: list[tuple[NodeId, Report]] = []
    for number, (worth, power, held, running) in enumerate(draws, start=1):
        steps = (step(worth, power, power if running else power * 3 // 2, running=running),)
        ms = 2000 if held else 0
        word = report(1, steps=steps, holding_mw=held, holding_ms=ms, capacity_mw=capacity_mw)
        said.append((NodeId(number), word))
    return said


@given(
    st.lists(
        st.tuples(
            st.integers(0, 900_000), st.integers(0, 20_000), st.integers(0, 20_000), st.booleans()
        ),
        max_size=6,
    ),
    st.lists(st.integers(0, 1500), min_size=1, max_size=4),
    st.integers(10_000, 80_000),
)
def test_cleared_round_after_round_counts_no_more_than_there_is(
    draws: list[tuple[int, int, int, bool]], gaps_ms: list[int], capacity_mw: int
) -> None:
    """Σ floors + Σ counted never grows beyond the capacity; what was beyond it only falls."""
    said = accounts_of(draws, capacity_mw)
    nodes = roster(*(n for n, _ in said), ME)
    held, now_ns = office(*said, of=nodes), NOW
    told = settings(capacity_mw=capacity_mw)
    for gap_ms in gaps_ms:
        before = held.book.counted_mw(now_ns)
        held, _, _ = broker.cleared(held, told, now_ns, may_grant=True)
        room = capacity_mw - nodes.floors_mw
        assert held.book.counted_mw(now_ns) <= max(room, before)
        now_ns += gap_ms * MS_NS
        accounts: dict[NodeId, Account] = {}
        for node, account in held.book.accounts.items():
            again = replace(
                account.report, bid_seq=account.bid_seq + 1, round_taken=account.report.round_taken
            )
            accounts[node] = grant.reported(account, BootId(node), again, now_ns, now_ns, TIMING)
        held = replace(held, book=replace(held.book, accounts=accounts))
