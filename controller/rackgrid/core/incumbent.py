"""What a node does while it is the broker: it keeps its authority, clears, and lets go.

What it does about the roster is in `registrar`.
"""

from __future__ import annotations

from rackgrid.core import agent as agents
from rackgrid.core import book, broker, candidate, registrar
from rackgrid.core.action import NodeJudged, PriceSent
from rackgrid.core.grant import Account
from rackgrid.core.office import Office
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.core.state import State
from rackgrid.core.trust import Judgement
from rackgrid.identity import BootId, NodeId, Rank
from rackgrid.value import replace
from rackgrid.wire.message import NODES_MAX, Ack, Price, Remove, Resign

FOUNDING_NS = 5 * SECOND_NS
"""So long a broker waits until all who are expected have joined it."""
ASIDE_NS = 5 * SECOND_NS
"""So long a broker that was asked to hand over leaves the field to others."""


def lapsed(node: State, now_ns: int) -> None:
    """Give the office up if its authority has ended, or never came (tested before each event)."""
    office = node.office
    if office is None:
        return
    if office.agreement.is_founding:
        if now_ns >= office.since_ns + FOUNDING_NS:
            registrar.complain(node, office)
            candidate.leave_office(node, now_ns, "the rack could not be founded")
        return
    until_ns = node.authority_until_ns(now_ns)
    if office.book.first_majority_ns is None:
        if until_ns > now_ns:
            _first_majority(node, office, now_ns)
        elif now_ns >= _patience_ns(node, office):
            candidate.leave_office(node, now_ns, "never had a majority")
    elif until_ns <= now_ns:
        candidate.leave_office(node, now_ns, "no majority answers")


def acked(node: State, sender: NodeId, boot: BootId, message: Ack, now_ns: int) -> None:
    """Take a member's ack: its vote, its report, and what it has stored of the roster."""
    office = node.office
    if office is None or message.pair != office.pair:
        return
    if registrar.is_overtaken(node, sender, message, now_ns):
        return
    if not registrar.is_known(office, sender):
        registrar.founder_acked(node, office, sender, message, now_ns)
        return
    before = office.book.accounts.get(sender)
    was_absent = sender in office.absent
    office = broker.acked(office, sender, boot, message, now_ns, node.timing)
    node.office = office
    after = office.book.accounts.get(sender)
    if after is not None:
        node.urgent |= was_absent or _asks_for_a_round(office, before, after, now_ns)
    registrar.caught_up(node, sender, message, now_ns)
    lapsed(node, now_ns)


def due(node: State, now_ns: int) -> None:
    """Send the heartbeat and clear the market when their times have come."""
    office = node.office
    if office is None:
        return
    if now_ns >= office.heartbeat_ns:
        _beat(node, office, now_ns)
    office = node.office
    if office is not None and now_ns >= broker.round_due_ns(office, urgent=node.urgent):
        registrar.amend(node, now_ns)
        _clear(node, now_ns)


def next_deadline_ns(node: State, now_ns: int) -> int | None:
    """When `due` or `lapsed` next has something to do."""
    office = node.office
    if office is None:
        return None
    times = [office.heartbeat_ns, broker.round_due_ns(office, urgent=node.urgent)]
    if office.agreement.is_founding:
        return min(*times, office.since_ns + FOUNDING_NS)
    until_ns = node.authority_until_ns(now_ns, own_vote=False)
    if office.book.first_majority_ns is None:
        times.append(_patience_ns(node, office))
    elif until_ns > now_ns:
        times.append(until_ns)
    return min(times)


def preempted(node: State, now_ns: int) -> None:
    """Pass the office to a steady node of higher rank: resign, and it is elected at once.

    Not before the own book is whole: a successor of one who still waits would wait anew.
    """
    office = node.office
    if office is None or not node.timing.preempt or not office.book.opened:
        return
    if now_ns - office.since_ns < node.timing.preempt_after_ns:
        return  # whoever outranks this node has just had the chance to be elected
    for peer in node.live(now_ns):
        line = office.agreement.base.line(peer.node)
        if line is None or Rank(line.priority, line.node) <= node.rank:
            continue
        is_steady = now_ns - peer.steady_ns >= node.timing.preempt_after_ns
        if is_steady and peer.followed == office.pair and peer.node in office.book.accounts:
            resign(node, now_ns, f"resigns in favour of {peer.name}")
            return


def resign(node: State, now_ns: int, cause: str) -> None:
    """Stop granting, pass the book on, and let the rack elect at once.

    The office is left before the word leaves: what the table counts is all that will ever have been
    granted under this pair. It is whole only if this broker's own book is: past the waits of P6.
    """
    office = node.office
    assert office is not None, "only a broker resigns"
    table = book.table(office.book, now_ns)
    is_whole = office.book.opened and len(table) <= NODES_MAX
    word = Resign(office.pair, is_whole, table[:NODES_MAX])
    candidate.leave_office(node, now_ns, cause)
    node.resigned = (word, now_ns)
    node.multicast(word)


