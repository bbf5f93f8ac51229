"""Single rules of the core taken away: each is wrong in one way, and the simulation must see it.

A weakening changes one rule of the core (or of the firmware) and nothing of the checkers. It is a
function that patches; its docstring says which promise it breaks, and how.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from dataclasses import replace

import pytest

from rackgrid.core import agent as agents
from rackgrid.core import authority as authorities
from rackgrid.core import book as books
from rackgrid.core import broker, candidate, grant, holding, incumbent
from rackgrid.core.agent import Agent
from rackgrid.core.authority import Authority
from rackgrid.core.book import Book, Choice
from rackgrid.core.grant import Account
from rackgrid.core.office import Office
from rackgrid.core.roster import Roster
from rackgrid.core.settings import SECOND_NS, Timing
from rackgrid.core.state import State
from rackgrid.identity import NO_PAIR, BootId, NodeId, Pair
from rackgrid.wire.message import (
    Ack,
    Allotment,
    Price,
    Report,
    Resign,
    StepReport,
)
from rackgrid_firmware import guard_turn

Patch = pytest.MonkeyPatch
Weaken = Callable[[Patch], None]

# --- P1 -------------------------------------------------------------------------------------------


def silence_releases_a_floor(patch: Patch) -> None:
    """P1: a node that has not been heard for a second draws nothing."""

    def reserved_mw(office: Office) -> int:
        gone = office.absent
        lines = office.agreement.reserved.lines
        return sum(line.floor_mw for line in lines if line.node not in gone)

    patch.setattr(broker, "reserved_mw", reserved_mw)


# --- P2 -------------------------------------------------------------------------------------------


def grant_from_receipt(patch: Patch) -> None:
    """P2: a grant lives from its receipt, not from the sending of the bid that it answers."""
    take = agents.allotted

    def allotted(
        agent: Agent, pair: Pair, round_: int, allotment: Allotment, grant_ns: int, now_ns: int
    ) -> Agent:
        bids = tuple(replace(bid, sent_ns=now_ns) for bid in agent.bids)
        late = take(replace(agent, bids=bids), pair, round_, allotment, grant_ns, now_ns)
        return replace(late, bids=agent.bids)

    patch.setattr(agents, "allotted", allotted)


def any_round_is_taken(patch: Patch) -> None:
    """P2: an older round that comes late is taken like a newer one."""
    take = agents.allotted

    def allotted(
        agent: Agent, pair: Pair, round_: int, allotment: Allotment, grant_ns: int, now_ns: int
    ) -> Agent:
        return take(
            replace(agent, taken=(NO_PAIR, 0), taken_bid=0),
            pair,
            round_,
            allotment,
            grant_ns,
            now_ns,
        )

    patch.setattr(agents, "allotted", allotted)


def lowered_before_the_outputs(patch: Patch) -> None:
    """P2: a node reports a lower holding as soon as it has decided, its contacts still closed."""

    def switched_mw(*_: object) -> int:
        return 0

    patch.setattr(holding, "switched_mw", switched_mw)


def firmware_keeps_no_deadline(patch: Patch) -> None:
    """P2: the firmware leaves a load on until somebody says otherwise."""

    def expire(turn: guard_turn.Turn) -> None:
        for at, output in enumerate(turn._outputs):
            turn._outputs[at] = replace(output, deadline_ns=0)

    patch.setattr(guard_turn.Turn, "expire", expire)


def any_boot_is_meant(patch: Patch) -> None:
    """P2: a grant names no boot: one that answers a dead process's bid is taken by the next."""
    apply = incumbent.apply

    def applied(node: State, price: Price, now_ns: int) -> None:
        mine = tuple(replace(a, boot=node.boot) for a in price.allotments if a.node == node.me)
        apply(node, replace(price, allotments=mine), now_ns)

    patch.setattr(incumbent, "apply", applied)


# --- P3 -------------------------------------------------------------------------------------------


