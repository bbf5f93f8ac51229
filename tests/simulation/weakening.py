"""Single rules of the core taken away: each of these is wrong in one way, and the swarm must see it.

A weakening changes one rule of the core (or of the firmware) and nothing of the checkers. It is a
function that patches; its docstring says which promise it breaks, and how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from rackgrid.core import agent as agents
from rackgrid.core import agreement as agreements
from rackgrid.core import authority as authorities
from rackgrid.core import book as books
from rackgrid.core import broker, candidate, grant, holding, incumbent, registrar
from rackgrid.core.agent import Agent
from rackgrid.core.agreement import Agreement
from rackgrid.core.authority import Authority
from rackgrid.core.book import Book
from rackgrid.core.broker import Office
from rackgrid.core.grant import Account, Grant
from rackgrid.core.roster import Roster
from rackgrid.core.settings import SECOND_NS, Timing
from rackgrid.core.state import State
from rackgrid.identity import BootId, NodeId, Pair, Stamp
from rackgrid.wire.message import Allotment, Price, Report, Resign
from rackgrid_firmware import guard

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


def grant_of_any_boot(patch: Patch) -> None:
    """P2: a grant for a dead boot's bid is taken by its heir, if the numbers happen to fit."""
    act = incumbent.apply

    def apply(node: State, price: Price, now_ns: int) -> None:
        mine = tuple(
            replace(a, boot=node.boot) if a.node == node.me else a for a in price.allotments
        )
        act(node, replace(price, allotments=mine), now_ns)

    patch.setattr(incumbent, "apply", apply)


def any_round_is_taken(patch: Patch) -> None:
    """P2: an older round that comes late is taken like a newer one."""
    take = agents.allotted

    def allotted(
        agent: Agent, pair: Pair, round_: int, allotment: Allotment, grant_ns: int, now_ns: int
    ) -> Agent:
        return take(
            replace(agent, taken=(pair, -1), taken_bid=0), pair, round_, allotment, grant_ns, now_ns
        )

    patch.setattr(agents, "allotted", allotted)


def lowered_before_the_outputs(patch: Patch) -> None:
    """P2: a node reports a lower holding as soon as it has decided, its contacts still closed."""

    def switched_mw(*_: object) -> int:
        return 0

    patch.setattr(holding, "switched_mw", switched_mw)


def firmware_keeps_no_deadline(patch: Patch) -> None:
    """P2: the firmware leaves a load on until somebody says otherwise."""

    def expire(turn: guard._Turn) -> None:
        for at, output in enumerate(turn._outputs):
            turn._outputs[at] = replace(output, deadline_ns=0)

    patch.setattr(guard._Turn, "expire", expire)


# --- P3 -------------------------------------------------------------------------------------------


def silence_frees(patch: Patch) -> None:
    """P3: who was REMOVEd holds nothing."""
    count = Account.counted_mw

    def counted_mw(self: Account, now_ns: int) -> int:
        return count(self, now_ns) if now_ns - self.bid_received_ns <= SECOND_NS else 0

    patch.setattr(Account, "counted_mw", counted_mw)


def issued_is_not_counted(patch: Patch) -> None:
    """P3: only what nodes report is counted, not what is on its way to them."""

    def issued(account: Account, _round: int, _power_mw: int, _timing: Timing) -> Account:
        return account

    patch.setattr(broker, "issued", issued)


def no_margin(patch: Patch) -> None:
    """P3: a firmware that hangs is not waited for."""
    make = Timing.__init__

    def init(self: Timing, *args: object, **fields: object) -> None:
        make(self, *args, **{**fields, "margin_ns": 0})  # type: ignore[arg-type]

    patch.setattr(Timing, "__init__", init)


def dead_boot_is_forgotten(patch: Patch) -> None:
    """P3: a new boot's first report takes the place of all that the old one may hold."""

    def none(_account: Account, _now_ns: int) -> tuple[grant.Claim, ...]:
        return ()

    patch.setattr(grant, "_with_dead_boot", none)


def late_report_counts(patch: Patch) -> None:
    """P3: an older bid that comes late takes the place of a newer one."""
    take = grant.reported

    def reported(
        account: Account, boot: BootId, report: Report, now_ns: int, timing: Timing
    ) -> Account:
        return take(replace(account, bid_seq=-1), boot, report, now_ns, timing)

    patch.setattr(grant, "reported", reported)


# --- P4 -------------------------------------------------------------------------------------------


def authority_from_receipt(patch: Patch) -> None:
    """P4: an ack counts from when it came, not from when the heartbeat it answers was sent."""
    lapsed = incumbent.lapsed
    clock = [0]

    def ticking(node: State, now_ns: int) -> None:
        clock[0] = now_ns
        lapsed(node, now_ns)

    def acked(authority: Authority, node: NodeId, seq: int) -> Authority:
        if seq not in authority.sent:
            return authority
        return replace(authority, acked={**authority.acked, node: clock[0]})

    patch.setattr(incumbent, "lapsed", ticking)
    patch.setattr(authorities, "acked", acked)


