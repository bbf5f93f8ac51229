"""The agent: bids for this node's loads, and takes prices and grants (P2); `judgement` switches.

Price and grant answer different questions: the price is the rack's wish, the grant is the feed's
permission. Without a price (no broker, or an expired price) nothing new starts and what runs
follows its grant down; the firmware opens it at the deadline even if this process is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from rackgrid.core import board as boards
from rackgrid.core import holding, nameplate, tender
from rackgrid.core.action import Action, PriceApplied, PriceLost
from rackgrid.core.board import Board
from rackgrid.core.grant import Grant, holding_ms
from rackgrid.core.holding import Commands
from rackgrid.core.nameplate import NO_PROOFS, Proofs
from rackgrid.core.settings import MS_NS, LoadSettings, NodeSettings
from rackgrid.identity import NO_LIMIT, NO_PAIR, Limit, Pair, Round
from rackgrid.market.choice import stay_uc, switching_uc
from rackgrid.market.curve import Step
from rackgrid.market.modulating import served as served_stages
from rackgrid.market.offer import Offer
from rackgrid.value import replace
from rackgrid.wire.message import Allotment, OfferReport, Price, Report, RosterLine, StepReport
from rackgrid.wire.vocabulary import Why
from rackgrid_firmware.device import LEVEL_FULL
from rackgrid_firmware.link import OutputState

BIDS_MAX = 64
"""Bids whose sending is remembered; a grant for an older one is not taken."""


@dataclass(frozen=True, slots=True)
class SentBid:
    """A bid that left this node: when, which load each step meant, and all that it asked for, mW.

    Nobody is granted more than it asked for: whoever says so is no honest broker.
    """

    seq: int
    sent_ns: int
    loads: tuple[str, ...]
    asked_mw: int


@dataclass(frozen=True, slots=True)
class PriceInForce:
    """The price that this node acts on, until it expires."""

    pair: Pair
    round: int
    price_uc: int
    until_ns: int
    scarce: bool


@dataclass(frozen=True, slots=True)
class Agent:
    """All that the agent knows.

    Attributes:
        board: the firmware's last word; None while it is not attached.
        broker: whom this node follows, or followed last.
        taken: (pair, round) of the last grant taken, from whomever: it never goes back.
        worths_uc: load → its worth, as last said, where the settings do not say it; None: it wants
            nothing.
        refused: loads that the last clearing wanted to serve and could not fit.
        commanded: output → what the firmware was last told.
        judged: load → (is on, why), as last published.
        valued: planned load → its worth, as last published.
        proofs: what is kept of loads that took more than their nameplates said (`nameplate`).
        limit: the latest operator's word on the feed.
        leaving: nothing stays on any more; stopping: nothing starts any more.
    """

    board: Board | None = None
    bid_seq: int = 0
    bids: tuple[SentBid, ...] = ()
    grant: Grant | None = None
    broker: Pair = NO_PAIR
    taken: tuple[Pair, int] = (NO_PAIR, 0)
    taken_bid: int = 0
    price: PriceInForce | None = None
    worths_uc: Mapping[str, int | None] = field(default_factory=lambda: MappingProxyType({}))
    refused: frozenset[str] = frozenset()
    offers: tuple[Offer, ...] = ()
    proofs: Proofs = field(default_factory=lambda: NO_PROOFS)
    limit: Limit = NO_LIMIT
    command_seq: int = 0
    commanded: Commands = field(default_factory=lambda: MappingProxyType({}))
    judged: Mapping[str, tuple[bool, Why]] = field(default_factory=lambda: MappingProxyType({}))
    valued: Mapping[str, int | None] = field(default_factory=lambda: MappingProxyType({}))
    leaving: bool = False
    stopping: bool = False


def holding_mw(agent: Agent, now_ns: int) -> int:
    """What is in force or still switched on above the floor, mW; lower only after the outputs."""
    return held_mw(agent, now_ns)[0]


def beyond_mw(agent: Agent, now_ns: int) -> int:
    """What is drawn beyond floor and grant, mW: a running load that lies counts, too (P8)."""
    return held_mw(agent, now_ns)[1]


def held_mw(agent: Agent, now_ns: int) -> tuple[int, int]:
    """Say both, the holding and what is beyond it, from one look at the outputs, mW."""
    grant, board = live_grant(agent, now_ns), agent.board
    granted_mw = grant.power_mw if grant else 0
    if board is None:
        return granted_mw, 0
    switched_mw = holding.switched_mw(board, agent.commanded, now_ns)
    return max(granted_mw, switched_mw), max(0, switched_mw - granted_mw) + board.excess_mw


def bid(agent: Agent, settings: NodeSettings, now_ns: int) -> tuple[Agent, Report]:
    """Make the next numbered bid, with all that a report carries. The board must be attached."""
    board = agent.board
    assert board is not None, "a node without its firmware does not report"
    steps = _steps(agent, settings, now_ns)
    draw_mw, required_mw = boards.totals_mw(board, now_ns)
    seq = agent.bid_seq + 1
    asked_mw = sum(step.reserve_mw for _, step in steps)
    sent = SentBid(seq, now_ns, tuple(name for name, _ in steps), asked_mw)
    report = Report(
        bid_seq=seq,
        steps=tuple(StepReport(s.worth_uc, s.power_mw, s.reserve_mw, s.running) for _, s in steps),
        received_mj=boards.flexible_mj(board),
        holding_mw=holding_mw(agent, now_ns),
        holding_ms=holding_ms(held_until_ns(agent, board, now_ns), now_ns),
        round_taken=Round(agent.taken[1] if agent.taken[0] == agent.broker else 0),
        draw_mw=draw_mw,
        required_mw=required_mw,
        excess_mw=board.excess_mw,
        capacity_mw=settings.capacity_mw,
        limit=agent.limit,
        offers=tuple(OfferReport(o.source, o.price_uc, o.power_mw) for o in agent.offers),
    )
    return replace(agent, bid_seq=seq, bids=(*agent.bids, sent)[-BIDS_MAX:]), report


def attached(agent: Agent, board: Board, settings: NodeSettings, now_ns: int) -> Agent:
    """Take over the board, and adopt what the firmware holds for a controller before this one.

    What is on goes on until its own deadline, unless a grant to this boot decides otherwise first:
    a restarted controller blinks nothing. The broker counts these watts until then, because the
    dead boot's grants run to their expiry beside the new one's (P3).
    """
    plates = nameplate.restored(agent.proofs, boards.nominals_mw(board))
    board = replace(board, plates=plates)
    agent = replace(agent, board=board, commanded=MappingProxyType({}))
    names = {load.output: load.name for load in settings.loads}
    held = [state for name in board.flexible if (state := board.outputs.get(name)) and state.on]
    if agent.taken_bid or not held:
        return agent
    power_mw = sum(boards.reserve_mw(board, state.name, now_ns) for state in held)
    loads = frozenset(names[state.name] for state in held if state.name in names)
    deadline_ns = min(state.deadline_ns for state in held)
    return replace(agent, grant=Grant(NO_PAIR, 0, 0, power_mw, loads, deadline_ns))


def followed(agent: Agent, pair: Pair) -> Agent:
    """Follow another broker: its rounds count anew; a live grant runs on to its own end.

    What was taken is not forgotten: a node that only heard a COORDINATOR may come back to a lower
    broker, and a late copy of an earlier round of that one may hold watts that others have by now.
    """
    return agent if agent.broker == pair else replace(agent, broker=pair)


def priced(agent: Agent, price: Price, now_ns: int) -> tuple[Agent, list[Action]]:
    """Apply a price from the followed broker; a repeated or older round changes nothing."""
    pair = price.pair
    current = agent.price
    if current is not None and current.pair == pair and price.round < current.round:
        return agent, []
    actions: list[Action] = []
    if current is None or (current.pair, current.round) != (pair, price.round):
        valid_ns = price.valid_for_ms * MS_NS
        agent = replace(
            agent,
            price=PriceInForce(pair, price.round, price.price_uc, now_ns + valid_ns, price.scarce),
        )
        actions.append(PriceApplied(pair, price.round, price.price_uc, valid_ns, price.scarce))
    return agent, actions


def allotted(
    agent: Agent, pair: Pair, round_: int, allotment: Allotment, grant_ns: int, now_ns: int
) -> Agent:
    """Take a grant, if it answers a bid of this boot and is later than the last one taken (P2)."""
    sent = next((b for b in agent.bids if b.seq == allotment.bid_seq), None)
    if sent is None or allotment.bid_seq < agent.taken_bid or (pair, round_) <= agent.taken:
        return agent
    deadline_ns = sent.sent_ns + grant_ns
    if deadline_ns <= now_ns:
        return agent
    stages = served_stages(sent.loads, allotment.accepted)
    served = frozenset(stages)
    more = {name: count for name, count in stages.items() if count > 1}
    power_mw = min(allotment.grant_mw, sent.asked_mw)
    grant = Grant(pair, round_, sent.seq, power_mw, served, deadline_ns, more)
    return replace(
        agent,
        grant=grant,
        taken=(pair, round_),
        taken_bid=sent.seq,
        refused=frozenset(sent.loads) - served,
    )


def lapsed(agent: Agent, now_ns: int) -> tuple[Agent, list[Action]]:
    """Drop a grant or a price whose time is over."""
    actions: list[Action] = []
    if agent.grant is not None and live_grant(agent, now_ns) is None:
        agent = replace(agent, grant=None)
    if agent.price is not None and agent.price.until_ns <= now_ns:
        agent = replace(agent, price=None, refused=frozenset())
        actions.append(PriceLost())
    return agent, actions


def with_whole_floor(report: Report, board: Board, line: RosterLine) -> Report:
    """Add to the excess what is drawn of a floor that the roster does not reserve (yet) (P8)."""
    unreserved_mw = min(report.required_mw, board.floor_mw) - line.floor_mw
    if unreserved_mw <= 0:
        return report
    return replace(report, excess_mw=report.excess_mw + unreserved_mw)


def next_deadline_ns(agent: Agent) -> int | None:
    """When `lapsed` next has something to do."""
    grant, price = agent.grant, agent.price
    if grant is None:
        return None if price is None else price.until_ns
    if price is None or grant.deadline_ns <= price.until_ns:
        return grant.deadline_ns
    return price.until_ns


def _steps(agent: Agent, settings: NodeSettings, now_ns: int) -> list[tuple[str, Step]]:
    board = agent.board
    assert board is not None, "a bid needs the board"
    steps: list[tuple[str, Step]] = []
    for load in settings.loads:
        state = board.outputs.get(load.output)
        if load.worth_uc is None or state is None or agent.leaving or is_required(agent, load):
            continue
        if boards.is_barred(state):
            continue  # no watt is wanted for what cannot be on
        if agent.stopping and not state.on:
            continue
        bid_uc = bid_now(agent, load, settings, now_ns)
        if bid_uc is not None:
            tendered = tender.steps(board, state, load, bid_uc, settings.price_cap_uc, now_ns)
            steps += ((load.name, step) for step in tendered)
    return steps


def is_planned(agent: Agent, load: LoadSettings) -> bool:
    """Whether a load's worth is not that of the settings."""
    return load.is_planned or load.name in agent.worths_uc


