"""The node: events in, actions out, in lawful order. Everything else in this folder is its parts.

`handle` is the whole interface, with `next_deadline_ns` to be woken by. Before each event the
lapses are tested (an authority, a grant or a price that has ended is gone before anything is
decided on it); after each event everything that is due is done; then the loads are judged. No
clock, no chance, no socket: the same events give the same actions, byte for byte.
"""

from __future__ import annotations

from typing import assert_never

from rackgrid.core import agent as agents
from rackgrid.core import board as boards
from rackgrid.core import (
    candidate,
    departure,
    election,
    expulsion,
    fitting,
    incumbent,
    judgement,
    member,
    membership,
    recovery,
    registrar,
    restart,
    tending,
    terms,
)
from rackgrid.core.action import Action
from rackgrid.core.event import (
    AllowRequested,
    CapacityChanged,
    DatagramReceived,
    Event,
    ExpelRequested,
    FirmwareLost,
    FirmwareReported,
    ForgetRequested,
    HandoverRequested,
    LeaveRequested,
    LoopLate,
    OffersChanged,
    OutputRequested,
    RecoverRequested,
    Request,
    RosterStored,
    StopRequested,
    TimePassed,
    WorthsChanged,
)
from rackgrid.core.jitter import Jitter
from rackgrid.core.nameplate import NO_PROOFS, Proofs
from rackgrid.core.picture import load_statuses
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.core.settings import MS_NS, NodeSettings
from rackgrid.core.state import State
from rackgrid.identity import NO_PAIR, NO_RACK, BootId, NodeId, Pair
from rackgrid.value import replace
from rackgrid.wire.message import (
    Ack,
    Answer,
    Beacon,
    Coordinator,
    Election,
    Forget,
    Heartbeat,
    Join,
    JoinReply,
    Leave,
    Message,
    Pledge,
    Price,
    Remove,
    Resign,
    RosterUpdate,
    Superseded,
)
from rackgrid_firmware.guard import NOT_ON
from rackgrid_firmware.link import Attached, Refused, Switched, Telemetry
from rackgrid_firmware.link import Report as FirmwareReport

FROM_THE_PAIR = (Coordinator, Election, Heartbeat, JoinReply, Price, Remove, Resign)
"""Messages that only the node which their pair names may send."""
JUDGE_NS = 100 * MS_NS
"""Loads are judged at each event that changes something, and else not more often than this."""


