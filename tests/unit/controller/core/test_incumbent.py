"""A broker in office: authority, rounds, and letting go (P4, P6)."""

from __future__ import annotations

import pytest
from tests.unit.controller.core.ballot import ack, answer, heartbeat
from tests.unit.controller.core.chair import (
    ANNA,
    BERT,
    CARL,
    THREE,
    WANTS,
    acks,
    base,
    beacons,
    elected,
    formed,
    founding,
    keep,
    notes,
    office,
    rounds,
)
from tests.unit.controller.core.stage import (
    FOUNDER,
    ME,
    TIMING,
    Player,
    all_of,
    line,
    only,
    pair,
    report,
    roster,
    settings,
    step,
)

from rackgrid.core import book
from rackgrid.core.action import Noted, PriceApplied, PriceSent, RoundCleared
from rackgrid.core.election import Leading, Listening, Standing
from rackgrid.core.event import (
    CapacityChanged,
    FirmwareLost,
    HandoverRequested,
    OffersChanged,
    StopRequested,
)
from rackgrid.core.incumbent import ASIDE_NS, FOUNDING_NS
from rackgrid.core.roster import Roster
from rackgrid.core.settings import MS_NS, SECOND_NS, NodeSettings, Timing
from rackgrid.identity import BootId, NodeId, Pair, Round
from rackgrid.wire.message import (
    ClaimReport,
    Coordinator,
    Election,
    Heartbeat,
    Price,
    Remove,
    Report,
    Resign,
    RosterUpdate,
)
from rackgrid.wire.vocabulary import Stance

FOUNDED = THREE.stamp
H, T = TIMING.heartbeat_ns, TIMING.authority_ns


def test_elected_first_breath_says_heartbeat_and_a_price_from_the_votes() -> None:
    player = elected()
    assert only(Coordinator, player.said).pair == player.node.state.followed
    said = only(Heartbeat, player.said)
    assert (said.seq, said.founding, said.roster_version) == (1, False, 0)
    assert only(Price, player.said).allotments == ()
    assert any(isinstance(a, PriceApplied) for a in player.said)
    assert any(isinstance(a, PriceSent) for a in player.said)
    told = [a for a in player.said if isinstance(a, RoundCleared | PriceApplied)]
    assert [type(a) for a in told[:2]] == [RoundCleared, PriceApplied], "the cause comes first"
    assert all_of(RosterUpdate, player.said) == [], "not before it has authority"


def test_elected_without_a_first_majority_gives_up_after_two_authority_times() -> None:
    player = elected()
    player.passes(2 * T - 1)
    assert player.node.state.office is not None
    player.passes(1)
    assert player.node.state.office is None
    assert isinstance(player.node.state.election, Listening)


def test_first_majority_is_noted_and_clears_at_once() -> None:
    player = elected()
    sent = len(all_of(Price, player.said))
    acks(player, ANNA)
    assert office(player).book.first_majority_ns == player.now_ns
    assert len(all_of(Price, player.said + rounds(player))) > sent


# --- authority -------------------------------------------------------------------------------


def test_authority_lapses_t_after_the_last_answered_heartbeat_was_sent() -> None:
    player = formed()
    sent_ns = max(office(player).authority.acked.values())
    player.passes(sent_ns + T - player.now_ns - 1)
    assert player.node.state.office is not None
    player.passes(1)
    assert player.node.state.office is None


def test_authority_lapsed_is_not_regained_by_a_late_ack() -> None:
    player = formed()
    late = ack(office(player).pair, office(player).seq, has=base(player).stamp, said=WANTS)
    player.now_ns += T + 1
    player.hears(ANNA, late)
    assert player.node.state.office is None


def test_authority_stays_while_a_majority_acks() -> None:
    player = formed()
    keep(player, 3 * SECOND_NS, ANNA)
    assert player.node.state.office is not None


def test_ack_of_another_pair_or_of_a_stranger_counts_for_nothing() -> None:
    player = elected()
    player.hears(ANNA, ack(pair(9, ME)))
    acks(player, CARL)
    assert ANNA not in office(player).book.accounts
    assert CARL not in office(player).book.accounts


# --- the founding ----------------------------------------------------------------------------


def test_founding_broker_beats_and_shares_out_nothing() -> None:
    player = founding()
    said = player.passes(SECOND_NS)
    assert all(m.founding and m.rack == 0 for m in all_of(Heartbeat, said))
    assert all_of(Price, player.said) == []
    assert player.node.state.office is not None, "authority is no matter yet"


