"""Whatever arrives, a node never raises, never spins, and acts in lawful order."""

from __future__ import annotations

from typing import get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.controller.core import stage
from tests.unit.controller.core.stage import (
    BOOT,
    ME,
    RACK,
    Player,
    attached,
    output,
    pair,
    reading,
    roster,
    spec,
)

from rackgrid.core import agent as agents
from rackgrid.core.action import Action, Multicast, Remember, ReserveTerms, Unicast
from rackgrid.core.event import (
    AllowRequested,
    CapacityChanged,
    Event,
    ExpelRequested,
    FirmwareLost,
    FirmwareReported,
    ForgetRequested,
    HandoverRequested,
    LeaveRequested,
    LoopLate,
    OffersChanged,
    RecoverRequested,
    TimePassed,
)
from rackgrid.core.roster import NO_ROSTER
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import (
    NO_PAIR,
    NO_RACK,
    BootId,
    Limit,
    NodeId,
    Pair,
    RackId,
    Round,
    Stamp,
    Term,
)
from rackgrid.market.offer import Offer
from rackgrid.value import replace
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import (
    BID_STEPS_MAX,
    NODE_NAME_MAX,
    NODES_MAX,
    Ack,
    Allotment,
    Answer,
    Beacon,
    ClaimReport,
    Coordinator,
    Election,
    Expelled,
    Forget,
    Heartbeat,
    Join,
    JoinReply,
    Leave,
    LoadStatus,
    Message,
    OfferReport,
    Pledge,
    PledgeLine,
    Price,
    Remove,
    Report,
    Resign,
    RosterLine,
    RosterUpdate,
    StepReport,
    Superseded,
)
from rackgrid.wire.vocabulary import LoadKind, Rejection, Role, Stance, Why
from rackgrid_firmware.link import Refused, Switched, Telemetry

BERT = 9


# --- anything at all -------------------------------------------------------------------------