class Node:
    """One node's mind."""

    def __init__(
        self,
        settings: NodeSettings,
        me: NodeId,
        boot: BootId,
        now_ns: int,
        remembered: Pair | None = None,
        roster: Roster = NO_ROSTER,
        proofs: Proofs = NO_PROOFS,
    ) -> None:
        """Start a boot.

        Args:
            now_ns: the local monotonic time.
            remembered: the highest pair acked since the machine came up, if it was kept; without
                it the node is quiet for T_quiet (P5).
            roster: the newest that it has stored, if it has (P7).
            proofs: what it has kept of loads that took more than their nameplates said.
        """
        timing = settings.timing
        jitter = Jitter(settings.seed)
        quiet_until_ns = now_ns if remembered else now_ns + timing.quiet_ns
        sure_ns = quiet_until_ns + timing.stretched(timing.grant_ns) + timing.margin_ns
        listen_ns = max(quiet_until_ns, now_ns + timing.suspect * timing.heartbeat_ns)
        self.state = State(
            settings=settings,
            me=me,
            boot=boot,
            jitter=jitter,
            fence=remembered or NO_PAIR,
            quiet_until_ns=quiet_until_ns,
            election=election.Listening(listen_ns + jitter.between(0, timing.heartbeat_ns // 2)),
            beacon_ns=now_ns,
            terms_until=settings.terms_until,
            kept=remembered or NO_PAIR,
            sure_ns=0 if remembered else sure_ns,
            roster=roster,
            is_lost=roster.rack == NO_RACK,
        )
        self.state.agent = replace(self.state.agent, limit=roster.limit, proofs=proofs)
        if roster.has_expelled(me):
            self.state.note(member.EXPELLED)

    def handle(self, event: Event) -> list[Action]:
        """Take an event; return what is to be done, in this order."""
        node, now_ns = self.state, event.now_ns
        if node.ended:
            return []
        self._lapse(now_ns)
        match event:
            case DatagramReceived():
                self._heard(event)
            case FirmwareReported():
                self._firmware(event.report, now_ns)
            case FirmwareLost():
                self._firmware_lost(now_ns)
            case OffersChanged() | CapacityChanged() | WorthsChanged():
                terms.changed(node, event)
            case RosterStored():
                member.roster_stored(node, event.stamp, now_ns)
            case LoopLate():
                node.late_until_ns = now_ns + node.timing.heartbeat_ns
                node.election = election.patient(node.election, node.late_until_ns)
            case TimePassed():
                pass
            case _:
                self._asked(event)
        if not node.ended:
            self._settle(now_ns)
        done, node.out = node.out, []
        return done

    def next_deadline_ns(self, now_ns: int) -> int:
        """When this node wants to be woken if nothing happens before."""
        node = self.state
        due_ns = node.beacon_ns
        for at_ns in (
            election.next_deadline_ns(node.election),
            incumbent.next_deadline_ns(node, now_ns),
            agents.next_deadline_ns(node.agent),
            node.ack_due.at_ns if node.ack_due else None,
            node.join_ns,
            node.recovering.at_ns if node.recovering else None,
            node.leave_ns,
            node.leave_said_ns if node.leave_said_ns > now_ns else None,
            node.stopping.again_ns if node.stopping else None,
        ):
            if at_ns is not None and at_ns < due_ns:
                due_ns = at_ns
        return due_ns

    # --- around every event ----------------------------------------------------------------------

    def _lapse(self, now_ns: int) -> None:
        node = self.state
        incumbent.lapsed(node, now_ns)
        ends_ns = agents.next_deadline_ns(node.agent)
        if ends_ns is not None and now_ns >= ends_ns:
            node.agent, actions = agents.lapsed(node.agent, now_ns)
            node.out.extend(actions)

    def _settle(self, now_ns: int) -> None:
        """Do what is due, judge the loads, and report at once what came down."""
        node = self.state
        candidate.due(node, now_ns)
        incumbent.due(node, now_ns)
        if node.ack_due is not None and now_ns >= node.ack_due.at_ns:
            candidate.acknowledge(node, now_ns)
        if node.join_ns is not None and now_ns >= node.join_ns:
            member.join(node, now_ns)
        if now_ns >= node.beacon_ns:
            self._beacon(now_ns)
        if node.agent is not node.judged or now_ns >= node.judge_ns:
            self._judge(now_ns)
        if node.urgent:
            # The judging may have asked for a round at once; what that gives is judged in turn.
            incumbent.due(node, now_ns)
            if node.agent is not node.judged:
                self._judge(now_ns)
        if node.recovering is not None and now_ns >= node.recovering.at_ns:
            recovery.recover(node, now_ns)
        if node.leave_ns is not None:
            departure.proceed(node, now_ns)
        elif node.stopping is not None:
            departure.linger(node, now_ns)

    def _judge(self, now_ns: int) -> None:
        """Judge the loads anew: something about them changed, or a dwell may have ended."""
        node = self.state
        node.agent, actions = judgement.decided(node.agent, node.settings, now_ns)
        node.out.extend(actions)
        holding_mw, beyond_mw = agents.held_mw(node.agent, now_ns)
        if holding_mw < node.reported_mw or beyond_mw > node.beyond_mw:
            self._draws_otherwise(holding_mw, beyond_mw, now_ns)
        node.judged, node.judge_ns = node.agent, now_ns + JUDGE_NS

    def _draws_otherwise(self, holding_mw: int, beyond_mw: int, now_ns: int) -> None:
        """Tell the broker at once: watts are free, or more is drawn than was granted (P8)."""
        node = self.state
        if node.office is not None:
            node.urgent = node.urgent or node.office.wanting or beyond_mw > node.beyond_mw
            node.reported_mw, node.beyond_mw = holding_mw, beyond_mw
        else:
            candidate.acknowledge(node, now_ns)

    def _asked(self, request: Request) -> None:
        """Do what the operator asks for."""
        node, now_ns = self.state, request.now_ns
        match request:
            case ForgetRequested():
                member.forget(node, request.node, now_ns)
            case AllowRequested():
                member.allow(node, request)
            case ExpelRequested():
                expulsion.asked(node, request.node, now_ns)
            case HandoverRequested():
                incumbent.hand_over(node, now_ns)
            case OutputRequested():
                tending.tend(node, request)
            case RecoverRequested():
                recovery.asked(node, now_ns)
            case LeaveRequested():
                departure.begin(node, now_ns)
            case StopRequested():
                departure.stop(node, now_ns, restarts=request.restarts)
            case _:
                assert_never(request)

    # --- what arrives ----------------------------------------------------------------------------

    def _heard(self, event: DatagramReceived) -> None:  # noqa: C901 - one arm per message kind
        node, now_ns, sender = self.state, event.now_ns, event.sender
        message = event.message
        if sender == node.me:
            node.note("another node has this node's identity: was its SD card cloned?")
            return
        if isinstance(message, FROM_THE_PAIR) and message.pair.node != sender:
            return  # a member that speaks for another
        node.peers = membership.heard(node.peers, sender, event.boot, now_ns, node.silence_ns)
        if expulsion.is_deaf_to(node, sender) or self._is_foreign(sender, message):
            return
        match message:
            case Beacon():
                node.peers = membership.beaconed(node.peers, sender, message)
            case Heartbeat():
                candidate.heartbeat(node, sender, message, now_ns)
                member.seek_admission(node, now_ns)
            case Ack():
                if node.followed == message.pair:
                    incumbent.acked(node, sender, event.boot, message, now_ns)
                else:
                    candidate.is_stale(node, message.pair, sender)
            case Price():
                if not candidate.is_stale(node, message.pair, sender):
                    incumbent.apply(node, message, now_ns)
            case Join():
                registrar.joined(node, sender, event.boot, message, now_ns)
            case JoinReply():
                member.join_replied(node, message)
            case RosterUpdate():
                member.roster_heard(node, sender, message, now_ns)
            case Election():
                candidate.called(node, sender, message, now_ns)
            case Pledge():
                registrar.pledged(node, sender, event.boot, message, now_ns)
            case Answer():
                candidate.answered(node, sender, message, now_ns)
            case Coordinator():
                candidate.coordinator(node, sender, message, now_ns)
            case Resign():
                candidate.resign(node, message, now_ns)
            case Superseded():
                candidate.superseded(node, message, now_ns)
            case Leave():
                node.peers = membership.forgotten(node.peers, sender)
                registrar.left(node, sender, event.boot, now_ns)
            case Forget():
                if node.office is not None:
                    member.forget(node, message.node, now_ns)
            case Remove():
                member.removed(node, message, now_ns)
            case _:
                assert_never(message)

    def _is_foreign(self, sender: NodeId, message: Message) -> bool:
        """Whether the sender is of another rack with the same key: each would give out the feed."""
        node = self.state
        if isinstance(message, (Beacon, Heartbeat, Election)):
            node.peers = membership.belonging(node.peers, sender, message.rack)
        peer = node.peers[sender]
        if NO_RACK in (peer.rack, node.roster.rack) or peer.rack == node.roster.rack:
            return False
        if isinstance(message, Heartbeat):
            member.let_go(node, message)
        node.note(
            f"{peer.name or f'{sender:016x}'} belongs to another rack with the same key: if they"
            " share a feed, stop it and delete the roster files of one; if not, give it another key"
        )
        return True

    def _firmware(self, report: FirmwareReport, now_ns: int) -> None:
        node = self.state
        match report:
            case Attached():
                if fitting.is_too_slow(node, report):
                    self._firmware_lost(now_ns)
                    return
                board = boards.attached(report)
                node.agent = agents.attached(node.agent, board, node.settings, now_ns)
                fitting.compare_loads(node, board)
                member.seek_admission(node, now_ns)
            case Telemetry() | Switched():
                if node.agent.board is not None:
                    board = boards.told(node.agent.board, report)
                    fitting.note_nameplates(node, node.agent.board, board)
                    node.agent = replace(node.agent, board=board)
            case Refused():
                # A renewal that came too late is no trouble: the load has opened at its deadline.
                if report.reason != NOT_ON:
                    what = report.output or "the link"
                    node.note(f"the firmware refuses {what}: {report.reason}")
            case _:
                assert_never(report)

    def _firmware_lost(self, now_ns: int) -> None:
        """Without its firmware a node knows nothing of its watts: it neither leads nor reports."""
        node = self.state
        node.agent = replace(node.agent, board=None, commanded={})
        candidate.withdraw(node, now_ns, "lost its firmware")
        if node.office is not None:
            incumbent.resign(node, now_ns, "lost its firmware")

    # --- the node's own word ---------------------------------------------------------------------

    def _beacon(self, now_ns: int) -> None:
        node = self.state
        timing = node.timing
        spread = timing.beacon_ns // 10
        node.beacon_ns = now_ns + timing.beacon_ns - spread + node.jitter.between(0, 2 * spread)
        board = node.agent.board
        node.multicast(
            Beacon(
                name=node.settings.name,
                priority=node.settings.priority,
                role=node.role,
                followed=node.followed,
                rack=node.roster.rack,
                roster=node.roster.stamp,
                floor_mw=board.floor_mw if board else 0,
                draw_mw=boards.total_mw(board, now_ns, required_only=False) if board else 0,
                api_port=node.settings.api_port,
                loads=load_statuses(node, now_ns),
            )
        )
        member.press(node, now_ns)
        restart.give_back(node, now_ns)
        incumbent.preempted(node, now_ns)
