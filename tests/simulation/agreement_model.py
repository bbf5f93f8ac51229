"""A small model of P7: brokers, disks and a network that does as it likes, on the product's rules.

No time passes. A node that has acked a higher pair acks no lower one (P5), so its vote is with one
broker at a time: that is what leases and the quiet time are for, and they have tests of their own.
What is left is the order of things: who is elected by whom, what lies on which disk when, which ack
arrives, and which roster is agreed by that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rackgrid.core import agreement as agreements
from rackgrid.core.agreement import Agreement
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.identity import NO_PAIR, NO_RACK, BootId, NodeId, Pair, RackId, Stamp, Term
from rackgrid.wire.message import RosterLine

MEMBERS, EVERYBODY = 5, 7
"""So many found a rack; the others may come later."""
FOUNDER = Pair(Term(1), NodeId(1), BootId(1))


def line(number: int, votes: int) -> RosterLine:
    """A member that reserves so many milliwatts as its number says."""
    return RosterLine(NodeId(number), f"n{number}", number, number, number, votes)


FIRST = Roster(
    RackId(1), Stamp(FOUNDER, 1), False, tuple(line(n, int(n < 4)) for n in range(1, MEMBERS + 1))
)


class BrokenError(Exception):
    """P7 does not hold."""


@dataclass
class Peer:
    """A node: what it knows, and what its disk knows.

    Attributes:
        writing: on their way to the disk, in this order.
        lost: its disk was lost, and no roster that was agreed without it has come since.
    """

    number: int
    roster: Roster
    disk: Roster
    lost: bool
    fence: Pair = NO_PAIR
    writing: list[Roster] = field(default_factory=list[Roster])

    @property
    def id(self) -> NodeId:
        return NodeId(self.number)


@dataclass
class Reign:
    """A broker in its term; `began` is the roster that it was elected with."""

    pair: Pair
    peer: Peer
    began: Stamp
    agreement: Agreement
    acked: set[NodeId] = field(default_factory=set[NodeId])
    in_office: bool = True


@dataclass(frozen=True)
class Said:
    """An ack on its way."""

    reign: Reign
    sender: NodeId
    votes: bool
    stamp: Stamp


class Model:
    """The rack. `without` names rules that are left out, to see that each is needed."""

    def __init__(self, *without: str, founded: bool = True) -> None:
        self.without = frozenset(without)
        known = MEMBERS if founded else 0
        self.peers = [Peer(n, FIRST, FIRST, lost=False) for n in range(1, known + 1)]
        self.peers += [
            Peer(n, NO_ROSTER, NO_ROSTER, lost=True) for n in range(known + 1, EVERYBODY + 1)
        ]
        self.reigns: list[Reign] = []
        self.flying: list[Said] = []
        self.updates: list[tuple[Roster, int]] = []
        self.parents: dict[Stamp, Stamp] = {}
        self.agreed: list[Roster] = [FIRST] if founded else []

    # --- what can happen -------------------------------------------------------------------------

    def stand(self, who: int, asked: int) -> None:
        """A node stands, and of those it reaches all support it that may."""
        peer = self._peer(who)
        mine, founds = peer.roster, peer.roster.founding or peer.roster.rack == NO_RACK
        if not self._votes(peer, founding=founds) or not self._may_lead(peer, asked):
            return
        terms = (peer.fence.term, mine.stamp.pair.term, *(r.pair.term for r in self.reigns))
        term = max(terms) + 1
        pair = Pair(Term(term), peer.id, BootId(10 * term + peer.number))
        knows = [p for p in self._some(asked) if p.roster.stamp <= mine.stamp]
        if "older rosters are not supported" in self.without:
            knows = self._some(asked)
        free = {p.id for p in knows if self._votes(p, founding=founds) and p.fence < pair}
        if not _is_backed(mine, free | {peer.id}):
            return
        self._ends(peer)
        peer.fence = pair
        held = agreements.begun(mine)
        if "a new broker recommits" in self.without:
            held = replace(held, agreed_version=mine.version)
        self.reigns.append(Reign(pair, peer, mine.stamp, held))

    def beat(self, which: int, hearers: int, delivered: int) -> None:
        """A broker is heard by some; of their acks some arrive now, and others later or never."""
        reign = self._reign(which)
        if reign is None:
            return
        for peer in self._some(hearers):
            if peer is reign.peer or peer.fence > reign.pair:
                continue
            self._ends(peer)
            peer.fence = reign.pair
            self._learn(peer, reign.pair, reign.agreement.agreed_version)
            stamp = peer.roster.stamp
            if "an ack tells what is on the disk" in self.without and peer.writing:
                stamp = peer.writing[-1].stamp
            votes = self._votes(peer, founding=reign.agreement.is_founding)
            said = Said(reign, peer.id, votes, stamp)
            if delivered >> peer.number & 1:
                self._arrives(said)
            else:
                self.flying.append(said)

    def arrive(self, which: int) -> None:
        """An ack arrives late; perhaps not for the last time."""
        if self.flying:
            self._arrives(self.flying[which % len(self.flying)])

    def amend(self, which: int, change: int) -> None:
        """A broker begins the next change, or has its roster agreed first, or founds the rack."""
        reign = self._reign(which)
        if reign is None or reign.agreement.proposed is not None:
            return
        new = self._next(reign, change)
        if new is None or not new.votes:
            return
        base = reign.agreement.base
        new = new.under(reign.pair)
        if new.stamp <= base.stamp:
            return
        if base.lines:
            self.parents[new.stamp] = base.stamp
        reign.agreement = agreements.proposed(reign.agreement, new)
        reign.peer.writing.append(new)
        self.updates.append((new, reign.agreement.agreed_version))

    def tell(self, which: int, hearers: int) -> None:
        """An announcement, of now or of long ago, reaches some."""
        if not self.updates:
            return
        roster, agreed = self.updates[-1 - which % len(self.updates)]
        for peer in self._some(hearers):
            bound = peer.fence == roster.stamp.pair
            if "stored only after an ack" in self.without:
                bound = peer.fence <= roster.stamp.pair
            if not bound or (roster.line(peer.id) is None and peer.roster.rack == NO_RACK):
                continue
            self._learn(peer, roster.stamp.pair, agreed)
            newest = peer.writing[-1] if peer.writing else peer.roster
            if roster.stamp > newest.stamp and peer.id != roster.stamp.pair.node:
                peer.writing.append(roster)

    def write(self, whose: int) -> None:
        """Some disks have written what was first in their row."""
        for peer in self._some(whose):
            if not peer.writing:
                continue
            peer.disk = peer.writing.pop(0)
            if peer.writing:
                continue  # a newer one is on its way behind it
            peer.lost = peer.lost and not peer.disk.proves(peer.roster)
            peer.roster = peer.disk
            for reign in self.reigns:
                mine = reign.in_office and reign.peer is peer
                votes = self._votes(peer, founding=reign.agreement.is_founding)
                if mine and votes and peer.roster.stamp.pair == reign.pair:
                    self._stored(reign, peer.id, peer.roster.version)

    def crash(self, who: int) -> None:
        """A process dies, and starts with what its disk has; its pair is remembered."""
        peer = self._peer(who)
        self._ends(peer)
        peer.writing.clear()
        peer.roster = peer.disk
        peer.lost = peer.roster.rack == NO_RACK

    def lose(self, who: int) -> None:
        """A disk is lost, and the process with it; not the last that knows of the rack."""
        if sum(peer.disk.rack != NO_RACK for peer in self.peers) > 1:
            self._peer(who).disk = NO_ROSTER
            self.crash(who)

    # --- what must hold --------------------------------------------------------------------------

    def leads(self, reign: Reign) -> bool:
        """Whether this broker has authority: majorities that are with it and with nobody else."""
        with_it = {p.id for p in self.peers if p.fence == reign.pair and p.id in reign.acked}
        if self._votes(reign.peer):
            with_it.add(reign.peer.id)
        rosters = reign.agreement.authorities
        return reign.in_office and bool(rosters) and all(r.is_backed(with_it) for r in rosters)

    def check(self) -> None:
        """One leads at most, of one rack, and it has not forgotten what was agreed before it."""
        leading = [reign for reign in self.reigns if self.leads(reign)]
        if len(leading) > 1:
            raise BrokenError(f"two lead: {', '.join(str(r.pair) for r in leading)}")
        for reign in leading:
            line_of = set(self._line_of(reign.agreement.base.stamp))
            for stamp in (roster.stamp for roster in self.agreed):
                if stamp.pair < reign.pair and stamp not in line_of:
                    raise BrokenError(f"{reign.pair} leads and does not know of {stamp}")
        if len({roster.rack for roster in self.agreed}) > 1:
            raise BrokenError("two racks are founded on one feed")

    # --- how -------------------------------------------------------------------------------------

    def _arrives(self, said: Said) -> None:
        reign, held = said.reign, said.reign.agreement
        if not reign.in_office:
            return
        ends = "who knows more ends the office" not in self.without
        if ends and held.is_newer(said.stamp, reign.pair):
            reign.in_office = False
            return
        if not said.votes or (held.reserved.lines and held.reserved.line(said.sender) is None):
            return
        reign.acked.add(said.sender)
        if said.stamp.pair == reign.pair:
            self._stored(reign, said.sender, said.stamp.version)

    def _stored(self, reign: Reign, who: NodeId, version: int) -> None:
        before = reign.agreement.agreed_version
        reign.agreement = agreements.stored(reign.agreement, who, version)
        if reign.agreement.agreed_version != before:
            self.agreed.append(reign.agreement.base)
            reign.peer.lost = False

    def _votes(self, peer: Peer, *, founding: bool = False) -> bool:
        if not peer.lost or "the lost have no vote" in self.without:
            return True
        return peer.roster.founding or (founding and peer.roster.rack == NO_RACK)

    def _may_lead(self, peer: Peer, heard: int) -> bool:
        if peer.roster.rack != NO_RACK:
            return peer.roster.line(peer.id) is not None
        others = [p for p in self._some(heard) if p is not peer]
        alike = all(p.roster.rack == NO_RACK for p in others)
        return peer.number <= MEMBERS and alike and len(others) + 1 >= MEMBERS

    def _next(self, reign: Reign, change: int) -> Roster | None:
        base, mine = reign.agreement.base, reign.peer.roster
        if reign.agreement.is_founding:
            lines = base.lines or FIRST.lines
            there = {reign.peer.id, *reign.acked}
            if "a founding needs all" in self.without and len(there) > MEMBERS // 2:
                there |= {x.node for x in lines}
            if not all(x.node in there for x in lines):
                return None
            first = Roster(RackId(reign.pair.term), Stamp(reign.pair, 1), True, FIRST.lines)
            return base if base.lines else first
        if not self.leads(reign):
            return None
        if reign.agreement.agreed_version == 0:
            return base
        if mine.founding and mine.stamp == base.stamp:
            return base.settled()
        return self._changed(base, change)

    def _learn(self, peer: Peer, pair: Pair, agreed_version: int) -> None:
        stamp = peer.roster.stamp
        if stamp.pair == pair and 0 < stamp.version <= agreed_version:
            peer.lost = False
            if peer.roster.founding:
                peer.roster = replace(peer.roster, founding=False, founded=pair.boot)

    def _changed(self, base: Roster, change: int) -> Roster:
        """Move one vote, or one node that has none."""
        known = base.line(NodeId(change % EVERYBODY + 1))
        if known is None:
            return base.with_line(line(change % EVERYBODY + 1, 0))
        if change & 8:
            return base.with_line(replace(known, votes=known.votes + 1))
        if known.votes:
            return base.with_line(replace(known, votes=known.votes - 1))
        return base.without(known.node)

    def _ends(self, peer: Peer) -> None:
        for reign in self.reigns:
            if reign.peer is peer:
                reign.in_office = False

    def _line_of(self, stamp: Stamp) -> Iterable[Stamp]:
        while True:
            yield stamp
            if stamp not in self.parents:
                return
            stamp = self.parents[stamp]

    def _peer(self, which: int) -> Peer:
        return self.peers[which % len(self.peers)]

    def _some(self, mask: int) -> list[Peer]:
        return [p for p in self.peers if mask >> p.number & 1]

    def _reign(self, which: int) -> Reign | None:
        ruling = [reign for reign in self.reigns if reign.in_office]
        return ruling[-1 - which % len(ruling)] if ruling else None


def _is_backed(mine: Roster, nodes: set[NodeId]) -> bool:
    """Whether these may elect a broker with this roster (`State.is_backed`)."""
    if mine.rack == NO_RACK:
        return 2 * len(nodes) > MEMBERS
    if mine.founding:
        return 2 * sum(x.node in nodes for x in mine.lines) > len(mine.lines)
    return mine.is_backed(nodes)