def worth_of(agent: Agent, load: LoadSettings, price_cap_uc: int) -> int | None:
    """The highest price at which a load is wanted as it stands; None if it is not, or required."""
    otherwise_uc = None if load.is_planned else load.worth_uc
    worth_uc = agent.worths_uc.get(load.name, otherwise_uc)
    if worth_uc is None or not load.start_cost_nc or agent.board is None:
        return worth_uc
    state, spec = state_of(agent, load), agent.board.specs.get(load.output)
    if state is None or spec is None:
        return worth_uc
    # What is dimmed is sure of its least level only.
    least = spec.min_level if load.stages_uc else LEVEL_FULL
    power_mw = max(1, spec.nominal_mw * least // LEVEL_FULL)
    start_uc = stay_uc(load.start_cost_nc, power_mw, load.usual_run_ns)
    return switching_uc(worth_uc, start_uc, price_cap_uc, running=state.on, owed=load.is_owed)


def bid_now(agent: Agent, load: LoadSettings, settings: NodeSettings, now_ns: int) -> int | None:
    """What a flexible load bids: its worth, or the price cap while its min-on holds it."""
    state = state_of(agent, load)
    inside_min_on = state is not None and state.on and now_ns < state.may_switch_ns
    if inside_min_on:
        return settings.price_cap_uc
    return worth_of(agent, load, settings.price_cap_uc)


def state_of(agent: Agent, load: LoadSettings) -> OutputState | None:
    """How a load's output stands, as the firmware last said."""
    return agent.board.outputs.get(load.output) if agent.board else None


def is_required(agent: Agent, load: LoadSettings) -> bool:
    """The board profile decides what is required; the configuration only while it is not known."""
    spec = agent.board.specs.get(load.output) if agent.board else None
    return spec.required if spec else load.required


def live_grant(agent: Agent, now_ns: int) -> Grant | None:
    """The grant that is in force now."""
    grant = agent.grant
    return grant if grant is not None and grant.deadline_ns > now_ns else None


def held_until_ns(agent: Agent, board: Board, now_ns: int) -> int:
    """When all that this node holds will have ended, if nothing more is granted."""
    ends_ns = holding.until_ns(board, agent.commanded, now_ns)
    grant = live_grant(agent, now_ns)
    return max(ends_ns, grant.deadline_ns) if grant else ends_ns
