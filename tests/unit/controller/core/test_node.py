"""The whole node, as a member: events in, actions out."""

from __future__ import annotations

import pytest
from tests.unit.controller.core import ballot, stage
from tests.unit.controller.core.chair import joins
from tests.unit.controller.core.stage import (
    BOOT,
    ME,
    RACK,
    TIMING,
    Player,
    all_of,
    attached,
    commands,
    only,
    output,
    pair,
    reading,
    roster,
)

from rackgrid.core.action import Action, Left, Noted
from rackgrid.core.departure import LEAVE_PATIENCE_NS
from rackgrid.core.event import (
    CapacityChanged,
    FirmwareLost,
    FirmwareReported,
    ForgetRequested,
    HandoverRequested,
    LeaveRequested,
    OffersChanged,
    RecoverRequested,
    StopRequested,
    TimePassed,
    WorthsChanged,
)
from rackgrid.core.node import FROM_THE_PAIR
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import NO_RACK, NO_STAMP, BootId, Limit, NodeId, RackId, Round
from rackgrid.market.offer import Offer
from rackgrid.wire.message import (
    Ack,
    Allotment,
    Answer,
    Beacon,
    Coordinator,
    Forget,
    JoinReply,
    Leave,
    Message,
    OfferReport,
    Price,
    Remove,
    Resign,
    Superseded,
)
from rackgrid_firmware.link import Hold, Refused, Release, Switched, Telemetry

BERT = 9


def member(*, on: bool = False) -> Player:
    """A node that follows Bert, is on his roster, knows a price and holds a grant for its lamp."""
    player = Player(stage.settings(), remembered=pair(1), keeps=roster(ME, BERT))
    heartbeat(player, 1)
    grant(player, 1)
    if on:
        lamp = output(
            "lamp", on=True, since_ns=player.now_ns, deadline_ns=player.now_ns + SECOND_NS
        )
        player.hears_firmware(Switched(player.now_ns, lamp, 99))
    return player


def heartbeat(player: Player, seq: int) -> list[Action]:
    return player.hears(BERT, ballot.heartbeat(pair(4, BERT), seq), unicast=False)


def price(
    player: Player, round_: int, mw: int, mask: int, *, boot: int = BOOT, sender: int = BERT
) -> list[Action]:
    seq = player.node.state.agent.bid_seq
    lot = Allotment(ME, BootId(boot), seq, mw, mask)
    said = Price(pair(4, BERT), Round(round_), 250_000, 2000, 60_000, 0, 0, 0, False, (lot,))
    return player.hears(sender, said, unicast=False)


def grant(player: Player, round_: int) -> list[Action]:
    return price(player, round_, 9000, 1)


# --- a member's life -------------------------------------------------------------------------


def test_price_with_a_grant_switches_the_lamp_in_the_same_breath() -> None:
    player = member()
    assert any(isinstance(c, Hold) and c.output == "lamp" for c in commands(player.said))


def test_price_for_another_boot_or_from_another_sender_grants_nothing() -> None:
    for told in ({"boot": 1}, {"sender": 3}):
        player = Player(stage.settings(), remembered=pair(1))
        heartbeat(player, 1)
        price(player, 1, 9000, 1, **told)
        assert player.node.state.agent.grant is None


def test_price_in_the_quiet_time_is_applied_and_its_grant_is_not_taken() -> None:
    player = Player(stage.settings())
    heartbeat(player, 1)
    grant(player, 1)
    assert player.node.state.agent.price is not None
    assert player.node.state.agent.grant is None


def test_price_of_a_stale_pair_is_told_the_higher_one() -> None:
    player = member()
    wire = pair(3, 3)
    stale = Price(wire, Round(9), 1, 2000, 0, 0, 0, 0, False, ())
    assert only(Superseded, player.hears(3, stale, unicast=False)).known == pair(4, BERT)


def test_ack_of_a_stale_pair_is_told_the_higher_one() -> None:
    player = member()
    stale = ballot.ack(pair(3, ME))
    assert only(Superseded, player.hears(3, stale)).known == pair(4, BERT)


def test_holding_that_came_down_is_reported_at_once_and_only_after_the_output() -> None:
    player = member(on=True)
    heartbeat(player, 2)
    player.passes(10 * MS_NS)
    said = price(player, 2, 0, 0)
    assert any(isinstance(c, Release) and c.output == "lamp" for c in commands(said))
    assert [a.report.holding_mw for a in all_of(Ack, said)] in ([], [9000])
    off = Switched(player.now_ns, output("lamp"), player.node.state.agent.command_seq)
    said = player.hears_firmware(off)
    assert only(Ack, said).report.holding_mw == 0


