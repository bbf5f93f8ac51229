"""Everything that a node knows, in one place: the guts of `Node`, and the only mutable thing here.

The rooms of the core (election, book, agent, ...) are functions of frozen values; this object holds
the current ones and collects the actions of the event that is being handled.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType

from rackgrid.core import agent as agents
from rackgrid.core import broker, election, membership
from rackgrid.core import limit as limits
from rackgrid.core.action import Action, Multicast, Noted, RoleChanged, StoreRoster, Unicast
from rackgrid.core.agent import Agent
from rackgrid.core.agreement import Agreement
from rackgrid.core.authority import NEVER, Authority
from rackgrid.core.jitter import Jitter
from rackgrid.core.membership import NO_PEERS, Peer, Peers
from rackgrid.core.office import Office
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.core.settings import MS_NS, NodeSettings, Timing
from rackgrid.identity import NO_PAIR, NO_RACK, BootId, NodeId, Pair, Rank
from rackgrid.value import replace
from rackgrid.wire.message import NODES_MAX, Heartbeat, Message, Price, Report, Resign
from rackgrid.wire.vocabulary import Role

LED = "nothing to recover: the rack has a broker"
NOTES_MAX = 64
"""Different notes remembered, so that each is said once."""


UNRANKED = -1
"""Below every priority."""
EVER_NS = 1 << 62
"""Later than every clock shows."""


@dataclass(slots=True)
class AckDue:
    """A heartbeat that is still to be answered."""

    seq: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class Stopping:
    """A node is about to restart, and has asked for a pledge (`restart`).

    Attributes:
        asked_ns: when it first asked: the pledge's span counts from there.
        span_ns: how long it asks for.
        until_ns: it goes then in any case.
        again_ns: when it asks again.
    """

    asked_ns: int
    span_ns: int
    until_ns: int
    again_ns: int


@dataclass(frozen=True, slots=True)
class Backing:
    """When authority ends by these acks, if the broker's own vote never lapses."""

    authority: Authority
    agreement: Agreement
    votes: bool
    ends_ns: int

    def is_of(self, office: Office, *, votes: bool) -> bool:
        """Whether it still holds: the same acks, under the same rosters."""
        return (
            self.authority is office.authority
            and self.agreement is office.agreement
            and self.votes == votes
        )


@dataclass(frozen=True, slots=True)
class Recovering:
    """When the roster is to be formed anew, of the nodes that were heard when it was asked for."""

    at_ns: int
    nodes: frozenset[NodeId]


