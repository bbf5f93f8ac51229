"""Everything that a node knows, in one place: the guts of `Node`, and the only mutable thing here.

The rooms of the core (election, book, agent, ...) are functions of frozen values; this object holds
the current ones and collects the actions of the event that is being handled.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rackgrid.core import agent as agents
from rackgrid.core import election, membership
from rackgrid.core.action import Action, Multicast, Noted, RoleChanged, Unicast
from rackgrid.core.agent import Agent
from rackgrid.core.broker import Office
from rackgrid.core.jitter import Jitter
from rackgrid.core.membership import NO_PEERS, Peer, Peers
from rackgrid.core.roster import NO_ROSTER, Roster, majority, needed
from rackgrid.core.settings import MS_NS, NodeSettings, Timing
from rackgrid.identity import NO_PAIR, BootId, NodeId, Pair, Rank
from rackgrid.wire.message import NODES_MAX, Message, Price, Report, Role

NOTES_MAX = 64
"""Different notes remembered, so that each is said once."""


@dataclass(slots=True)
class AckDue:
    """A heartbeat that is still to be answered."""

    seq: int
    at_ns: int


@dataclass(slots=True)
class State:
    """A node's whole state.

    Attributes:
        fence: the highest pair that this node has acked, in this boot or (remembered) before: it
            acts for no lower one (P5).
        kept: the pair that a restarted process will find; none while the quiet time lasts.
        quiet_until_ns: until then it neither votes nor takes a grant.
        leave_ns: a node that leaves is gone by then; leave_said_ns: when it says so again.
        judged: what the loads were last judged by; judge_ns: when they are judged again anyway.
        late_until_ns: its own loop ran late; it accuses nobody before this.
        votes_needed: votes that lead the roster that this node knows.
        is_formed: the roster has once had as many votes as the operator expects.
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
    roster: Roster = NO_ROSTER
    is_formed: bool = False
    votes_needed: int = NODES_MAX
    office: Office | None = None
    agent: Agent = field(default_factory=Agent)
    judged: Agent | None = None
    judge_ns: int = 0
    ack_due: AckDue | None = None
    join_ns: int | None = None
    join_attempt: int = 0
    roster_heard: int = 0
    urgent: bool = False
    reported_mw: int = 0
    leave_ns: int | None = None
    leave_said_ns: int = 0
    ended: bool = False
    last_price: Price | None = None
    role: Role = Role.JOINING
    role_pair: Pair = NO_PAIR
    notes: dict[str, None] = field(default_factory=dict[str, None])
    out: list[Action] = field(default_factory=list[Action])

    # --- what this node is -----------------------------------------------------------------------

    @property
    def timing(self) -> Timing:
        """The timers."""
        return self.settings.timing

    @property
    def rank(self) -> Rank:
        """This node's place in the bully's order."""
        return Rank(self.settings.priority, self.me)

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

    def rank_index(self, now_ns: int, broker: NodeId) -> int:
        """How many live nodes rank higher, apart from the broker whose place is in question."""
        mine = self.rank
        return sum(1 for p in self.live(now_ns) if p.rank > mine and p.node != broker)

    def majority(self, now_ns: int) -> int | None:
        """Votes that make a majority; None where too few nodes are known to speak of one.

        Once the rack is formed it is the roster's; before, of the nodes that are heard, which must
        be as many as the operator expects: a roster in the making has too few votes to elect the
        successor of a broker that died over it.
        """
        if self.is_formed:
            return self.votes_needed
        heard = 1 + len(self.live(now_ns))
        return majority(heard) if heard >= self.settings.expect else None

    def adopt(self, roster: Roster) -> None:
        """Take a roster, and note whether the rack has ever been complete."""
        self.roster = roster
        self.is_formed = self.is_formed or roster.votes >= self.settings.expect
        self.votes_needed = needed(roster, self.settings.expect, is_formed=self.is_formed)

    def votes_of(self, node: NodeId) -> int:
        """A node's votes in an election."""
        if not self.is_formed:
            return 1
        line = self.roster.line(node)
        return line.votes if line else 0

    def may_stand(self, now_ns: int) -> bool:
        """Whether this node may lead: it votes, has its firmware and knows the newest roster."""
        newest = max((p.roster_version for p in self.live(now_ns)), default=0)
        return (
            self.may_vote(now_ns)
            and now_ns >= self.late_until_ns
            and self.agent.board is not None
            and self.leave_ns is None
            and self.majority(now_ns) is not None
            and self.roster.version >= newest
            and (self.roster.line(self.me) is not None or self._may_found())
        )

    def _may_found(self) -> bool:
        """Whether a node without a line of its own may lead: a rack in the making, with room."""
        return not self.is_formed and len(self.roster.lines) < NODES_MAX

    # --- what it says ----------------------------------------------------------------------------

    def report(self, now_ns: int) -> Report:
        """Make the next numbered bid and report."""
        self.agent, report = agents.bid(self.agent, self.settings, now_ns)
        self.reported_mw = report.holding_mw
        return report

    def multicast(self, message: Message) -> None:
        """Send to the group."""
        self.out.append(Multicast(message))

    def unicast(self, to: NodeId, message: Message) -> None:
        """Send to one node."""
        self.out.append(Unicast(to, message))

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