def authority_never_lapses(patch: Patch) -> None:
    """P4: once a broker, always a broker, until somebody says otherwise."""

    def until_ns(self: State, now_ns: int, *, own_vote: bool = True) -> int:
        assert self.office is not None, "only a broker has authority"
        founding = self.office.agreement.is_founding
        return -1 if founding else now_ns + SECOND_NS * (1 if own_vote else 2)

    patch.setattr(State, "authority_until_ns", until_ns)


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

    patch.setattr(Roster, "is_backed", lambda _self, nodes: len(nodes) >= 2)
    patch.setattr(authorities, "until_ns", until_ns)


def authority_is_regained(patch: Patch) -> None:
    """P4: a broker whose authority lapsed goes on under the same pair when acks come again."""
    leave = candidate.leave_office

    def leave_office(node: State, now_ns: int, cause: str) -> None:
        if cause != "no majority answers":
            leave(node, now_ns, cause)

    patch.setattr(candidate, "leave_office", leave_office)


# --- P5 -------------------------------------------------------------------------------------------


def no_fence(patch: Patch) -> None:
    """P5: a node acks and takes grants from whoever speaks, also from a broker that it has left."""

    def is_stale(node: State, pair: Pair, _sender: NodeId) -> bool:
        node.term_seen = max(node.term_seen, pair.term)
        return False

    patch.setattr(candidate, "is_stale", is_stale)


def no_quiet_time(patch: Patch) -> None:
    """P5: a node that remembers nothing votes and takes grants at once."""
    patch.setattr(Timing, "quiet_ns", property(lambda _self: 0))


def quiet_time_of_t(patch: Patch) -> None:
    """P5: a node that remembers nothing is quiet for T only, not for 2T."""
    patch.setattr(Timing, "quiet_ns", property(lambda self: self.stretched(self.authority_ns)))


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


def renewed_without_rest(patch: Patch) -> None:
    """P6: a reported holding is renewed though it may have ended before the old authority did."""

    def limit_mw(book: Book, node: NodeId, _timing: Timing) -> int | None:
        first = book.inherited.get(node)
        return None if book.opened else first.power_mw if first else 0

    patch.setattr(books, "limit_mw", limit_mw)


def waits_for_authority_only(patch: Patch) -> None:
    """P6: a new broker waits until the old authority is over, and not for its grants."""

    def opens_ns(book: Book, timing: Timing) -> int | None:
        if book.first_majority_ns is None:
            return None
        return book.first_majority_ns + timing.stretched(timing.authority_ns)

    patch.setattr(books, "opens_ns", opens_ns)


def handover_without_a_look(patch: Patch) -> None:
    """Handover: any resigned broker's table opens the book, whoever led since."""

    def follows_directly(_node: State, _office: Office, _word: Resign) -> bool:
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


# --- P7 -------------------------------------------------------------------------------------------


def change_counts_at_once(patch: Patch) -> None:
    """P7: a change of the roster is in force when its broker announces it."""
    announce = agreements.proposed

    def proposed(agreement: Agreement, roster: Roster) -> Agreement:
        if roster.founding:
            return announce(agreement, roster)
        return replace(
            agreement,
            base=roster,
            proposed=None,
            agreed_version=max(1, roster.version),
            reserved=roster,
        )

    patch.setattr(agreements, "proposed", proposed)


def only_the_new_majority(patch: Patch) -> None:
    """P7: while a change is on its way the old roster has no say any more."""

    def authorities_of(self: Agreement) -> tuple[Roster, ...]:
        return () if self.is_founding else (self.newest,)

    patch.setattr(Agreement, "authorities", property(authorities_of))


def not_agreed_under_its_own_pair(patch: Patch) -> None:
    """P7: a new broker changes the roster at once, without having the old one agreed first."""
    begin = agreements.begun

    def begun(roster: Roster) -> Agreement:
        agreed = 0 if roster.founding else roster.version
        return replace(begin(roster), agreed_version=agreed)

    patch.setattr(agreements, "begun", begun)


def newer_roster_is_ignored(patch: Patch) -> None:
    """P7: nobody minds that a broker, or one who would be, has missed a change."""

    def is_newer(_self: Agreement, _stamp: Stamp, _mine: Pair) -> bool:
        return False

    patch.setattr(Agreement, "is_newer", is_newer)
    called = candidate.called

    def answer(node: State, sender: NodeId, message: object, now_ns: int) -> None:
        mine = node.roster
        node.roster = replace(mine, stamp=Stamp(mine.stamp.pair, 0)) if mine.lines else mine
        node.roster = replace(node.roster, stamp=min(mine.stamp, message.roster.stamp()))  # type: ignore[attr-defined]
        called(node, sender, message, now_ns)  # type: ignore[arg-type]
        if node.roster.lines is mine.lines:
            node.roster = mine

    patch.setattr(candidate, "called", answer)


def lost_roster_votes(patch: Patch) -> None:
    """P7: a node that has lost its roster votes like any other."""

    def votes(self: State, now_ns: int, *, founding: bool) -> bool:
        return self.may_vote(now_ns) or (founding and False)

    patch.setattr(State, "votes", votes)


# --- P8 -------------------------------------------------------------------------------------------


def excess_is_ignored(patch: Patch) -> None:
    """P8: what a load draws beyond what it may is nobody's matter."""

    def reserved_mw(office: Office) -> int:
        return office.agreement.reserved.floors_mw

    patch.setattr(broker, "reserved_mw", reserved_mw)
