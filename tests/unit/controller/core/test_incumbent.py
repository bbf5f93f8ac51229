"""A broker in office: authority, admissions, rounds, and letting go (P4)."""

from __future__ import annotations

from tests.unit.controller.core.stage import (
    ME,
    TIMING,
    Player,
    all_of,
    only,
    pair,
    report,
    settings,
    step,
)

from rackgrid.core import incumbent
from rackgrid.core.action import Noted, PriceApplied, PriceSent
from rackgrid.core.election import Leading, Listening, Standing
from rackgrid.core.event import CapacityChanged, FirmwareLost, OffersChanged, StopRequested
from rackgrid.core.settings import MS_NS, SECOND_NS, NodeSettings, Timing
from rackgrid.identity import NodeId
from rackgrid.wire.message import (
    PROTOCOL_VERSION,
    Ack,
    Answer,
    Beacon,
    Coordinator,
    Heartbeat,
    Join,
    JoinReply,
    Leave,
    Price,
    Remove,
    Report,
    Resign,
    Role,
    RosterUpdate,
    Stance,
    pair_wire,
)

H, T = TIMING.heartbeat_ns, TIMING.authority_ns
ANNA, BERT, CARL = 1, 2, 3
WANTS = report(5, steps=(step(400_000, 6000, 9000),))


def beacon(player: Player, who: int, priority: int = 0, version: int = 0) -> None:
    followed = pair_wire(player.node.state.followed)
    said = Beacon(f"n{who}", priority, Role.MEMBER, followed, version, 5000, 5000, 0, ())
    player.hears(who, said, unicast=False)


def elected(told: NodeSettings | None = None) -> Player:
    """A node that has just won with Anna's and Bert's support; nobody is admitted yet."""
    player = Player(told or settings(expect=3), remembered=pair(1, 1, 1))
    for who in (ANNA, BERT):
        beacon(player, who)
    player.steps_until(lambda node: isinstance(node.state.election, Standing))
    state = player.node.state.election
    assert isinstance(state, Standing)
    for who in (ANNA, BERT):
        player.hears(who, Answer(state.nonce, Stance.SUPPORT, 0, pair_wire(pair(0)), report()))
    assert isinstance(player.node.state.election, Leading)
    return player


def ack(
    player: Player, who: int, said: Report = WANTS, *, version: int | None = None, boot: int = 0
) -> None:
    office = player.node.state.office
    assert office is not None
    known = player.node.state.roster.version if version is None else version
    message = Ack(pair_wire(office.pair), office.seq, True, known, said)
    player.hears(who, message, boot=boot or who * 10)


def join(player: Player, who: int, floor_mw: int = 5000) -> JoinReply:
    asked = Join(1, f"n{who}", 0, floor_mw, PROTOCOL_VERSION)
    return only(JoinReply, player.hears(who, asked))


def formed(told: NodeSettings | None = None) -> Player:
    """The same, with Anna and Bert admitted, voting and heard."""
    player = elected(told)
    for who in (ANNA, BERT):
        assert join(player, who).admitted
        ack(player, who)
    assert player.node.state.is_formed
    assert incumbent.has_authority(player.node.state, player.now_ns)
    return player