def test_founding_that_does_not_come_about_ends_and_names_the_missing() -> None:
    player = founding()
    keep(player, FOUNDING_NS - player.now_ns + office(player).since_ns - H)
    assert player.node.state.office is not None
    said = player.passes(2 * H)
    assert player.node.state.office is None
    (note,) = notes(said)
    assert "could not be founded: too few nodes joined in; 3 nodes are expected" in note


# --- rounds ----------------------------------------------------------------------------------


def test_silent_member_is_removed_aloud_once_and_its_floor_and_watts_stay() -> None:
    player = formed()
    floors = player.node.state.roster.floors_mw
    before = len(player.said)
    keep(player, TIMING.absent_ns + 3 * H, ANNA)
    removed = only(Remove, player.said[before:])
    assert removed.node == BERT
    assert removed.silent_ms >= 1000
    assert player.node.state.roster.floors_mw == floors
    assert BERT in office(player).book.accounts


def test_round_comes_by_the_clock_and_sooner_when_something_changed() -> None:
    player = formed()
    keep(player, 300 * MS_NS, ANNA, BERT)
    sent = len(all_of(Price, player.said))
    acks(player, ANNA, report(7_000_000, steps=(step(999_999, 6000, 9000),)))
    player.passes(20 * MS_NS)
    assert len(all_of(Price, player.said)) == sent + 1


@pytest.mark.parametrize(
    "said",
    [
        report(7_000_000, steps=WANTS.steps, excess_mw=1000),
        report(7_000_000, steps=WANTS.steps, holding_mw=59_000, holding_ms=9),
        report(7_000_000, steps=WANTS.steps, capacity_mw=50_000),
    ],
    ids=["draws beyond", "holds more than counted", "knows of less"],
)
def test_round_comes_sooner_when_a_member_takes_or_has_more_than_was_known(said: Report) -> None:
    player = formed()
    keep(player, 300 * MS_NS, ANNA, BERT)
    sent = len(all_of(Price, player.said))
    acks(player, ANNA, said)
    player.passes(20 * MS_NS)
    assert len(all_of(Price, player.said)) == sent + 1


def test_round_of_a_member_that_says_nothing_new_waits_for_the_clock() -> None:
    player = formed()
    keep(player, 300 * MS_NS, ANNA, BERT)
    sent = len(all_of(Price, player.said))
    acks(player, ANNA, report(7_000_000, steps=WANTS.steps))
    player.passes(20 * MS_NS)
    assert len(all_of(Price, player.said)) == sent


def test_ack_of_a_heartbeat_that_was_never_sent_is_no_report() -> None:
    player = elected()
    of = office(player).pair
    player.hears(ANNA, ack(of, 99, has=FOUNDED))
    assert ANNA not in office(player).book.accounts


def test_round_own_capacity_or_offers_changed_clears_at_once() -> None:
    player = formed()
    keep(player, 300 * MS_NS, ANNA, BERT)
    player.passes(30 * MS_NS)
    said = player.node.handle(CapacityChanged(player.now_ns, 50_000))
    assert only(Price, said).capacity_mw == 50_000
    player.passes(30 * MS_NS)
    acks(player, ANNA, report(8_000_000, offers=()))
    acks(player, BERT, report(8_000_000, offers=()))
    player.passes(60 * MS_NS)
    said = player.node.handle(OffersChanged(player.now_ns, ()))
    assert only(Price, said).capacity_mw == 0


def test_round_below_the_floors_raises_the_alarm_by_its_name_once() -> None:
    player = formed()
    acks(player, ANNA, report(9_000_000, capacity_mw=10_000))
    said = player.passes(2 * T)
    alarms = [a for a in said if isinstance(a, Noted) and a.text.startswith("overcommitted")]
    assert len(alarms) == 1


def test_apply_price_of_a_broker_that_is_not_followed_is_nothing() -> None:
    player = Player(settings())
    wire = pair(9, CARL)
    price = Price(wire, Round(1), 5, 2000, 0, 0, 0, 0, False, ())
    player.hears(CARL, price, unicast=False)
    assert player.node.state.agent.price is None


# --- letting go ------------------------------------------------------------------------------


def test_stop_resigns_and_ends() -> None:
    player = formed()
    said = player.node.handle(StopRequested(player.now_ns, restarts=False))
    assert only(Resign, said).pair.node == ME
    assert player.node.state.ended
    assert player.node.handle(StopRequested(player.now_ns, restarts=False)) == []


def test_firmware_lost_resigns_and_does_not_stand_again() -> None:
    player = formed()
    said = player.node.handle(FirmwareLost(player.now_ns))
    assert len(all_of(Resign, said)) == 1
    player.passes(3 * SECOND_NS)
    assert player.node.state.office is None


def steady(after_s: float = 2, *, preempt: bool = True) -> NodeSettings:
    timing = Timing(preempt=preempt, preempt_after_ns=int(after_s * SECOND_NS))
    return settings(expect=3, timing=timing)


