"""The whole node: whatever arrives, it never raises, never spins, and acts in lawful order."""

from __future__ import annotations

from typing import get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.controller.core import stage
from tests.unit.controller.core.stage import (
    BOOT,
    ME,
    TIMING,
    Player,
    all_of,
    attached,
    commands,
    only,
    output,
    pair,
    reading,
    spec,
)

from rackgrid.core import agent as agents
from rackgrid.core.action import Action, Left, Multicast, Noted, Remember, ReserveTerms, Unicast
from rackgrid.core.event import (
    CapacityChanged,
    Event,
    FirmwareLost,
    FirmwareReported,
    LeaveRequested,
    LoopLate,
    OffersChanged,
    StopRequested,
    TimePassed,
)
from rackgrid.core.node import FROM_THE_PAIR, LEAVE_PATIENCE_NS
from rackgrid.core.settings import MS_NS, SECOND_NS, LoadSettings
from rackgrid.identity import NO_PAIR, BootId, NodeId, Pair, Round, Term
from rackgrid.market.offer import Offer
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import (
    BID_STEPS_MAX,
    NODES_MAX,
    Ack,
    Allotment,
    Answer,
    Beacon,
    Coordinator,
    Election,
    Heartbeat,
    Join,
    JoinReply,
    Leave,
    LoadStatus,
    Message,
    OfferReport,
    PairWire,
    Price,
    Rejection,
    Remove,
    Report,
    Resign,
    Role,
    RosterLine,
    RosterUpdate,
    Stance,
    StepReport,
    Superseded,
    Why,
    pair_wire,
)
from rackgrid_firmware.link import Hold, Refused, Release, Switched, Telemetry

H = TIMING.heartbeat_ns
BERT = 9


def member(*, on: bool = False) -> Player:
    """A node that follows Bert, is on his roster, knows a price and holds a grant for its lamp."""
    player = Player(stage.settings(), remembered=pair(1))
    heartbeat(player, 1)
    lines = tuple(RosterLine(NodeId(n), f"n{n}", 0, 5000, 1) for n in (ME, BERT))
    player.hears(BERT, RosterUpdate(pair_wire(pair(4, BERT)), 1, lines), unicast=False)
    grant(player, 1)
    if on:
        lamp = output(
            "lamp", on=True, since_ns=player.now_ns, deadline_ns=player.now_ns + SECOND_NS
        )
        player.hears_firmware(Switched(player.now_ns, lamp, 99))
    return player


def heartbeat(player: Player, seq: int, version: int = 1) -> list[Action]:
    said = Heartbeat(pair_wire(pair(4, BERT)), seq, version, Round(0))
    return player.hears(BERT, said, unicast=False)


def price(
    player: Player, round_: int, mw: int, mask: int, *, boot: int = BOOT, sender: int = BERT
) -> list[Action]:
    seq = player.node.state.agent.bid_seq
    lot = Allotment(ME, BootId(boot), seq, mw, mask)
    said = Price(
        pair_wire(pair(4, BERT)), Round(round_), 250_000, 2000, 60_000, 0, 0, 0, False, (lot,)
    )
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
    wire = pair_wire(pair(3, 3))
    stale = Price(wire, Round(9), 1, 2000, 0, 0, 0, 0, False, ())
    assert only(Superseded, player.hears(3, stale, unicast=False)).known.pair() == pair(4, BERT)


def test_ack_of_a_stale_pair_is_told_the_higher_one() -> None:
    player = member()
    stale = Ack(pair_wire(pair(3, ME)), 1, True, 0, stage.report())
    assert only(Superseded, player.hears(3, stale)).known.pair() == pair(4, BERT)


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


def test_offers_or_capacity_changed_is_reported_at_once() -> None:
    player = member()
    said = player.node.handle(OffersChanged(player.now_ns, (Offer("sun", 1, 5),)))
    assert only(Ack, said).report.offers == (OfferReport("sun", 1, 5),)
    said = player.node.handle(CapacityChanged(player.now_ns, 4000))
    assert only(Ack, said).report.capacity_mw == 4000


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


def test_firmware_whose_board_disagrees_with_the_configuration_is_noted() -> None:
    loads = (LoadSettings("fan", "fan", 1), LoadSettings("heater", "heatr", 1))
    player = Player(stage.settings(loads=loads))
    notes = [a.text for a in player.said if isinstance(a, Noted)]
    assert "load heater: board bench has no output 'heatr'" in " ".join(notes)
    assert "load fan: the board profile and the configuration disagree" in " ".join(notes)


# --- identity --------------------------------------------------------------------------------


def test_heard_itself_is_a_cloned_card_and_changes_nothing() -> None:
    player = member()
    peers = player.node.state.peers
    said = player.hears(ME, Leave(1), boot=4711)
    assert said == [Noted("another node has this node's identity: was its SD card cloned?")]
    assert player.node.state.peers == peers


