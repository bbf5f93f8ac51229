"""Props for the core's tests: a board with a fan (required), a lamp and a pump, and their users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from rackgrid.core import board as boards
from rackgrid.core.action import Action, Instruct, Multicast, StoreRoster, Unicast
from rackgrid.core.board import Board
from rackgrid.core.event import (
    DatagramReceived,
    Event,
    FirmwareReported,
    OffersChanged,
    RosterStored,
    TimePassed,
)
from rackgrid.core.node import Node
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.core.settings import MS_NS, SECOND_NS, LoadSettings, NodeSettings, Timing
from rackgrid.identity import NO_LIMIT, BootId, Limit, NodeId, Pair, RackId, Round, Stamp, Term
from rackgrid.market.offer import Offer
from rackgrid.wire.message import Message, OfferReport, Report, RosterLine, StepReport
from rackgrid_firmware.device import Quality, Reading, Verdict
from rackgrid_firmware.link import Attached, Command, OutputSpec, OutputState, Switched, Telemetry

ME = NodeId(5)
BOOT = BootId(55)
TIMING = Timing()
UC = 1_000_000
START_NS = 1_000 * SECOND_NS
"""Nothing may depend on a clock that begins at zero."""


def spec(
    name: str,
    nominal_mw: int,
    *,
    required: bool = False,
    inrush_mw: int | None = None,
    meter: str | None = None,
) -> OutputSpec:
    """An output that starts for 50 ms."""
    inrush = nominal_mw * 3 // 2 if inrush_mw is None else inrush_mw
    own = f"m-{name}" if meter is None else meter
    return OutputSpec(name, required, nominal_mw, inrush, 50 * MS_NS, 0, 0, own)


def output(
    name: str,
    *,
    on: bool = False,
    since_ns: int = 0,
    deadline_ns: int = 0,
    may_switch_ns: int = 0,
    cause: str = "held",
    verdict: Verdict = Verdict.UNKNOWN,
) -> OutputState:
    """How an output stands."""
    return OutputState(name, on, since_ns, deadline_ns, may_switch_ns, cause, verdict)


SPECS = (
    spec("fan", 3000, required=True, inrush_mw=3000),
    spec("lamp", 6000),
    spec("pump", 4000),
)
ALL_OFF = (output("fan", on=True, cause="required"), output("lamp"), output("pump"))
LOADS = (
    LoadSettings("fan", "fan", None),
    LoadSettings("lamp", "lamp", 400_000),
    LoadSettings("pump", "pump", 300_000),
)


def attached(
    outputs: Sequence[OutputState] = ALL_OFF, specs: Sequence[OutputSpec] = SPECS
) -> Attached:
    """The firmware's first word: 2 W of electronics and these outputs."""
    return Attached(1, "bench", 2000, 6 * SECOND_NS, 0, tuple(specs), tuple(outputs))


def board(*changed: OutputState) -> Board:
    """The board, with some outputs otherwise than off."""
    made = boards.attached(attached())
    return replace(made, outputs={**made.outputs, **{o.name: o for o in changed}})


def reading(
    meter: str, watts: float, t_ns: int, quality: Quality = Quality.FRESH, energy_mj: int = 0
) -> Reading:
    """A reading at 12 V."""
    return Reading(meter, t_ns, 12.0, watts / 12.0, energy_mj, quality)


def settings(
    *,
    name: str = "n5",
    priority: int = 5,
    expect: int = 3,
    capacity_mw: int = 60_000,
    reserve_mw: int = 0,
    loads: tuple[LoadSettings, ...] = LOADS,
    timing: Timing = TIMING,
    terms: tuple[int, int] = (1, 1001),
    seed: int = 7,
    meters_feed: bool = False,
) -> NodeSettings:
    """What a node is told at its start."""
    return NodeSettings(
        name=name,
        priority=priority,
        expect=expect,
        capacity_mw=capacity_mw,
        reserve_mw=reserve_mw,
        price_cap_uc=10 * UC,
        loads=loads,
        timing=timing,
        api_port=0,
        terms_from=terms[0],
        terms_until=terms[1],
        seed=seed,
        meters_feed=meters_feed,
    )


def report(
    bid_seq: int = 1,
    *,
    steps: tuple[StepReport, ...] = (),
    holding_mw: int = 0,
    holding_ms: int = 0,
    round_taken: int = 0,
    capacity_mw: int = 60_000,
    offers: tuple[OfferReport, ...] = (OfferReport("grid", 250_000, 60_000),),
    draw_mw: int = 0,
    received_mj: int = 0,
    excess_mw: int = 0,
    limit: Limit = NO_LIMIT,
) -> Report:
    """A member's word."""
    return Report(
        bid_seq,
        steps,
        received_mj,
        holding_mw,
        holding_ms,
        Round(round_taken),
        draw_mw,
        0,
        excess_mw,
        capacity_mw,
        limit,
        offers,
    )


def step(
    worth_uc: int, power_mw: int, reserve_mw: int | None = None, *, running: bool = False
) -> StepReport:
    """A step of a bid."""
    return StepReport(worth_uc, power_mw, power_mw if reserve_mw is None else reserve_mw, running)