def keep(player: Player, span_ns: int, *who: int) -> None:
    """Let time pass while these nodes ack every heartbeat."""
    seq, bids = dict.fromkeys(who, 100), player.now_ns + span_ns
    while player.now_ns < bids:
        player.passes(H)
        for one in who:
            seq[one] += 1
            if player.node.state.office is None:
                return
            said = report(seq[one] + player.now_ns // H % 10**6, steps=WANTS.steps)
            ack(player, one, said)


def test_elected_first_breath_says_heartbeat_roster_and_a_price_from_the_votes() -> None:
    player = elected()
    assert only(Coordinator, player.said).pair.pair() == player.node.state.followed
    assert only(Heartbeat, player.said).seq == 1
    (line,) = only(RosterUpdate, player.said).lines
    assert (line.node, line.votes, line.floor_mw) == (ME, 1, 5000)
    assert only(Price, player.said).allotments == ()
    assert any(isinstance(a, PriceApplied) for a in player.said)
    assert any(isinstance(a, PriceSent) for a in player.said)


def test_elected_without_a_first_majority_gives_up_after_two_authority_times() -> None:
    player = elected()
    player.passes(2 * T - 1)
    assert player.node.state.office is not None
    player.passes(1)
    assert player.node.state.office is None
    assert isinstance(player.node.state.election, Listening)


def test_first_majority_is_noted_and_clears_at_once() -> None:
    player = elected()
    rounds = len(all_of(Price, player.said))
    join(player, ANNA)
    ack(player, ANNA)
    assert player.node.state.office is not None
    assert player.node.state.office.book.first_majority_ns == player.now_ns
    player.passes(20 * MS_NS)
    assert len(all_of(Price, player.said)) > rounds


# --- authority -------------------------------------------------------------------------------


def test_authority_lapses_t_after_the_last_answered_heartbeat_was_sent() -> None:
    player = formed()
    office = player.node.state.office
    assert office is not None
    sent_ns = max(office.authority.acked.values())
    player.passes(sent_ns + T - player.now_ns - 1)
    assert player.node.state.office is not None
    player.passes(1)
    assert player.node.state.office is None


def test_authority_lapsed_is_not_regained_by_a_late_ack() -> None:
    player = formed()
    office = player.node.state.office
    assert office is not None
    late = Ack(pair_wire(office.pair), office.seq, True, 9, WANTS)
    player.now_ns += T + 1
    player.hears(ANNA, late)
    assert player.node.state.office is None


def test_authority_stays_while_a_majority_acks() -> None:
    player = formed()
    keep(player, 3 * SECOND_NS, ANNA)
    assert player.node.state.office is not None


def test_ack_of_another_pair_or_of_a_stranger_counts_for_nothing() -> None:
    player = elected()
    office = player.node.state.office
    assert office is not None
    player.hears(ANNA, Ack(pair_wire(pair(9, ME)), 1, True, 1, WANTS))
    player.hears(CARL, Ack(pair_wire(office.pair), 1, True, 1, WANTS))
    after = player.node.state.office
    assert after is not None
    assert ANNA not in after.book.accounts
    assert CARL not in after.book.accounts


def test_ack_that_knows_a_newer_roster_ends_the_office() -> None:
    """Fails if a broker goes on by a roster that may lack somebody's floor."""
    player = formed()
    ack(player, BERT, version=player.node.state.roster.version + 1)
    assert player.node.state.office is None
    assert not player.node.state.may_stand(player.now_ns)


def test_vote_is_given_after_the_first_ack_with_the_roster_of_the_day() -> None:
    player = elected()
    join(player, ANNA)
    roster = player.node.state.roster
    ack(player, ANNA, version=roster.version - 1)
    assert player.node.state.roster.votes == 1
    ack(player, ANNA, report(6))
    line = player.node.state.roster.line(NodeId(ANNA))
    assert line is not None
    assert line.votes == 1


# --- admissions ------------------------------------------------------------------------------


def test_joined_is_answered_and_everybody_hears_the_roster() -> None:
    player = elected()
    said = len(player.said)
    assert join(player, ANNA).admitted
    assert [x.node for x in only(RosterUpdate, player.said[said:]).lines] == [ANNA, ME]


def test_joined_again_only_the_asker_hears_the_roster() -> None:
    player = formed()
    before = player.node.state.roster
    assert join(player, ANNA).admitted
    assert player.node.state.roster == before


def test_joined_formed_rack_without_authority_promises_no_floor() -> None:
    player = formed()
    roster = player.node.state.roster
    again = elected()
    again.node.state.adopt(roster)
    reply = join(again, CARL)
    assert (reply.admitted, reply.reason) == (False, "not yet: no majority has acked")


def test_joined_formed_rack_with_an_open_book_takes_the_newcomer() -> None:
    player = formed()
    player.passes(25 * MS_NS)
    ack(player, ANNA, report(6))
    assert join(player, CARL).admitted


def test_joined_too_great_a_floor_is_noted_here_and_said_there() -> None:
    player = formed()
    before = len(player.said)
    assert "does not fit" in join(player, CARL, 59_000).reason
    assert any(
        isinstance(a, Noted) and "n3 is not admitted" in a.text for a in player.said[before:]
    )


def test_joined_floor_that_waits_for_room_clears_soon() -> None:
    player = formed()
    player.passes(25 * MS_NS)
    ack(player, ANNA, report(6, holding_mw=40_000, holding_ms=2000))
    assert join(player, CARL, 10_000).reason.startswith("making room")
    assert player.node.state.office is not None
    assert CARL in player.node.state.office.joining
    assert join(player, CARL, 10_000).reason.startswith("making room")


def test_joined_asked_of_a_node_that_does_not_lead_is_silent() -> None:
    player = Player(settings(expect=2))
    assert all_of(JoinReply, player.hears(ANNA, Join(1, "x", 0, 1, PROTOCOL_VERSION))) == []


def test_left_releases_floor_vote_and_watts() -> None:
    player = formed()
    player.hears(BERT, Leave(5000), unicast=False)
    assert player.node.state.roster.line(NodeId(BERT)) is None
    assert player.node.state.office is not None
    assert BERT not in player.node.state.office.book.accounts


def test_word_of_a_dead_boot_releases_and_lowers_nothing() -> None:
    player = formed()
    ack(player, BERT, report(1), boot=999)
    before, lower = player.node.state.roster, Join(1, f"n{BERT}", 0, 4000, PROTOCOL_VERSION)
    player.hears(BERT, Leave(5000), boot=BERT * 10, unicast=False)
    player.hears(BERT, lower, boot=BERT * 10)
    assert player.node.state.roster == before
    player.hears(BERT, lower, boot=999)
    assert player.node.state.roster.floors_mw == before.floors_mw - 1000


def test_left_without_authority_waits_to_be_said_again() -> None:
    player = elected()
    join(player, BERT)
    player.hears(BERT, Leave(5000), unicast=False)
    assert player.node.state.roster.line(NodeId(BERT)) is not None


def test_left_of_a_stranger_or_heard_by_a_member_is_nothing() -> None:
    for player in (formed(), Player(settings())):
        before = player.node.state.roster
        player.hears(CARL, Leave(5000), unicast=False)
        assert player.node.state.roster == before


# --- rounds ----------------------------------------------------------------------------------


def test_silent_member_is_removed_aloud_once_and_its_floor_and_watts_stay() -> None:
    player = formed()
    office = player.node.state.office
    assert office is not None
    floors = player.node.state.roster.floors_mw
    before = len(player.said)
    keep(player, TIMING.absent_ns + 3 * H, ANNA)
    removed = only(Remove, player.said[before:])
    assert removed.node == BERT
    assert removed.silent_ms >= 1000
    assert player.node.state.roster.floors_mw == floors
    assert player.node.state.office is not None
    assert BERT in player.node.state.office.book.accounts


def test_round_comes_by_the_clock_and_sooner_when_something_changed() -> None:
    player = formed()
    keep(player, 300 * MS_NS, ANNA, BERT)
    sent = len(all_of(Price, player.said))
    ack(player, ANNA, report(7_000_000, steps=(step(999_999, 6000, 9000),)))
    player.passes(20 * MS_NS)
    assert len(all_of(Price, player.said)) == sent + 1


def test_round_own_capacity_or_offers_changed_clears_at_once() -> None:
    player = formed()
    keep(player, 300 * MS_NS, ANNA, BERT)
    player.passes(30 * MS_NS)
    said = player.node.handle(CapacityChanged(player.now_ns, 50_000))
    assert only(Price, said).capacity_mw == 50_000
    player.passes(30 * MS_NS)
    ack(player, ANNA, report(8_000_000, offers=()))
    ack(player, BERT, report(8_000_000, offers=()))
    player.passes(60 * MS_NS)
    said = player.node.handle(OffersChanged(player.now_ns, ()))
    assert only(Price, said).capacity_mw == 0


def test_round_below_the_floors_raises_the_alarm_by_its_name_once() -> None:
    player = formed()
    ack(player, ANNA, report(9_000_000, capacity_mw=10_000))
    said = player.passes(2 * T)
    alarms = [a for a in said if isinstance(a, Noted) and a.text.startswith("overcommitted")]
    assert len(alarms) == 1


def test_apply_price_of_a_broker_that_is_not_followed_is_nothing() -> None:
    player = Player(settings())
    wire = pair_wire(pair(9, CARL))
    price = Price(wire, 1, 5, 2000, 0, 0, 0, 0, False, ())  # type: ignore[arg-type]
    player.hears(CARL, price, unicast=False)
    assert player.node.state.agent.price is None


# --- letting go ------------------------------------------------------------------------------


def test_stop_resigns_and_ends() -> None:
    player = formed()
    said = player.node.handle(StopRequested(player.now_ns))
    assert only(Resign, said).pair.pair().node == ME
    assert player.node.state.ended
    assert player.node.handle(StopRequested(player.now_ns)) == []


def test_firmware_lost_resigns_and_does_not_stand_again() -> None:
    player = formed()
    said = player.node.handle(FirmwareLost(player.now_ns))
    assert len(all_of(Resign, said)) == 1
    player.passes(3 * SECOND_NS)
    assert player.node.state.office is None


def steady(after_s: float = 2, *, preempt: bool = True) -> NodeSettings:
    timing = Timing(preempt=preempt, preempt_after_ns=int(after_s * SECOND_NS))
    return settings(expect=3, timing=timing)


def higher(player: Player, priority: int = 50) -> None:
    """Let Anna say that she ranks higher; her roster line says the same."""
    asked = Join(1, "n1", priority, 5000, PROTOCOL_VERSION)
    player.hears(ANNA, asked)
    beacon(player, ANNA, priority)


def test_preempted_by_a_steady_higher_rank_after_its_own_time() -> None:
    player = formed(steady())
    higher(player)
    for _ in range(25):
        keep(player, H, ANNA, BERT)
        if player.node.state.office is None:
            break
        beacon(player, ANNA, 50)
    assert any(m.pair.node == ME for m in all_of(Resign, player.said))
    assert "resigns in favour of n1" in str(player.said)


def test_preempted_by_nobody_lower_nor_stranger_nor_when_switched_off() -> None:
    for told, priority in ((steady(), 1), (steady(preempt=False), 50)):
        player = formed(told)
        higher(player, priority)
        beacon(player, CARL, 99)
        for _ in range(45):
            keep(player, H, ANNA, BERT)
            beacon(player, ANNA, priority)
        assert all_of(Resign, player.said) == []