def test_heard_member_that_speaks_for_another_is_not_believed() -> None:
    wire = pair_wire(pair(9, BERT))
    lies: list[Message] = [
        Heartbeat(wire, 1, 0, Round(0)),
        Coordinator(wire, 9),
        Election(wire, 9, 1),
        Price(wire, Round(1), 1, 1, 0, 0, 0, 0, False, ()),
        RosterUpdate(wire, 9, ()),
        Remove(wire, ME, 1, ""),
        Resign(pair_wire(pair(4, BERT))),
        JoinReply(1, pair_wire(pair(4, BERT)), False, "no"),
    ]
    assert {type(lie) for lie in lies} == set(FROM_THE_PAIR)
    for lie in lies:
        player = member()
        before = player.node.state.election
        assert player.hears(3, lie, unicast=False) == []
        assert player.node.state.election == before


# --- leaving ---------------------------------------------------------------------------------


def test_stop_of_a_member_ends_and_leaves_the_outputs_to_their_deadlines() -> None:
    player = member(on=True)
    said = player.node.handle(StopRequested(player.now_ns))
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


# --- anything at all -------------------------------------------------------------------------

NODES = st.sampled_from((1, 2, 3, ME, BERT))
U32 = st.integers(0, 2**32 - 1)
SMALL = st.integers(0, 9)
MW = st.integers(0, 30_000) | U32
I64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-10, 1_000_000)
NAME = st.sampled_from(("", "lamp", "n" * 32))
PAIRS = st.builds(
    PairWire,
    (st.integers(0, 12) | U32).map(Term),
    NODES.map(NodeId),
    st.sampled_from((0, 10, 20, 90, BOOT)).map(BootId),
)


def made_step(worth: int, power: int, more: int, running: bool) -> StepReport:
    return StepReport(worth, min(power, 2**31), min(power + more, 2**32 - 1), running)


STEPS = st.lists(st.builds(made_step, I64, MW, SMALL, st.booleans()), max_size=4) | st.lists(
    st.builds(made_step, I64, MW, SMALL, st.booleans()),
    min_size=BID_STEPS_MAX,
    max_size=BID_STEPS_MAX,
)
REPORTS = st.builds(
    Report,
    bid_seq=SMALL | U32,
    steps=STEPS.map(tuple),
    received_mj=st.integers(0, 2**64 - 1),
    holding_mw=MW,
    holding_ms=st.integers(0, 3000) | U32,
    round_taken=(SMALL | U32).map(Round),
    draw_mw=MW,
    required_mw=MW,
    capacity_mw=MW,
    offers=st.lists(st.builds(OfferReport, NAME, I64, MW), max_size=3).map(tuple),
)
ALLOTMENTS = st.builds(
    Allotment, NODES.map(NodeId), st.sampled_from((BootId(1), BOOT)), SMALL | U32, MW, U32
)
STATUSES = st.builds(
    LoadStatus, NAME, st.booleans(), st.booleans(), MW, I64, MW, st.sampled_from(Why)
)
LINES = st.builds(RosterLine, NODES.map(NodeId), NAME, SMALL, MW, st.integers(0, 255))
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        Beacon,
        NAME,
        SMALL,
        st.sampled_from(Role),
        PAIRS,
        SMALL | U32,
        MW,
        MW,
        SMALL,
        st.lists(STATUSES, max_size=2).map(tuple),
    ),
    st.builds(Join, SMALL, NAME, SMALL, MW, st.sampled_from((1, 1, 1, 2))),
    st.builds(JoinReply, SMALL, PAIRS, st.booleans(), NAME),
    st.builds(RosterUpdate, PAIRS, SMALL | U32, st.lists(LINES, max_size=NODES_MAX).map(tuple)),
    st.builds(Heartbeat, PAIRS, SMALL | U32, SMALL | U32, SMALL.map(Round)),
    st.builds(Ack, PAIRS, SMALL | U32, st.booleans(), SMALL | U32, REPORTS),
    st.builds(
        Price,
        PAIRS,
        (SMALL | U32).map(Round),
        I64,
        st.integers(0, 3000) | U32,
        MW,
        MW,
        MW,
        MW,
        st.booleans(),
        st.lists(ALLOTMENTS, max_size=5).map(tuple),
    ),
    st.builds(Remove, PAIRS, NODES.map(NodeId), U32, NAME),
    st.builds(Leave, MW),
    st.builds(Election, PAIRS, SMALL, SMALL, SMALL | U32),
    st.builds(Answer, SMALL, st.sampled_from(Stance), SMALL, PAIRS, REPORTS),
    st.builds(Coordinator, PAIRS, SMALL),
    st.builds(Resign, PAIRS),
    st.builds(Superseded, PAIRS),
)
OUTPUTS = st.tuples(
    st.sampled_from(("lamp", "pump", "fan", "ghost")),
    st.booleans(),
    st.integers(0, 3 * SECOND_NS),
)
HAPPENINGS = st.one_of(
    st.tuples(st.just("hears"), NODES, st.sampled_from((1, 2)), MESSAGES),
    st.tuples(st.just("hears"), NODES, st.sampled_from((1, 2)), MESSAGES),
    st.tuples(st.just("passes"), st.integers(0, 700), st.just(0), st.just(0)),
    st.tuples(st.just("switched"), OUTPUTS, U32, st.just(0)),
    st.tuples(st.just("metered"), st.floats(-5, 1e9), st.just(0), st.just(0)),
    st.tuples(st.just("other"), st.integers(0, 7), MW, st.just(0)),
)