def pair(term: int, node: int = 9, boot: int = 90) -> Pair:
    """A broker's authority."""
    return Pair(Term(term), NodeId(node), BootId(boot))


RACK = RackId(0xAC)
FOUNDER = pair(1, 1, 1)
"""Under whom the rack's roster was last agreed, before a test begins."""


def line(
    node: int,
    floor_mw: int = 5000,
    votes: int = 1,
    *,
    priority: int | None = None,
    meters_feed: bool = False,
) -> RosterLine:
    """An admitted node; this one ranks as its settings say."""
    ranks = (5 if node == ME else 0) if priority is None else priority
    return RosterLine(NodeId(node), f"n{node}", ranks, floor_mw, floor_mw, votes, meters_feed)


def roster(
    *who: int | RosterLine,
    of: Pair = FOUNDER,
    version: int = 1,
    founding: bool = False,
    rack: RackId = RACK,
) -> Roster:
    """A roster of these lines; a mere number is a node with the usual floor and one vote."""
    lines = (line(one) if isinstance(one, int) else one for one in who)
    ordered = tuple(sorted(lines, key=lambda x: x.node))
    return Roster(rack, Stamp(of, version), founding, ordered)


class Player:
    """One node on a stage: the test is its network, its firmware, its disk and its clock.

    Attributes:
        disk: whether a roster is on it at once; else it waits until the test says `stores`.
    """

    def __init__(
        self,
        told: NodeSettings | None = None,
        *,
        remembered: Pair | None = None,
        keeps: Roster = NO_ROSTER,
        with_firmware: bool = True,
        now_ns: int = START_NS,
    ) -> None:
        self.now_ns = now_ns
        self.node = Node(told or settings(), ME, BOOT, now_ns, remembered, keeps)
        self.disk = True
        self.writing: list[Stamp] = []
        self.said: list[Action] = []
        if with_firmware:
            self.hears_firmware(attached())
            self.happens_offers(Offer("grid", 250_000, 60_000))

    def happens(self, event: Event) -> list[Action]:
        """Let anything happen to the node, and its disk do what it asks for."""
        actions = self.node.handle(event)
        self.writing += [a.roster.stamp for a in actions if isinstance(a, StoreRoster)]
        self.said += actions
        return actions + self.stores() if self.disk else actions

    def stores(self) -> list[Action]:
        """Let the disk finish what it was asked to write, in that order."""
        actions = list[Action]()
        while self.writing:
            actions += self.happens(RosterStored(self.now_ns, self.writing.pop(0)))
        return actions

    def passes(self, span_ns: int) -> list[Action]:
        """Let time pass, waking the node whenever it asks to be woken."""
        end_ns, actions = self.now_ns + span_ns, list[Action]()
        while (due_ns := self.node.next_deadline_ns(self.now_ns)) <= end_ns:
            assert due_ns > self.now_ns or due_ns <= end_ns
            self.now_ns = max(due_ns, self.now_ns)
            actions += self.happens(TimePassed(self.now_ns))
            if self.node.state.ended:
                break
            again_ns = self.node.next_deadline_ns(self.now_ns)
            assert again_ns > self.now_ns, "a node that asks for the present again spins"
        self.now_ns = end_ns
        return actions

    def steps_until(self, is_so: Callable[[Node], bool]) -> list[Action]:
        """Let time pass from deadline to deadline until something is so."""
        actions = list[Action]()
        for _ in range(200):
            if is_so(self.node):
                return actions
            actions += self.passes(self.node.next_deadline_ns(self.now_ns) - self.now_ns)
        raise AssertionError("it never is")

    def hears(
        self, sender: int, message: Message, *, boot: int | None = None, unicast: bool = True
    ) -> list[Action]:
        """Deliver a datagram."""
        who = BootId(sender * 10 if boot is None else boot)
        return self.happens(DatagramReceived(self.now_ns, NodeId(sender), who, unicast, message))

    def hears_firmware(self, word: Attached | Telemetry | Switched) -> list[Action]:
        """Deliver a word of the firmware."""
        return self.happens(FirmwareReported(self.now_ns, word))

    def happens_offers(self, *offers: Offer) -> list[Action]:
        """Let this node's sources offer this."""
        return self.happens(OffersChanged(self.now_ns, offers))


def messages(actions: Sequence[Action]) -> list[Message]:
    """Everything that was sent, by whatever way."""
    return [a.message for a in actions if isinstance(a, (Multicast, Unicast))]


def commands(actions: Sequence[Action]) -> list[Command]:
    """Everything that the firmware was told."""
    return [a.command for a in actions if isinstance(a, Instruct)]


T = TypeVar("T")


def all_of(kind: type[T], actions: Sequence[Action]) -> list[T]:
    """The messages of one kind that were sent."""
    return [m for m in messages(actions) if isinstance(m, kind)]


def only(kind: type[T], actions: Sequence[Action]) -> T:
    """The one message of this kind that was sent."""
    (found,) = all_of(kind, actions)
    return found