@dataclass(slots=True)
class State:
    """A node's whole state.

    Attributes:
        fence: the highest pair that this node has acked, in this boot or (remembered) before: it
            acts for no lower one (P5).
        kept: the pair that a restarted process will find; none while the quiet time lasts.
        quiet_until_ns: until then it neither votes nor takes a grant.
        leave_ns: a node that leaves is gone by then; leave_said_ns: when it says so again.
        stopping: it restarts, and waits a moment for its pledge.
        judged: what the loads were last judged by; judge_ns: when they are judged again anyway.
        late_until_ns: its own loop ran late; it accuses nobody before this.
        reported_mw, beyond_mw: its holding, and what it drew beyond its grant, as last reported.
        sure_ns: a node that remembers nothing cannot say before this whom it has left.
        left: the pair that it acted for before its fence.
        roster: the newest that it has stored; storing: one that is on its way to the disk.
        is_lost: it started without a roster: it has no vote until one is agreed without it (P7).
        heartbeat: the last of the followed broker.
        join_seq: of this boot's last JOIN.
        resigned: the last word of a broker that resigned, and when it came.
        backing: what was last found of the acks behind the office, which is asked at each event.
        forgetting: nodes that an operator wants forgotten, each with the end of its patience.
        led_ns: when this node last led a rack, or heard from whoever does.
        recovering: an operator wishes it to recover the roster, if nobody leads until then.
        aside_until_ns: it has just handed the office over, and does not stand before this.
        terms_until: one past the reserved block of terms.
        term_seen: the highest term in any message.
    """

    settings: NodeSettings
    me: NodeId
    boot: BootId
    jitter: Jitter
    fence: Pair
    quiet_until_ns: int
    election: election.State
    beacon_ns: int
    terms_until: int
    kept: Pair = NO_PAIR
    term_seen: int = 0
    late_until_ns: int = 0
    peers: Peers = field(default_factory=lambda: NO_PEERS)
    left: Pair = NO_PAIR
    sure_ns: int = 0
    roster: Roster = NO_ROSTER
    storing: Roster | None = None
    is_lost: bool = True
    heartbeat: Heartbeat | None = None
    resigned: tuple[Resign, int] | None = None
    led_ns: int = NEVER
    recovering: Recovering | None = None
    aside_until_ns: int = 0
    forgetting: Mapping[NodeId, int] = field(default_factory=lambda: MappingProxyType({}))
    office: Office | None = None
    backing: Backing | None = None
    agent: Agent = field(default_factory=Agent)
    judged: Agent | None = None
    judge_ns: int = 0
    ack_due: AckDue | None = None
    join_ns: int | None = None
    join_attempt: int = 0
    join_seq: int = 0
    urgent: bool = False
    reported_mw: int = 0
    beyond_mw: int = 0
    leave_ns: int | None = None
    leave_said_ns: int = 0
    stopping: Stopping | None = None
    ended: bool = False
    last_price: Price | None = None
    role: Role = Role.JOINING
    role_pair: Pair = NO_PAIR
    notes: dict[str, None] = field(default_factory=dict[str, None])
    out: list[Action] = field(default_factory=list[Action])
    timing: Timing = field(init=False)

    def __post_init__(self) -> None:
        self.timing = self.settings.timing

    # --- what this node is -----------------------------------------------------------------------

    @property
    def rank(self) -> Rank:
        """This node's place in the bully's order."""
        return self.rank_of(self.me, self.settings.priority)

    def rank_of(self, who: NodeId, claimed: int) -> Rank:
        """Say where a node stands in the bully's order.

        By its line on the roster, whatever it says of itself. Who is on no roster cannot lead the
        rack that it speaks for, and ranks below all others. Where there is none yet, each node's
        own word counts.

        Args:
            claimed: the priority that it says that it has.
        """
        line = self.roster.line(who)
        if line is not None and not self.roster.has_expelled(who):
            return Rank(line.priority, who)
        return Rank(claimed if self.roster.rack == NO_RACK else UNRANKED, who)

    @property
    def followed(self) -> Pair:
        """The pair that this node acts for: its own office, or the broker that it follows."""
        if self.office is not None:
            return self.office.pair
        match self.election:
            case election.Following():
                return self.election.pair
            case _:
                return NO_PAIR

    @property
    def bar(self) -> Pair:
        """Anything below this pair is ignored, and told so."""
        return max(self.fence, self.followed)

    def may_vote(self, now_ns: int) -> bool:
        """Whether the quiet time is over."""
        return now_ns >= self.quiet_until_ns

    # --- who else is there -----------------------------------------------------------------------

    @property
    def silence_ns(self) -> int:
        """How long a peer may be silent and still count as live."""
        return 7 * self.timing.beacon_ns // 2

    def live(self, now_ns: int) -> tuple[Peer, ...]:
        """The peers that are heard, highest rank first."""
        return membership.live(self.peers, now_ns, self.silence_ns)

    def higher(self, now_ns: int, broker: NodeId) -> frozenset[NodeId]:
        """Live nodes that rank higher, apart from the broker whose place is in question."""
        mine, since_ns = self.rank, now_ns - self.silence_ns
        return frozenset(
            peer.node
            for peer in self.peers.values()
            if peer.heard_ns >= since_ns
            and peer.node != broker
            and self.rank_of(peer.node, peer.priority) > mine
        )

    def rank_index(self, now_ns: int, broker: NodeId) -> int:
        """How many live nodes rank higher, apart from the broker whose place is in question."""
        return len(self.higher(now_ns, broker))

    def votes(self, now_ns: int, *, founding: bool) -> bool:
        """Whether this node's word may count for a broker, which founds a rack or leads one.

        Not in its quiet time; and not if it has lost its roster, until it has been given one that
        was agreed without it (P7): what it once stored, and has forgotten, may have been agreed.
        For a founding that is no matter, since it needs everybody.
        """
        if not self.may_vote(now_ns):
            return False
        return (
            not self.is_lost or self.roster.founding or (founding and self.roster.rack == NO_RACK)
        )

    @property
    def founds(self) -> bool:
        """Whether this node would found a rack, or go on with a founding, if it led."""
        return self.roster.founding or self.roster.rack == NO_RACK

    def is_backed(self, supporters: AbstractSet[NodeId]) -> bool:
        """Whether these nodes and this one may make it broker.

        Who has a roster needs its majority; who has none founds a rack, and needs most of those
        that are expected (all of them must ack before there is one).
        """
        nodes, mine = {*supporters, self.me}, self.roster
        if mine.rack == NO_RACK:
            return 2 * len(nodes) > self.settings.expect
        if mine.founding:
            return 2 * sum(line.node in nodes for line in mine.trusted) > len(mine.trusted)
        return mine.is_backed(nodes)

    def left_for_sure(self, now_ns: int) -> Pair:
        """The pair that this node left for its present one; none while it may have forgotten one.

        Between the two it may have acked a third, before a power cut. Once the grants of that time
        have certainly ended, it is no matter any more.
        """
        return self.left if now_ns >= self.sure_ns else NO_PAIR

    def authority_until_ns(self, now_ns: int, *, own_vote: bool = True) -> int:
        """When this broker's authority ends (P4); its own vote never lapses while it may vote.

        Args:
            own_vote: False to ask how long the others' acks alone will last.
        """
        office = self.office
        assert office is not None, "only a broker has authority"
        votes = self.votes(now_ns, founding=office.agreement.is_founding)
        known = self.backing
        if known is None or not known.is_of(office, votes=votes):
            vote_ns = EVER_NS if votes else NEVER
            ends_ns = broker.authority_until_ns(office, self.me, vote_ns, self.timing)
            known = self.backing = Backing(office.authority, office.agreement, votes, ends_ns)
        # No ack answers a later heartbeat than its own vote does, so that this vote is the first of
        # all and sets the end only where it is a majority by itself.
        mine_ns = now_ns if own_vote else now_ns + self.timing.authority_ns
        return min(known.ends_ns, mine_ns + self.timing.authority_ns)

    def has_authority(self, now_ns: int) -> bool:
        """Whether this node is a broker that may issue grants and change the roster now (P4)."""
        return self.office is not None and self.authority_until_ns(now_ns) > now_ns

    def may_stand(self, now_ns: int, attempt: int = 0) -> bool:
        """Whether this node may lead: it votes, has its firmware and a place on the roster.

        Args:
            attempt: from the third on it no longer waits for a node that knows a newer roster.
        """
        return (
            self.votes(now_ns, founding=self.founds)
            and now_ns >= max(self.late_until_ns, self.aside_until_ns)
            and self.agent.board is not None
            and self.leave_ns is None
            and self.stopping is None
            and (self._may_lead(now_ns, attempt) or self._may_found(now_ns))
        )

    def _may_lead(self, now_ns: int, attempt: int) -> bool:
        mine = self.roster
        if mine.line(self.me) is None or mine.has_expelled(self.me):
            return False
        peers = self.live(now_ns)
        return attempt > 1 or all(p.roster <= mine.stamp for p in peers if p.rack == mine.rack)

    def _may_found(self, now_ns: int) -> bool:
        """Whether a rack may be founded: nobody here has one, and all that are expected came."""
        peers = self.live(now_ns)
        return (
            self.roster.rack == NO_RACK
            and all(peer.rack == NO_RACK for peer in peers)
            and self.settings.expect <= 1 + len(peers) <= NODES_MAX
        )

    # --- what it says ----------------------------------------------------------------------------

    def report(self, now_ns: int) -> Report:
        """Make the next numbered bid and report."""
        self.agent, report = agents.bid(self.agent, self.settings, now_ns)
        self.reported_mw, self.beyond_mw = agents.held_mw(self.agent, now_ns)
        line, board = self.roster.line(self.me), self.agent.board
        return agents.with_whole_floor(report, board, line) if board and line else report

    def multicast(self, message: Message) -> None:
        """Send to the group."""
        self.out.append(Multicast(message))

    def unicast(self, to: NodeId, message: Message) -> None:
        """Send to one node."""
        self.out.append(Unicast(to, message))

    def store(self, roster: Roster) -> None:
        """Have a newer roster kept; it is this node's when it is on the disk.

        Its word on the feed is known from here on: a disk that stalls must not let a cut be lost.
        """
        self.storing = roster
        word = limits.latest((self.agent.limit, roster.limit))
        self.agent = replace(self.agent, limit=word)
        self.out.append(StoreRoster(roster))

    def led(self, now_ns: int) -> None:
        """Take note that somebody leads the rack: what an operator wished without that is void."""
        self.led_ns = now_ns
        if self.recovering is not None:
            self.recovering = None
            self.note(LED)

    def note(self, text: str) -> None:
        """Say something to the operator, once."""
        if text not in self.notes:
            if len(self.notes) >= NOTES_MAX:
                del self.notes[next(iter(self.notes))]
            self.notes[text] = None
            self.out.append(Noted(text))

    def become(self, cause: str, now_ns: int) -> None:
        """Publish the role if it has changed, and let the next beacon say so."""
        role = self._role()
        if (role, self.followed) != (self.role, self.role_pair):
            self.role, self.role_pair = role, self.followed
            self.out.append(RoleChanged(role, self.followed, cause))
            self.beacon_ns = min(self.beacon_ns, now_ns + 20 * MS_NS)

    def _role(self) -> Role:
        match self.election:
            case election.Leading():
                return Role.BROKER
            case election.Standing():
                return Role.CANDIDATE
            case election.Following():
                return Role.MEMBER if self.roster.line(self.me) else Role.JOINING
            case election.Listening():
                return Role.ISLANDED if self.roster.version else Role.JOINING
