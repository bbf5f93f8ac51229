"""What a node does about who leads: it follows, calls elections, answers, wins or gives way."""

from __future__ import annotations

from rackgrid.core import agent as agents
from rackgrid.core import broker, election, membership
from rackgrid.core.action import Remember, ReserveTerms
from rackgrid.core.election import Following, Leading, Listening, Standing
from rackgrid.core.state import AckDue, State
from rackgrid.identity import NodeId, Pair, Term
from rackgrid.value import replace
from rackgrid.wire.message import (
    Ack,
    Answer,
    Coordinator,
    Election,
    Heartbeat,
    Resign,
    Superseded,
)
from rackgrid.wire.vocabulary import Stance

TERM_BLOCK = 1000
"""Terms reserved by one write."""
TERM_MAX = (1 << 32) - 2 * TERM_BLOCK


def is_stale(node: State, pair: Pair, sender: NodeId) -> bool:
    """Whether `pair` is below what this node acts for; its sender is told the higher one."""
    node.term_seen = max(node.term_seen, pair.term)
    if pair >= node.bar:
        return False
    node.unicast(sender, Superseded(node.bar))
    return True


def heartbeat(node: State, sender: NodeId, message: Heartbeat, now_ns: int) -> None:
    """Follow the broker that sent this heartbeat, and owe it an ack."""
    pair = message.pair
    if is_stale(node, pair, sender):
        return
    is_new = node.followed != pair
    if is_new:
        leave_office(node, now_ns, "a higher pair leads")
    index = node.rank_index(now_ns, pair.node)
    after = election.heartbeat_heard(node.election, pair, message.seq, now_ns, index, node.timing)
    if after is None:
        return
    node.election = after
    node.heartbeat = message
    if not message.founding:
        node.led(now_ns)
    learn_agreed(node, pair, message.agreed_version)
    if is_new:
        node.agent = agents.followed(node.agent, pair)
        node.become(f"follows {pair}", now_ns)
    # De-synchronised by rank, so that the broker's socket sees a trickle and not a burst; the first
    # ack of a term goes at once, because authority waits for it.
    spread = min(node.timing.heartbeat_ns // 2, 2_000_000 * index)
    node.ack_due = AckDue(message.seq, now_ns if node.fence < pair else now_ns + spread)


def acknowledge(node: State, now_ns: int) -> None:
    """Answer the last heartbeat of the followed broker: a promise to act for no lower pair."""
    node.ack_due = None
    state = node.election
    if not isinstance(state, Following) or state.seq == 0 or node.agent.board is None:
        return  # nothing was heard that could be answered, or there is nothing to say
    pair = state.pair
    _bind(node, pair)
    # Not in the quiet time: whoever finds a pair that was kept takes its quiet time for over.
    if node.may_vote(now_ns) and node.kept < pair:
        _keep(node, pair)
    assert node.heartbeat is not None, "the sequence came with a heartbeat"
    votes = node.votes(now_ns, founding=node.heartbeat.founding)
    left, roster = node.left_for_sure(now_ns), node.roster.stamp
    node.unicast(pair.node, Ack(pair, state.seq, votes, left, roster, node.report(now_ns)))


def coordinator(node: State, sender: NodeId, message: Coordinator, now_ns: int) -> None:
    """Somebody has won: follow, and let its first heartbeat bring the ack."""
    pair = message.pair
    if is_stale(node, pair, sender) or node.followed == pair:
        return
    leave_office(node, now_ns, "a higher pair leads")
    index = node.rank_index(now_ns, pair.node)
    node.election = election.heartbeat_heard(
        node.election, pair, 0, now_ns, index, node.timing
    ) or (node.election)
    node.agent = agents.followed(node.agent, pair)
    node.become(f"follows {pair}", now_ns)


def resign(node: State, message: Resign, now_ns: int) -> None:
    """The followed broker stops on purpose: the highest rank stands at once."""
    state = node.election
    node.resigned = (message, now_ns)
    if isinstance(state, Following) and state.pair == message.pair:
        index = node.rank_index(now_ns, state.pair.node)
        node.election = election.resigned(state, now_ns, index, node.timing)


def superseded(node: State, message: Superseded, now_ns: int) -> None:
    """Somebody knows a higher pair than the one that this node acted or stood for."""
    known = message.known
    node.term_seen = max(node.term_seen, known.term)
    if node.office is not None and known > node.office.pair:
        leave_office(node, now_ns, f"superseded by {known}")
    elif isinstance(node.election, Standing) and known >= node.election.pair:
        give_up(node, now_ns, f"superseded by {known}")


def due(node: State, now_ns: int) -> None:
    """Act on the election's deadline if it has come."""
    state = node.election
    match state:
        case Listening() | Following():
            if now_ns >= state.stand_ns:
                _stand_or_wait(node, state, now_ns)
        case Standing():
            if _try_win(node, state, now_ns):
                return
            if now_ns >= state.give_up_ns:
                give_up(node, now_ns, "no majority answered")
            elif now_ns >= state.decide_ns:
                node.election = election.unanswered(state)
        case Leading():
            pass


def called(node: State, sender: NodeId, message: Election, now_ns: int) -> None:
    """Answer another node's candidature."""
    pair = message.pair
    node.term_seen = max(node.term_seen, pair.term)
    if node.agent.board is None:
        return
    peers = membership.ranked(node.peers, sender, message.priority)
    node.peers = membership.informed(peers, sender, message.rack, message.roster)
    knows_more = node.roster.stamp > message.roster
    state = node.election
    heard_ns = state.heard_ns if isinstance(state, Following) else election.NEVER_HEARD
    outranks = knows_more or node.rank > node.rank_of(sender, message.priority)
    answer = election.stance(
        leads=node.office is not None,
        heard_ago_ns=now_ns - heard_ns,
        may_vote=node.votes(now_ns, founding=message.founding),
        is_bound=pair <= node.fence,
        outranks=outranks and node.may_stand(now_ns),
        knows_more=knows_more,
        timing=node.timing,
    )
    known, claimed = node.bar, node.settings.priority
    node.unicast(sender, Answer(message.nonce, answer, claimed, known, node.report(now_ns)))
    if knows_more and not node.roster.founding:
        node.unicast(sender, node.roster.update(0))
    if answer is Stance.OUTRANKED and not isinstance(state, Standing):
        stand(node, now_ns, getattr(state, "attempt", 0))
    elif answer is Stance.SUPPORT:
        _give_way(node, now_ns)


def answered(node: State, sender: NodeId, message: Answer, now_ns: int) -> None:
    """Count an answer to this node's own candidature."""
    known = message.known
    node.term_seen = max(node.term_seen, known.term)
    node.peers = membership.ranked(node.peers, sender, message.priority)
    state = node.election
    if not isinstance(state, Standing) or message.nonce != state.nonce:
        return
    match message.stance:
        case Stance.SUPPORT:
            node.election = election.supported(state, sender, message.report)
            _try_win(node, node.election, now_ns)
        case Stance.ALIVE:
            give_up(node, now_ns, "the broker is still heard")
            patience = node.timing.suspect * node.timing.heartbeat_ns
            node.election = election.patient(node.election, now_ns + patience)
        case Stance.OUTRANKED:
            give_up(node, now_ns, "a higher rank stands")
            patience = election.OUTRANKED_PATIENCE_NS
            node.election = election.patient(node.election, now_ns + patience)
        case Stance.BOUND:
            if known >= state.pair:
                give_up(node, now_ns, f"a voter is bound to {known}")


def stand(node: State, now_ns: int, attempt: int) -> None:
    """Begin a candidature under the next term."""
    pair = next_pair(node)
    if pair is None:
        node.election = Listening(now_ns + election.BACK_OFF_MAX_NS, attempt)
        node.become("there is no term to stand for", now_ns)
        return
    higher = node.higher(now_ns, node.followed.node)
    nonce = node.jitter.next64()
    node.election = election.stood(pair, nonce, higher, now_ns, attempt, node.timing)
    rack, roster = node.roster.rack, node.roster.stamp
    priority, founds = node.settings.priority, node.founds
    node.multicast(Election(pair, priority, nonce, rack, roster, founds))
    node.become(f"stands for {pair}", now_ns)
    _try_win(node, node.election, now_ns)


def next_pair(node: State) -> Pair | None:
    """Take the next term, reserved first if need be; None if there is none left."""
    # The roster's too: it outlives the power, and all that is known of its broker may not.
    known = (node.fence, node.followed, node.roster.stamp.pair)
    term = max(node.term_seen, *(pair.term for pair in known)) + 1
    term = max(term, node.settings.terms_from)
    if term > TERM_MAX:
        node.note(f"term {term} is out of range: somebody who holds the group key inflates terms")
        return None
    if term >= node.terms_until:
        node.terms_until = term + TERM_BLOCK
        node.out.append(ReserveTerms(node.terms_until))
    node.term_seen = term
    return Pair(Term(term), node.me, node.boot)


def give_up(node: State, now_ns: int, cause: str) -> None:
    """End a candidature without the office."""
    assert isinstance(node.election, Standing), "only a candidature is given up"
    jitter_ns = node.jitter.between(*election.BACK_OFF_NS)
    node.election = election.backed_off(node.election, now_ns, jitter_ns)
    node.become(cause, now_ns)


def withdraw(node: State, now_ns: int, cause: str) -> None:
    """End a candidature, if there is one: this node may no longer lead."""
    if isinstance(node.election, Standing):
        give_up(node, now_ns, cause)


def leave_office(node: State, now_ns: int, cause: str) -> None:
    """Stop leading, if this node leads: no heartbeat, no grant; what it holds runs on."""
    if node.office is None:
        return
    patience = 2 * node.timing.suspect * node.timing.heartbeat_ns
    node.office = None
    node.election = Listening(now_ns + patience)
    node.become(cause, now_ns)


def _stand_or_wait(node: State, state: Listening | Following, now_ns: int) -> None:
    if node.may_stand(now_ns, state.attempt):
        stand(node, now_ns, state.attempt)
        return
    # Silent broker, and this node may not lead: it stops following, and listens.
    node.election = Listening(now_ns + node.timing.heartbeat_ns, state.attempt + 1)
    if isinstance(state, Following):
        node.become("the broker is silent", now_ns)


def _give_way(node: State, now_ns: int) -> None:
    """Another was supported: do not stand against it while it may still win."""
    if isinstance(node.election, Standing):
        give_up(node, now_ns, "supports a higher rank")
    patience = election.OUTRANKED_PATIENCE_NS
    node.election = election.patient(node.election, now_ns + patience)


def _try_win(node: State, state: election.State, now_ns: int) -> bool:
    if not isinstance(state, Standing):
        return False
    if not election.wins(state, now_ns, is_backed=node.is_backed(state.supports.keys())):
        return False
    node.election = Leading(state.pair)
    node.office = broker.taken(state.pair, node.roster, state.supports, now_ns)
    _bind(node, state.pair)
    _keep(node, state.pair)
    node.agent = agents.followed(node.agent, state.pair)
    node.ack_due = None
    node.join_ns = None
    node.multicast(Coordinator(state.pair, node.settings.priority))
    node.become("elected", now_ns)
    return True


def _bind(node: State, pair: Pair) -> None:
    """Act for no lower pair from here on, and remember which one was left for it (P5)."""
    if pair > node.fence:
        node.left, node.fence = node.fence, pair


def learn_agreed(node: State, pair: Pair, agreed_version: int) -> None:
    """Take the broker's word that a roster which this node has stored is agreed (P7).

    A node that had lost its own votes again from here on. And a founding roster that all have
    stored is as good as any, whoever of them dies next.
    """
    stamp = node.roster.stamp
    if stamp.pair != pair or not 0 < stamp.version <= agreed_version:
        return
    node.is_lost = False
    if node.roster.founding and node.office is None:
        node.roster = replace(node.roster, founding=False, founded=pair.boot)


def _keep(node: State, pair: Pair) -> None:
    node.kept = pair
    node.out.append(Remember(pair))