def hand_over(node: State, now_ns: int) -> None:
    """Let another lead, as the operator wishes: the highest rank beside this one."""
    if node.office is None:
        node.note("nothing to hand over: this node is not the broker")
        return
    node.aside_until_ns = now_ns + ASIDE_NS
    resign(node, now_ns, "hands the office over")


def apply(node: State, price: Price, now_ns: int) -> None:
    """Act on a price of the followed broker: the price for all, the allotment for this node."""
    pair = price.pair
    if pair != node.followed:
        return
    node.last_price = price
    node.agent, actions = agents.priced(node.agent, price, now_ns)
    node.out.extend(actions)
    if not node.may_vote(now_ns):
        return  # the quiet time: a grant taken now could stand beside one that is forgotten
    for allotment in price.allotments:
        if allotment.node == node.me and allotment.boot == node.boot:
            node.agent = agents.allotted(
                node.agent, pair, price.round, allotment, node.timing.grant_ns, now_ns
            )


def _beat(node: State, office: Office, now_ns: int) -> None:
    timing = node.timing
    for silent in broker.silent(office, node.me, now_ns, timing):
        silent_ms = broker.silence_ns(office, silent, now_ns) // MS_NS
        node.multicast(Remove(office.pair, silent, silent_ms, "no ack"))
        office = replace(office, absent=office.absent | {silent})
        node.urgent = True
    office, heartbeat = broker.beat(office, now_ns, timing)
    node.office = office
    if not heartbeat.founding:
        node.led(now_ns)
    node.multicast(heartbeat)


def _patience_ns(node: State, office: Office) -> int:
    """When a broker gives up that never had a majority; founding has a patience of its own."""
    return max(office.since_ns, office.founded_ns) + 2 * node.timing.authority_ns


def _clear(node: State, now_ns: int) -> None:
    office = node.office
    assert office is not None, "only a broker clears"
    node.urgent = False
    if office.agreement.is_founding:
        due_ns = now_ns + node.timing.heartbeat_ns
        node.office = replace(office, rounded_ns=now_ns, round_ns=due_ns)
        return
    report = node.report(now_ns)
    office = broker.own_report(office, node.me, node.boot, report, now_ns, node.timing)
    node.office = office
    grants = node.has_authority(now_ns) and office.book.first_majority_ns is not None
    office, judgements, looks = broker.judged(office, now_ns, node.timing)
    node.out.extend(_told(office, said) for said in judgements)
    office, prices, round_ = broker.cleared(office, node.settings, now_ns, may_grant=grants)
    node.office = office
    first = prices[0]
    for price in prices:
        node.multicast(price)
    valid_ns = first.valid_for_ms * MS_NS
    node.out.append(PriceSent(office.pair, first.round, first.price_uc, valid_ns))
    node.out.append(replace(round_, at_ns=now_ns, looks=looks))
    for price in prices:
        apply(node, price, now_ns)
    if first.floors_mw > first.capacity_mw:
        node.note(
            f"overcommitted: floors of {first.floors_mw / 1000:.1f} W"
            f" on a feed of {first.capacity_mw / 1000:.1f} W; no flexible load gets power"
        )


def _told(office: Office, said: Judgement) -> NodeJudged:
    line, record = office.agreement.base.line(said.node), said.record
    return NodeJudged(
        pair=office.pair,
        node=said.node,
        name=line.name if line else f"{said.node:016x}",
        window=said.window,
        lies=record.lies,
        share_permille=record.share_permille,
        is_flagged=record.is_flagged,
        is_news=said.is_news,
    )


def _first_majority(node: State, office: Office, now_ns: int) -> None:
    """Note the moment that P6 counts from, or open the book that was handed over."""
    entry = book.majority_reached(office.book, now_ns)
    if node.resigned is not None:
        word, received_ns = node.resigned
        if word.is_whole and _follows_directly(node, office, word, now_ns):
            entry = book.handed_over(entry, word.table, received_ns, node.timing)
    node.office = replace(office, book=entry)
    node.urgent = True


def _follows_directly(node: State, office: Office, word: Resign, now_ns: int) -> bool:
    """Whether a majority left the resigned broker for this one: then nobody led in between."""
    pair = word.pair
    nodes = {who for who, left in office.left.items() if left == pair}
    if node.left_for_sure(now_ns) == pair:
        nodes.add(node.me)
    return all(roster.is_backed(nodes) for roster in office.agreement.authorities)


def _asks_for_a_round(office: Office, before: Account | None, after: Account, now_ns: int) -> bool:
    """Whether a report changes something that should not wait for the next regular clearing."""
    if before is None:
        return True
    old, new = before.report, after.report
    if (old.capacity_mw, old.limit, old.offers) != (new.capacity_mw, new.limit, new.offers):
        return True
    if [s.worth_uc for s in old.steps] != [s.worth_uc for s in new.steps]:
        return True
    if new.excess_mw > old.excess_mw or new.holding_mw > before.running_mw(now_ns):
        return True
    return office.wanting and after.counted_mw(now_ns) < before.counted_mw(now_ns)