NODES = st.sampled_from((1, 2, 3, ME, BERT))
U32 = st.integers(0, 2**32 - 1)
SMALL = st.integers(0, 9)
MW = st.integers(0, 30_000) | U32
I64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-10, 1_000_000)
NAME = st.sampled_from(("", "lamp", "n" * NODE_NAME_MAX))
PAIRS = st.builds(
    Pair,
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
    excess_mw=MW,
    capacity_mw=MW,
    limit=st.builds(Limit, SMALL | U32, MW),
    offers=st.lists(st.builds(OfferReport, NAME, I64, MW), max_size=3).map(tuple),
)
ALLOTMENTS = st.builds(
    Allotment, NODES.map(NodeId), st.sampled_from((BootId(1), BOOT)), SMALL | U32, MW, U32
)
STATUSES = st.builds(
    LoadStatus,
    NAME,
    st.sampled_from(LoadKind),
    st.integers(0, 255),
    MW,
    I64,
    MW,
    st.sampled_from(Why),
)
LINES = st.builds(
    RosterLine, NODES.map(NodeId), NAME, SMALL, MW, MW, st.integers(0, 255), st.booleans()
)
PLEDGES = st.builds(
    PledgeLine, NODES.map(NodeId), st.sampled_from((BOOT, BootId(10))), MW, SMALL | U32
)
RACKS = st.sampled_from((NO_RACK, RACK, RACK, RackId(7)))
STAMPS = st.builds(Stamp, PAIRS, SMALL | U32)
CLAIMS = st.builds(
    ClaimReport, NODES.map(NodeId), st.sampled_from((BootId(1), BOOT)), MW, MW, MW, MW
)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        Beacon,
        NAME,
        SMALL,
        st.sampled_from(Role),
        PAIRS,
        RACKS,
        STAMPS,
        MW,
        MW,
        SMALL,
        st.lists(STATUSES, max_size=2).map(tuple),
    ),
    st.builds(
        Join,
        SMALL,
        NAME,
        SMALL | st.just(65_535),
        MW,
        st.booleans(),
        st.sampled_from((2, 2, 2, 1)),
        PAIRS,
        RACKS,
        SMALL | U32,
    ),
    st.builds(JoinReply, SMALL, PAIRS, st.booleans(), NAME),
    st.builds(
        RosterUpdate,
        PAIRS,
        RACKS,
        SMALL | U32,
        SMALL,
        st.booleans(),
        st.sampled_from((BootId(0), BOOT, BootId(90))),
        st.lists(LINES, max_size=NODES_MAX).map(tuple),
        st.lists(PLEDGES, max_size=2, unique_by=lambda pledge: pledge.node).map(tuple),
        st.builds(Limit, SMALL | U32, MW),
        st.lists(st.builds(Expelled, NODES.map(NodeId)), max_size=3).map(tuple),
    ),
    st.builds(
        Pledge, st.sampled_from((BOOT, BootId(10))), MW | st.just(0), SMALL | st.just(15_000)
    ),
    st.builds(
        Heartbeat, PAIRS, SMALL | U32, RACKS, st.booleans(), SMALL | U32, SMALL, SMALL.map(Round)
    ),
    st.builds(Ack, PAIRS, SMALL | U32, st.booleans(), PAIRS, STAMPS, REPORTS),
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
    st.builds(Forget, NODES.map(NodeId)),
    st.builds(Election, PAIRS, SMALL, SMALL, RACKS, STAMPS, st.booleans()),
    st.builds(Answer, SMALL, st.sampled_from(Stance), SMALL, PAIRS, REPORTS),
    st.builds(Coordinator, PAIRS, SMALL),
    st.builds(Resign, PAIRS, st.booleans(), st.lists(CLAIMS, max_size=NODES_MAX).map(tuple)),
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
    st.tuples(st.just("other"), st.integers(0, 12), MW, st.just(0)),
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
        ForgetRequested(now_ns, NodeId(mw % 10)),
        HandoverRequested(now_ns),
        RecoverRequested(now_ns),
        AllowRequested(now_ns, NodeId(mw % 10), mw % 65_536, mw),
        ExpelRequested(now_ns, NodeId(mw % 10)),
    )[which]


def answered(player: Player, message: Message) -> Message:
    """Let some answers fit: the node's own nonce and pair, where a peer would know them."""
    state = player.node.state
    nonce = getattr(state.election, "nonce", None)
    if isinstance(message, Answer) and nonce is not None:
        return Answer(nonce, message.stance, message.priority, message.known, message.report)
    if isinstance(message, Join) and state.office is not None and message.meters_feed:
        rack = state.office.agreement.newest.rack
        return replace(message, pair=state.office.pair, rack=rack)
    if isinstance(message, Ack) and state.office is not None and message.votes:
        wire, left = state.office.pair, message.left
        has = (state.storing or state.roster).stamp
        return Ack(wire, state.office.seq, True, left, has, message.report)
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
            return player.happens(other(player, which, mw))
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
                    # In the quiet time there is no vote, and no promise that must be kept.
                    assert not message.votes or message.pair == fence
                elif isinstance(message, Election):
                    assert message.pair.term < until
                elif isinstance(message, Coordinator):
                    assert message.pair == fence
            case _:
                pass
    return fence, until


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(
    st.lists(HAPPENINGS, min_size=5, max_size=40),
    st.booleans(),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_handle_anything_from_anybody_never_raises_nor_spins_nor_breaks_the_order(
    happenings: list[tuple[str, object, object, object]],
    remembered: bool,
    expect: int,
    formed: bool,
    admitted: bool,
    disk: bool,
) -> None:
    memory = pair(1) if remembered else None
    kept = roster(ME, 1, 2, version=9) if admitted else NO_ROSTER
    player = Player(stage.settings(expect=expect), remembered=memory, keeps=kept)
    player.disk = disk
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
        assert state.kept == fence, "what is kept is what was said to be kept"
        assert state.fence >= state.kept
        assert agents.holding_mw(state.agent, player.now_ns) >= 0
    player.passes(SECOND_NS)