RANKED = roster(line(ME, priority=5), line(ANNA, priority=50), line(BERT))


def test_preempted_by_a_steady_higher_rank_after_its_own_time() -> None:
    player = formed(steady(), RANKED)
    for _ in range(25):
        keep(player, H, ANNA, BERT)
        if player.node.state.office is None:
            break
        beacons(player, ANNA, 50)
    assert any(m.pair.node == ME for m in all_of(Resign, player.said))
    assert "resigns in favour of n1" in str(player.said)


def test_preempted_only_once_the_own_book_is_whole() -> None:
    """Fails if a successor has to wait for grants whose end this broker was about to see."""
    player = elected(steady(), RANKED)
    while not office(player).book.opened:
        keep(player, H, ANNA)
        beacons(player, ANNA, 50)
        assert player.node.state.office is not None
    while player.node.state.office is not None:
        keep(player, H, ANNA)
        beacons(player, ANNA, 50)
    (word,) = all_of(Resign, player.said)
    assert word.is_whole


@pytest.mark.parametrize(
    ("told", "keeps"), [(steady(), THREE), (steady(preempt=False), RANKED)], ids=["lower", "off"]
)
def test_preempted_by_nobody_lower_nor_stranger_nor_when_switched_off(
    told: NodeSettings, keeps: Roster
) -> None:
    player = formed(told, keeps)
    beacons(player, CARL, 99)
    for _ in range(45):
        keep(player, H, ANNA, BERT)
        beacons(player, ANNA, 50)
    assert all_of(Resign, player.said) == []


# --- handing over ----------------------------------------------------------------------------


def test_resign_tells_what_the_open_book_counts() -> None:
    player = formed()
    acks(player, ANNA, report(9, holding_mw=6000, holding_ms=1000))
    assert office(player).book.opened
    said = player.happens(StopRequested(player.now_ns, restarts=False))
    word = only(Resign, said)
    assert word.is_whole
    assert {c.node: c.running_mw for c in word.table}[NodeId(ANNA)] >= 6000


def test_resign_with_a_closed_book_says_that_it_is_not_all() -> None:
    """Fails if a successor skips the waits that the one before it had not sat out."""
    player = elected()
    acks(player, ANNA)
    assert not office(player).book.opened
    assert not only(Resign, player.happens(StopRequested(player.now_ns, restarts=False))).is_whole


def test_hand_over_lets_the_others_stand_first() -> None:
    player = formed()
    said = player.happens(HandoverRequested(player.now_ns))
    assert len(all_of(Resign, said)) == 1
    assert all_of(Election, player.passes(ASIDE_NS - 1)) == []
    assert not player.node.state.may_stand(player.now_ns)
    player.now_ns += 1
    assert player.node.state.may_stand(player.now_ns)


def test_hand_over_of_a_node_that_does_not_lead_is_nothing() -> None:
    player = Player(settings())
    said = player.happens(HandoverRequested(player.now_ns))
    assert said == [Noted("nothing to hand over: this node is not the broker")]


OLD = pair(7, BERT)
TABLE = (ClaimReport(NodeId(BERT), BootId(BERT * 10), 9000, 1500, 0, 0),)


def successor(*, is_whole: bool = True, left: Pair = OLD) -> Player:
    """A node that followed Bert until he resigned, and now has Anna's ack: a majority."""
    player = Player(settings(), remembered=FOUNDER, keeps=THREE)
    player.hears(BERT, heartbeat(OLD), unicast=False)
    player.hears(BERT, Resign(OLD, is_whole, TABLE), unicast=False)
    player.steps_until(lambda node: isinstance(node.state.election, Standing))
    state = player.node.state.election
    assert isinstance(state, Standing)
    player.hears(ANNA, answer(state.nonce, Stance.SUPPORT))
    player.passes(H)
    assert isinstance(player.node.state.election, Leading)
    acks(player, ANNA, left=left)
    assert office(player).book.first_majority_ns is not None
    return player


def test_first_majority_that_left_the_resigned_broker_opens_its_book() -> None:
    held = office(successor()).book
    assert held.opened
    assert {n: h.running.power_mw for n, h in held.handed.items()} == {BERT: 9000}


@pytest.mark.parametrize(
    "player",
    [successor(is_whole=False), successor(left=pair(8, CARL))],
    ids=["was not whole", "somebody led between"],
)
def test_first_majority_that_cannot_rely_on_the_table_waits(player: Player) -> None:
    """Fails if what a broker between the two has granted is not waited for."""
    assert not office(player).book.opened
    assert book.opens_ns(office(player).book, TIMING) is not None