def silence_frees(patch: Patch) -> None:
    """P3: who was REMOVEd holds nothing."""
    count, expect = Account.counted_mw, Account.copper_mw

    def counted_mw(self: Account, now_ns: int) -> int:
        return count(self, now_ns) if now_ns - self.bid_received_ns <= SECOND_NS else 0

    def copper_mw(self: Account, now_ns: int) -> int:
        return expect(self, now_ns) if now_ns - self.bid_received_ns <= SECOND_NS else 0

    patch.setattr(Account, "counted_mw", counted_mw)
    patch.setattr(Account, "copper_mw", copper_mw)


def issued_is_not_counted(patch: Patch) -> None:
    """P3: only what nodes report is counted, not what is on its way to them."""

    count = broker.issued

    def issued(account: Account, round_: int, _power_mw: int, timing: Timing) -> Account:
        return count(account, round_, 0, timing)

    patch.setattr(broker, "issued", issued)


def no_margin(patch: Patch) -> None:
    """P3: a firmware that hangs is not waited for."""
    make = Timing.__init__

    def init(self: Timing, *args: object, **fields: object) -> None:
        make(self, *args, **{**fields, "margin_ns": 0})  # type: ignore[arg-type]

    patch.setattr(Timing, "__init__", init)


def stale_report_is_a_title(patch: Patch) -> None:
    """P3: whatever a node reports may be granted again, though it may have ended long ago."""
    patch.setattr(Account, "renewable_mw", Account.running_mw)


def late_report_counts(patch: Patch) -> None:
    """P3: an older bid that comes late takes the place of a newer one."""
    take = grant.reported

    def reported(
        account: Account, boot: BootId, report: Report, sent_ns: int, now_ns: int, timing: Timing
    ) -> Account:
        return take(replace(account, bid_seq=-1), boot, report, sent_ns, now_ns, timing)

    patch.setattr(grant, "reported", reported)


# --- P4 -------------------------------------------------------------------------------------------


def authority_never_lapses(patch: Patch) -> None:
    """P4: once a broker, always a broker, until somebody says otherwise."""

    def until_ns(self: State, now_ns: int, *, own_vote: bool = True) -> int:
        assert self.office is not None, "only a broker has authority"
        founding = self.office.agreement.is_founding
        return -1 if founding else now_ns + SECOND_NS * (1 if own_vote else 2)

    patch.setattr(State, "authority_until_ns", until_ns)


def authority_from_receipt(patch: Patch) -> None:
    """P4: an ack counts from its receipt, not from the sending of the heartbeat it answers."""
    take = broker.acked

    def acked(
        office: Office, node: NodeId, boot: BootId, ack: Ack, now_ns: int, timing: Timing
    ) -> Office:
        sent = office.authority.sent
        if ack.seq not in sent:
            return office
        marks = replace(office.authority, sent={**sent, ack.seq: now_ns})
        office = take(replace(office, authority=marks), node, boot, ack, now_ns, timing)
        return replace(office, authority=replace(office.authority, sent=sent))

    patch.setattr(broker, "acked", acked)


def authority_is_regained(patch: Patch) -> None:
    """P4: a broker whose authority has lapsed waits for acks, and goes on under the same pair."""
    lapse = incumbent.lapsed

    def lapsed(node: State, now_ns: int) -> None:
        office = node.office
        if office is None or office.book.first_majority_ns is None:
            lapse(node, now_ns)

    patch.setattr(incumbent, "lapsed", lapsed)