def test_grant_expires_by_itself_and_the_price_after_it() -> None:
    player = member(on=True)
    said = player.passes(TIMING.grant_ns)
    assert player.node.state.agent.grant is None
    assert player.node.state.agent.price is None
    assert any(isinstance(c, Release) and c.urgent for c in commands(said))


def test_offers_capacity_or_worths_changed_are_reported_at_once() -> None:
    player = member()
    said = player.node.handle(OffersChanged(player.now_ns, (Offer("sun", 1, 5),)))
    assert only(Ack, said).report.offers == (OfferReport("sun", 1, 5),)
    said = player.node.handle(CapacityChanged(player.now_ns, 4000))
    assert only(Ack, said).report.limit == Limit(1, 4000)
    said = player.node.handle(WorthsChanged(player.now_ns, {"lamp": 123, "pump": None}))
    assert [step.worth_uc for step in only(Ack, said).report.steps] == [123]


def test_beacon_comes_each_second_or_so() -> None:
    player = Player(stage.settings())
    player.passes(10 * SECOND_NS)
    assert 8 <= len(all_of(Beacon, player.said)) <= 14


# --- the firmware ----------------------------------------------------------------------------


def test_firmware_that_refuses_is_noted_and_not_asked_again_at_once() -> None:
    """Fails if a refusal asks for the next command: the two would play ping-pong for ever."""
    player = member()
    (hold,) = [c for c in commands(player.said) if isinstance(c, Hold)]
    word = Refused(hold.seq, "lamp", "deadline too far", 0)
    said = player.node.handle(FirmwareReported(player.now_ns, word))
    assert said == [Noted("the firmware refuses lamp: deadline too far")]


def test_firmware_telemetry_before_it_attached_is_ignored() -> None:
    player = Player(stage.settings(), with_firmware=False)
    player.hears_firmware(Telemetry(player.now_ns, (), ()))
    assert player.node.state.agent.board is None


def test_firmware_reattached_after_a_loss_goes_on() -> None:
    player = member(on=True)
    player.node.handle(FirmwareLost(player.now_ns))
    heartbeat(player, 2)
    assert all_of(Ack, player.passes(50 * MS_NS)) == []
    player.hears_firmware(attached())
    assert len(all_of(Ack, heartbeat(player, 3) + player.passes(50 * MS_NS))) == 1


def test_heard_itself_is_a_cloned_card_and_changes_nothing() -> None:
    player = member()
    peers = player.node.state.peers
    said = player.hears(ME, Leave(1), boot=4711)
    assert said == [Noted("another node has this node's identity: was its SD card cloned?")]
    assert player.node.state.peers == peers


def test_heard_member_that_speaks_for_another_is_not_believed() -> None:
    wire = pair(9, BERT)
    lies: list[Message] = [
        ballot.heartbeat(pair(9, BERT)),
        Coordinator(wire, 9),
        ballot.election(pair(9, BERT), 9),
        Price(wire, Round(1), 1, 1, 0, 0, 0, 0, False, ()),
        Remove(wire, ME, 1, ""),
        Resign(pair(4, BERT), False, ()),
        JoinReply(1, pair(4, BERT), False, "no"),
    ]
    assert {type(lie) for lie in lies} == set(FROM_THE_PAIR)
    for lie in lies:
        player = member()
        before = player.node.state.election
        assert player.hears(3, lie, unicast=False) == []
        assert player.node.state.election == before


def hears_of(player: Player, rack: RackId) -> list[Action]:
    """Let Carl, of this rack, ask to be admitted after his beacon."""
    player.hears(3, ballot.beacon(rack=rack, name="carl"), unicast=False)
    return joins(player, 3)


def test_foreign_rack_with_the_same_key_is_not_listened_to_and_said_once() -> None:
    """Two racks on one feed would each give out all of it."""
    leads = Player(stage.settings(expect=1), remembered=pair(1), keeps=roster(ME))
    leads.passes(SECOND_NS)
    said = hears_of(leads, RackId(7)) + hears_of(leads, RackId(7))
    assert said == []
    notes = [a.text for a in leads.said if isinstance(a, Noted)]
    assert sum("belongs to another rack with the same key" in note for note in notes) == 1
    assert leads.node.state.roster.line(NodeId(3)) is None


def test_foreign_broker_is_not_followed_and_not_acked() -> None:
    player = member()
    said = player.hears(3, ballot.heartbeat(pair(99, 3), rack=RackId(7)), unicast=False)
    assert all_of(Ack, said) == []
    assert player.node.state.followed == pair(4, BERT)
    assert all_of(Answer, player.hears(3, ballot.election(pair(99, 3), 9, rack=RackId(7)))) == []


