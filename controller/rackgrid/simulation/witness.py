"""Counts the hard states that a run really reached: faults that lead nowhere prove nothing.

A witness stands at each seat and sees what a node heard and what it did. It counts and never
judges.
"""

from __future__ import annotations

from collections import Counter

from rackgrid.core.action import Action, Instruct, Left, Multicast, RoleChanged, Unicast
from rackgrid.core.agent import Agent
from rackgrid.core.event import DatagramReceived, Event, FirmwareReported
from rackgrid.core.state import State
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World
from rackgrid.wire.message import Price, Superseded
from rackgrid.wire.vocabulary import Role
from rackgrid_firmware.link import Hold, Switched

STALE = "a grant was refused as stale"
QUIET = "a grant was refused in the quiet time"
LAPSED = "authority lapsed while leading"
TWO = "two led at once"
INHERITED = "takeover inherited a holding"
CLOSED = "book closed at a raise"
BESIDE = "a dead boot was counted beside its heir"
ROOM = "room was made for a joiner"
SUPERSEDED = "a stale leader was told so"
DEADLINE = "the firmware ended a grant"
PLEDGED = "loads ran on under a pledge"
OUTLIVED = "a pledge was counted by a later broker"
NEAR = "capacity nearly reached"
SOMETIMES = (
    STALE,
    QUIET,
    LAPSED,
    TWO,
    INHERITED,
    CLOSED,
    BESIDE,
    ROOM,
    SUPERSEDED,
    DEADLINE,
    PLEDGED,
    OUTLIVED,
    NEAR,
)


class Witness:
    """Sees one world."""

    def __init__(self, world: World) -> None:
        self.sometimes: Counter[str] = Counter()
        self._world = world
        world.witnesses.append(self.saw)

    def saw(self, seat: Seat, event: Event, before: Agent, actions: list[Action]) -> None:
        """Take note of what a seat heard and did."""
        assert seat.node is not None, "only a running node acts"
        match event:
            case DatagramReceived(message=Price() as price):
                self._price(seat.node.state, price, before, event.now_ns)
            case FirmwareReported(report=Switched(state=state)) if state.cause == "deadline":
                self.sometimes[DEADLINE] += 1
            case _:
                pass
        for action in actions:
            match action:
                case Multicast(message=Price() as price):
                    self._clearing(seat.node.state, price)
                case Unicast(message=Superseded()):
                    self.sometimes[SUPERSEDED] += 1
                case RoleChanged():
                    self._role(action)
                case Left():
                    held = [a for a in actions if isinstance(a, Instruct)]
                    self.sometimes[PLEDGED] += any(isinstance(a.command, Hold) for a in held)
                case _:
                    pass

    def _price(self, node: State, price: Price, before: Agent, now_ns: int) -> None:
        """Whether a grant that came to this very boot was not taken."""
        for allotment in price.allotments:
            if allotment.node != node.me or allotment.boot != node.boot:
                continue
            if price.pair != node.followed or node.agent.taken != before.taken:
                continue
            self.sometimes[STALE if node.may_vote(now_ns) else QUIET] += 1

    def _clearing(self, node: State, price: Price) -> None:
        office = node.office
        if office is None:
            return
        if not office.book.opened:
            self.sometimes[INHERITED] += any(a.grant_mw for a in price.allotments)
            self.sometimes[CLOSED] += office.wanting
        self.sometimes[BESIDE] += any(a.old for a in office.book.accounts.values())
        self.sometimes[ROOM] += bool(office.joining)
        pledges = office.agreement.base.pledges
        self.sometimes[OUTLIVED] += any(p.node not in office.pledged_ns for p in pledges)

    def _role(self, action: RoleChanged) -> None:
        if action.cause == "no majority answers":
            self.sometimes[LAPSED] += 1
        if action.role is Role.BROKER and len(self._world.brokers()) > 1:
            self.sometimes[TWO] += 1