def majority_of_the_heard(patch: Patch) -> None:
    """P4: half a rack may lead itself."""

    def until_ns(
        authority: Authority,
        rosters: tuple[Roster, ...],
        me: NodeId,
        own_vote_ns: int,
        authority_ns: int,
    ) -> int:
        newest = max(authority.acked.values(), default=own_vote_ns)
        heard = {who for who, at_ns in authority.acked.items() if newest - at_ns < SECOND_NS}
        votes = sorted((authority.acked[who] for who in heard), reverse=True)
        votes.insert(0, own_vote_ns)
        return votes[len(votes) // 2] + authority_ns if rosters else -1

    def is_backed(_self: Roster, nodes: Sized) -> bool:
        return len(nodes) >= 2

    patch.setattr(Roster, "is_backed", is_backed)
    patch.setattr(authorities, "until_ns", until_ns)


# --- P5 -------------------------------------------------------------------------------------------


def no_fence(patch: Patch) -> None:
    """P5: a node acks and takes grants from whoever speaks, also from a broker that it has left."""

    def is_stale(node: State, pair: Pair, _sender: NodeId) -> bool:
        node.term_seen = max(node.term_seen, pair.term)
        return False

    patch.setattr(candidate, "is_stale", is_stale)


def no_quiet_time(patch: Patch) -> None:
    """P5: a node that has forgotten which pair it acked votes and takes grants at once."""
    patch.setattr(Timing, "quiet_ns", property(lambda _timing: 0))


def half_the_quiet_time(patch: Patch) -> None:
    """P5: the quiet time is as long as authority lasts, and not twice as long."""

    def quiet_ns(timing: Timing) -> int:
        return timing.stretched(timing.authority_ns)

    patch.setattr(Timing, "quiet_ns", property(quiet_ns))


# --- P6 -------------------------------------------------------------------------------------------


def book_opens_at_once(patch: Patch) -> None:
    """P6: a new broker takes what it has heard so far for all that there is."""

    def settled(book: Book, _nodes: frozenset[NodeId], _now_ns: int, _timing: Timing) -> Book:
        return replace(book, opened=True)

    patch.setattr(books, "settled", settled)


def anything_is_inherited(patch: Patch) -> None:
    """P6: before its waits are over a broker raises like any other."""

    def limit_mw(_book: Book, _node: NodeId, _timing: Timing) -> int | None:
        return None

    patch.setattr(books, "limit_mw", limit_mw)


def what_is_held_may_be_started(patch: Patch) -> None:
    """P6: before its waits are over a broker lets a node start what it says that it holds."""
    choose = books.choose

    def chosen(
        steps: tuple[StepReport, ...], wanted: int, held_mw: int, room_mw: int, limit: int | None
    ) -> Choice:
        running = tuple(replace(step, running=True) for step in steps)
        return choose(steps if limit is None else running, wanted, held_mw, room_mw, limit)

    patch.setattr(books, "choose", chosen)


def waits_for_authority_only(patch: Patch) -> None:
    """P6: a new broker waits until the old authority is over, and not for its grants."""

    def opens_ns(book: Book, timing: Timing) -> int | None:
        if book.first_majority_ns is None:
            return None
        return book.first_majority_ns + timing.stretched(timing.authority_ns)

    patch.setattr(books, "opens_ns", opens_ns)


def whatever_is_held_is_renewed(patch: Patch) -> None:
    """P6: a holding is renewed though it ended before the predecessor's authority did."""

    def lasts(book: Book, node: NodeId, _until_ns: int) -> bool:
        return node in book.inherited

    patch.setattr(books, "_lasts", lasts)


def handover_without_a_look(patch: Patch) -> None:
    """Handover: any resigned broker's table opens the book, whoever led since."""

    def follows_directly(_node: State, _office: Office, _word: Resign, _now_ns: int) -> bool:
        return True

    patch.setattr(incumbent, "_follows_directly", follows_directly)


def handover_of_a_closed_book(patch: Patch) -> None:
    """Handover: a broker that is itself still waiting hands its book on as if it were whole."""
    write = incumbent.resign

    def resign(node: State, now_ns: int, cause: str) -> None:
        if node.office is not None:
            book = replace(node.office.book, opened=True)
            node.office = replace(node.office, book=book)
        write(node, now_ns, cause)

    patch.setattr(incumbent, "resign", resign)


# --- P8 -------------------------------------------------------------------------------------------


def excess_is_ignored(patch: Patch) -> None:
    """P8: what a load draws beyond what it may is nobody's matter."""

    def reserved_mw(office: Office) -> int:
        return office.agreement.reserved.floors_mw

    patch.setattr(broker, "reserved_mw", reserved_mw)
