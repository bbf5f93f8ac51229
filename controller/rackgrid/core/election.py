"""The bully election, by multicast (Garcia-Molina 1982), over a failure detector that may be wrong.

The highest rank among those who no longer hear a broker gets the office. The algorithm's own proof
needs a network that never fails and nodes that never pause, so nothing here is relied on for
safety: two brokers at once are possible, and harmless, because only acks give authority (P4) and
nobody acks two (P5). What this file gives is liveness: soon after a broker falls silent, one node
leads.

States, and what moves a node between them:

    LISTENING  no broker is known     -> STANDING when patience ends and enough nodes are heard
    FOLLOWING  a broker is heard      -> STANDING after `suspect` silent heartbeats and the skew
    STANDING   asks all for support   -> LEADING with a majority and no objection, or back off
    LEADING    holds the office       -> LISTENING or FOLLOWING on resigning or a higher pair

An objection ends a candidature: ALIVE (I still hear the broker, or am it: the pre-vote of Raft
folded into the bully's answer) or OUTRANKED (I rank higher and stand myself: the bully's own
answer). A candidate waits a moment for the answers of those who rank higher, then goes ahead
without them.

Skew: the highest live rank waits no longer than `suspect` heartbeats, each lower rank 15 ms more,
at most 60 ms, so that usually one node speaks (the idea of VRRP's skew time, RFC 5798 section 6.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.core.settings import MS_NS, Timing
from rackgrid.identity import NodeId, Pair
from rackgrid.value import replace
from rackgrid.wire.message import Report
from rackgrid.wire.vocabulary import Stance

BACK_OFF_NS = (10 * MS_NS, 60 * MS_NS)
"""The first retry after a failed candidature is drawn between these, and doubles."""
BACK_OFF_MAX_NS = 1200 * MS_NS
HIGHER_PATIENCE_NS = 30 * MS_NS
"""How long a candidate with a majority waits for the answers of higher ranks."""
OUTRANKED_PATIENCE_NS = 80 * MS_NS
"""How long an outranked node gives the higher one to lead."""


@dataclass(frozen=True, slots=True)
class Listening:
    """No broker is known; stand at `stand_ns`, if enough nodes are heard."""

    stand_ns: int
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Following:
    """A broker is followed.

    Attributes:
        heard_ns: its last heartbeat; `NEVER_HEARD` after it resigned.
        seq: of that heartbeat; 0 while only its COORDINATOR was heard.
        stand_ns: when this node stands if nothing more is heard.
    """

    pair: Pair
    heard_ns: int
    seq: int
    stand_ns: int
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """A candidature is under way.

    Attributes:
        nonce: an answer must carry it.
        supports: reports of those who support it (the candidate's own vote apart).
        higher: higher-ranked live nodes that have not answered yet.
        decide_ns: a majority goes ahead from here on, even if higher ranks are still silent.
        give_up_ns: without a majority, the candidature ends here.
    """

    pair: Pair
    nonce: int
    supports: dict[NodeId, Report]
    higher: frozenset[NodeId]
    decide_ns: int
    give_up_ns: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Leading:
    """This node holds the office."""

    pair: Pair


State = Listening | Following | Standing | Leading

NEVER_HEARD = -(1 << 62)


def skew_ns(rank_index: int, timing: Timing) -> int:
    """How much longer the node at this place among the live waits (0 is the highest)."""
    return min(rank_index * timing.skew_ns, timing.skew_max_ns)


def heartbeat_heard(
    state: State, pair: Pair, seq: int, now_ns: int, rank_index: int, timing: Timing
) -> Following | None:
    """Follow the broker that was heard; None for a heartbeat that is a repeat or came too late.

    The caller has checked that `pair` is not lower than what this node follows or has acked.
    """
    if isinstance(state, Following) and state.pair == pair and seq <= state.seq:
        return None
    patience = timing.suspect * timing.heartbeat_ns + skew_ns(rank_index, timing)
    return Following(pair, now_ns, seq, now_ns + patience)


def resigned(state: Following, now_ns: int, rank_index: int, timing: Timing) -> Following:
    """The followed broker has stopped: stand at once, the highest rank first."""
    return replace(state, heard_ns=NEVER_HEARD, stand_ns=now_ns + skew_ns(rank_index, timing))


def patient(state: State, until_ns: int) -> State:
    """Do not stand before `until_ns` (this node's own loop was late, or somebody objected)."""
    if isinstance(state, (Listening, Following)):
        return replace(state, stand_ns=max(state.stand_ns, until_ns))
    return state


def stood(
    pair: Pair, nonce: int, higher: frozenset[NodeId], now_ns: int, attempt: int, timing: Timing
) -> Standing:
    """Begin a candidature."""
    patience = min(HIGHER_PATIENCE_NS, timing.heartbeat_ns) if higher else 0
    return Standing(
        pair=pair,
        nonce=nonce,
        supports={},
        higher=higher,
        decide_ns=now_ns + patience,
        give_up_ns=now_ns + max(timing.heartbeat_ns, 2 * HIGHER_PATIENCE_NS),
        attempt=attempt,
    )


def supported(state: Standing, node: NodeId, report: Report) -> Standing:
    """Note a SUPPORT."""
    return replace(state, supports={**state.supports, node: report}, higher=state.higher - {node})


def unanswered(state: Standing) -> Standing:
    """The higher ranks have had their time: wait for them no longer."""
    return replace(state, higher=frozenset())


def wins(state: Standing, now_ns: int, *, is_backed: bool) -> bool:
    """Whether the candidature has a majority, and the higher ranks have had their say."""
    return is_backed and (not state.higher or now_ns >= state.decide_ns)


def backed_off(state: Standing, now_ns: int, jitter_ns: int) -> Listening:
    """Give a candidature up, and try again later: twice as much later each time.

    Args:
        jitter_ns: drawn from `BACK_OFF_NS`.
    """
    wait = min(jitter_ns << min(state.attempt, 8), BACK_OFF_MAX_NS)
    return Listening(now_ns + wait, state.attempt + 1)


def stance(
    *,
    leads: bool,
    heard_ago_ns: int,
    may_vote: bool,
    is_bound: bool,
    outranks: bool,
    knows_more: bool,
    timing: Timing,
) -> Stance:
    """How a node answers another's candidature.

    Args:
        leads: it is the broker, and knows of no higher pair.
        heard_ago_ns: since the last heartbeat of the broker that it follows.
        may_vote: its quiet time is over.
        is_bound: it has acked a pair that is not lower than the proposed one.
        outranks: it ranks higher, or knows more, and may stand itself.
        knows_more: it knows a newer roster: a broker without it would forget somebody's floor.
    """
    if leads or heard_ago_ns < (timing.suspect - 1) * timing.heartbeat_ns:
        return Stance.ALIVE
    if not may_vote or is_bound:
        return Stance.BOUND
    if outranks:
        return Stance.OUTRANKED
    return Stance.BOUND if knows_more else Stance.SUPPORT


def next_deadline_ns(state: State) -> int | None:
    """When time alone moves this state."""
    match state:
        case Listening() | Following():
            return state.stand_ns
        case Standing():
            return state.decide_ns if state.higher else state.give_up_ns
        case Leading():
            return None