@pytest.mark.parametrize("rack", [RACK, NO_RACK], ids=["this one", "none yet"])
def test_foreign_is_neither_a_node_of_this_rack_nor_one_of_none(rack: RackId) -> None:
    leads = Player(stage.settings(expect=1), remembered=pair(1), keeps=roster(ME))
    leads.passes(SECOND_NS)
    hears_of(leads, rack)
    leads.passes(SECOND_NS)
    assert leads.node.state.roster.line(NodeId(3)) is not None


# --- the operator ----------------------------------------------------------------------------


def test_beacon_says_to_which_rack_and_roster_it_belongs() -> None:
    player = member()
    player.passes(2 * SECOND_NS)
    said = all_of(Beacon, player.said)[-1]
    assert (said.rack, said.roster) == (RACK, player.node.state.roster.stamp)
    lone = Player(stage.settings())
    lone.passes(2 * SECOND_NS)
    said = all_of(Beacon, lone.said)[-1]
    assert (said.rack, said.roster) == (NO_RACK, NO_STAMP)


def test_asked_for_what_it_cannot_do_says_so() -> None:
    player = member()
    now_ns = player.now_ns
    requests = (
        ForgetRequested(now_ns, NodeId(77)),
        HandoverRequested(now_ns),
        RecoverRequested(now_ns),
    )
    notes = [a.text for r in requests for a in player.happens(r) if isinstance(a, Noted)]
    assert [note.split(":")[0] for note in notes] == [
        "nothing to forget",
        "nothing to hand over",
        "nothing to recover",
    ]


def test_forget_told_to_a_node_that_does_not_lead_is_none_of_its_business() -> None:
    player = member()
    player.hears(3, Forget(NodeId(BERT)))
    assert player.node.state.forgetting == {}


def test_excess_of_the_broker_itself_clears_in_the_same_breath() -> None:
    """Fails if what it draws beyond its floor counts only with its next wake-up."""
    player = Player(stage.settings(expect=1), remembered=pair(1))
    player.passes(SECOND_NS)
    player.passes(25 * MS_NS)
    word = Telemetry(player.now_ns, (reading("m-fan", 8.0, player.now_ns),), ())
    said = player.hears_firmware(word)
    assert only(Price, said).floors_mw == 5000 + 5000
    assert player.node.next_deadline_ns(player.now_ns) > player.now_ns


def test_excess_of_a_member_is_reported_at_once() -> None:
    player = member()
    word = Telemetry(player.now_ns, (reading("m-fan", 8.0, player.now_ns),), ())
    assert only(Ack, player.hears_firmware(word)).report.excess_mw == 5000


# --- leaving ---------------------------------------------------------------------------------


def test_stop_of_a_member_ends_and_leaves_the_outputs_to_their_deadlines() -> None:
    player = member(on=True)
    said = player.node.handle(StopRequested(player.now_ns, restarts=False))
    assert said == [Left()]
    assert player.node.handle(TimePassed(player.now_ns + SECOND_NS)) == []


def test_leave_waits_for_the_outputs_and_only_then_releases_the_floor() -> None:
    player = member(on=True)
    player.said.clear()
    player.said += player.node.handle(LeaveRequested(player.now_ns))
    player.passes(300 * MS_NS)
    assert any(isinstance(c, Release) and c.urgent for c in commands(player.said))
    assert all_of(Leave, player.said) == []
    lamp = Switched(player.now_ns, output("lamp"), player.node.state.agent.command_seq)
    assert len(all_of(Leave, player.hears_firmware(lamp))) == 1


def test_leave_output_that_does_not_open_keeps_the_floor_reserved() -> None:
    player = member(on=True)
    player.said.clear()
    player.said += player.node.handle(LeaveRequested(player.now_ns))
    player.node.handle(FirmwareLost(player.now_ns))
    player.passes(LEAVE_PATIENCE_NS)
    assert all_of(Leave, player.said) == []
    assert player.node.state.ended
    assert isinstance(player.said[-1], Left)
    assert any(isinstance(a, Noted) and "without releasing" in a.text for a in player.said)


def test_leave_of_a_node_that_is_on_no_roster_ends_at_once_when_off() -> None:
    player = Player(stage.settings())
    held = player.node.handle(LeaveRequested(player.now_ns))
    for telemetry in (Telemetry(player.now_ns, (), (), 99),):
        held += player.hears_firmware(telemetry)
    assert player.node.state.ended
    assert isinstance(held[-1], Left)