def other(player: Player, which: int, mw: int) -> Event:
    now_ns = player.now_ns
    return (
        FirmwareLost(now_ns),
        FirmwareReported(now_ns, attached()),
        FirmwareReported(now_ns, attached((), (spec("lamp", 6000, required=True),))),
        FirmwareReported(now_ns, Refused(1, "lamp", "busy", 0)),
        OffersChanged(now_ns, (Offer("sun", -5, mw),)),
        CapacityChanged(now_ns, mw),
        LoopLate(now_ns, 5),
        LeaveRequested(now_ns) if mw % 7 == 0 else TimePassed(now_ns),
    )[which]


def answered(player: Player, message: Message) -> Message:
    """Let some answers fit: the node's own nonce and pair, where a peer would know them."""
    state = player.node.state
    nonce = getattr(state.election, "nonce", None)
    if isinstance(message, Answer) and nonce is not None:
        return Answer(nonce, message.stance, message.priority, message.known, message.report)
    if isinstance(message, Ack) and state.office is not None and message.votes:
        wire = pair_wire(state.office.pair)
        return Ack(wire, state.office.seq, True, state.roster.version, message.report)
    return message


def happen(player: Player, happening: tuple[str, object, object, object]) -> list[Action]:
    match happening:
        case ("hears", int(sender), int(boot), message):
            assert isinstance(message, get_args(Message))
            fits = answered(player, message)  # type: ignore[arg-type]
            return player.hears(sender, fits, boot=boot)
        case ("passes", int(ms), _, _):
            return player.passes(ms * MS_NS)
        case ("switched", (str(name), bool(on), int(ahead)), int(handled), _):
            state = output(name, on=on, since_ns=player.now_ns, deadline_ns=player.now_ns + ahead)
            return player.hears_firmware(Switched(player.now_ns, state, handled))
        case ("metered", float(watts), _, _):
            readings = (reading("m-lamp", watts, player.now_ns),)
            return player.hears_firmware(Telemetry(player.now_ns, readings, ()))
        case ("other", int(which), int(mw), _):
            return player.node.handle(other(player, which, mw))
        case _:
            raise AssertionError(happening)


def lawful(actions: list[Action], fence: Pair, until: int) -> tuple[Pair, int]:
    """Check a batch: promises are kept before the messages that make them; all can be encoded."""
    for action in actions:
        match action:
            case Remember():
                assert action.pair >= fence
                fence = action.pair
            case ReserveTerms():
                until = max(until, action.until)
            case Multicast() | Unicast():
                message = action.message
                assert not isinstance(decode(encode(message)), Rejection)
                if isinstance(message, Ack):
                    assert message.pair.pair() == fence
                elif isinstance(message, Election):
                    assert message.pair.term < until
                elif isinstance(message, Coordinator):
                    assert message.pair.pair() == fence
            case _:
                pass
    return fence, until


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(
    st.lists(HAPPENINGS, min_size=5, max_size=40), st.booleans(), st.integers(1, 3), st.booleans()
)
def test_handle_anything_from_anybody_never_raises_nor_spins_nor_breaks_the_order(
    happenings: list[tuple[str, object, object, object]],
    remembered: bool,
    expect: int,
    formed: bool,
) -> None:
    memory = pair(1) if remembered else None
    player = Player(stage.settings(expect=expect), remembered=memory)
    fence, until = memory or NO_PAIR, 1001
    if formed:
        player.passes(2 * SECOND_NS)
    fence, until = lawful(player.said, fence, until)
    for happening in happenings:
        actions = happen(player, happening)
        fence, until = lawful(actions, fence, until)
        state = player.node.state
        if state.ended:
            return
        assert state.fence == fence
        assert agents.holding_mw(state.agent, player.now_ns) >= 0
    player.passes(SECOND_NS)
