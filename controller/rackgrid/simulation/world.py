"""A whole rack in one thread: real `Node` cores and guards, a virtual clock, a hostile network.

Everything that happens is an entry of one heap, ordered by time and then by the order of
scheduling, and every chance comes from one seeded generator: the same seed gives the same run, to
the byte.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from rackgrid.core import agent as agents
from rackgrid.core.action import (
    Action,
    Instruct,
    Left,
    LoadDecided,
    Multicast,
    Noted,
    PriceApplied,
    PriceLost,
    PriceSent,
    Remember,
    ReserveTerms,
    RoleChanged,
    Unicast,
)
from rackgrid.core.event import (
    DatagramReceived,
    Event,
    FirmwareReported,
    OffersChanged,
    TimePassed,
)
from rackgrid.core.node import Node
from rackgrid.core.settings import NodeSettings
from rackgrid.identity import BootId, NodeId, Pair
from rackgrid.market.offer import Offer
from rackgrid.simulation.checker import Checker
from rackgrid.simulation.firmware import SimFirmware
from rackgrid.simulation.network import Network
from rackgrid.simulation.transcript import Transcript
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import Message, Rejection, Role
from rackgrid_firmware.link import Report as FirmwareReport

LINK_NS = 200_000
"""How long a packet takes between controller and firmware."""
TELEMETRY_NS = 100_000_000


@dataclass(slots=True)
class Seat:
    """A place in the simulated rack: its copper outlives its controller.

    Attributes:
        node: the running controller; None while it is dead.
        life: counts the controller's lives: a dead one's timers are not its heir's.
        remembered: the pair kept in memory that survives the process.
        terms_until: the durable reservation of terms.
    """

    id: NodeId
    settings: NodeSettings
    firmware: SimFirmware
    offers: tuple[Offer, ...]
    node: Node | None = None
    life: int = 0
    wake_ns: int = -1
    remembered: Pair | None = None
    terms_until: int = 1
    term: int = 0


class World:
    """The rack, its network and its clock."""

    def __init__(self, seed: int, capacity_mw: int, network: Network | None = None) -> None:
        self.now_ns = 0
        self.chance = random.Random(seed)  # noqa: S311 - a replayable simulation, not a secret
        self.network = network or Network()
        self.transcript = Transcript()
        self.checker = Checker(capacity_mw)
        self.seats: dict[NodeId, Seat] = {}
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    # --- building and breaking -------------------------------------------------------------------

    def add(self, seat: Seat) -> None:
        """Put a node's copper into the rack and switch its controller on."""
        self.seats[seat.id] = seat
        self._telemetry(seat)
        self.boot(seat)

    def boot(self, seat: Seat) -> None:
        """Start the seat's controller: a new boot, with what its stores still hold."""
        assert seat.node is None, "a seat has one controller at a time"
        seat.life += 1
        settings = replace(
            seat.settings,
            seed=self.chance.getrandbits(64),
            terms_from=seat.terms_until,
            terms_until=seat.terms_until + 1000,
        )
        seat.terms_until += 1000
        boot = BootId(self.chance.getrandbits(64))
        seat.node = Node(settings, seat.id, boot, self.now_ns, seat.remembered)
        self._say(seat, "boots")
        self._tell(seat, OffersChanged(self.now_ns, seat.offers))
        self._firmware_says(seat, [seat.firmware.attach()])
        self._arm_firmware(seat)

    def kill(self, seat: Seat) -> None:
        """Kill the controller; the firmware goes on."""
        self._say(seat, "is killed")
        seat.node = None
        seat.wake_ns = -1

    def at(self, when_ns: int, act: Callable[[], None]) -> None:
        """Do something at a virtual time."""
        heapq.heappush(self._heap, (max(when_ns, self.now_ns), next(self._order), act))

    def run(self, until_ns: int) -> None:
        """Let virtual time pass."""
        while self._heap and self._heap[0][0] <= until_ns:
            self.now_ns, _, act = heapq.heappop(self._heap)
            act()
            self._check()
        self.now_ns = until_ns

    # --- looking ---------------------------------------------------------------------------------

    def brokers(self) -> list[Seat]:
        """The seats whose controllers lead now."""
        return [s for s in self.seats.values() if s.node and s.node.state.role is Role.BROKER]

    def agreed(self) -> bool:
        """Whether there is one broker, and all that run follow it and know a price."""
        running = [s.node.state for s in self.seats.values() if s.node]
        pairs = {state.followed for state in running}
        priced = all(state.agent.price is not None for state in running)
        return len(self.brokers()) == 1 and len(pairs) == 1 and priced

    # --- the wheels ------------------------------------------------------------------------------

    def _tell(self, seat: Seat, event: Event) -> None:
        if seat.node is None:
            return
        self._perform(seat, seat.node.handle(event))
        self._arm(seat)

    def _perform(self, seat: Seat, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Multicast():
                    for other in self.seats:
                        if other != seat.id:
                            self._send(seat, other, action.message, unicast=False)
                case Unicast():
                    self._send(seat, action.to, action.message, unicast=True)
                case Instruct():
                    command = action.command
                    self.at(
                        self.now_ns + LINK_NS,
                        lambda c=command: self._firmware_says(
                            seat, seat.firmware.command(c, self.now_ns)
                        ),
                    )
                case ReserveTerms():
                    seat.terms_until = max(seat.terms_until, action.until)
                case Remember():
                    seat.remembered = action.pair
                case _:
                    self._publish(seat, action)

    def _publish(self, seat: Seat, action: Action) -> None:
        match action:
            case RoleChanged():
                if action.pair.term:
                    self.checker.term(self.now_ns, seat.settings.name, seat.term, action.pair.term)
                    seat.term = max(seat.term, action.pair.term)
                self._say(seat, f"is {action.role.name.lower()} {action.pair}: {action.cause}")
            case PriceApplied():
                self._say(seat, f"applies {action.price_uc} uc of round {action.round}")
            case PriceLost():
                self._say(seat, "knows no price")
            case LoadDecided():
                decision = action.decision
                on = "on" if decision.on else "off"
                self._say(seat, f"{decision.load} {on}: {decision.why.name}")
            case Noted():
                self._say(seat, action.text)
            case Left():
                self._say(seat, "has left")
                seat.node = None
            case PriceSent():
                pass
            case _:
                raise AssertionError(f"not an action to publish: {action}")

    def _send(self, seat: Seat, to: NodeId, message: Message, *, unicast: bool) -> None:
        assert seat.node is not None, "the dead send nothing"
        boot = seat.node.state.boot
        arrived = decode(encode(message))
        assert not isinstance(arrived, Rejection), f"a node sent what no node reads: {arrived}"
        for delay_ns in self.network.arrivals(self.chance, seat.id, to):
            self.at(
                self.now_ns + delay_ns,
                lambda: self._tell(
                    self.seats[to],
                    DatagramReceived(self.now_ns, seat.id, boot, unicast, arrived),
                ),
            )

    def _firmware_says(self, seat: Seat, reports: list[FirmwareReport]) -> None:
        life = seat.life
        for report in reports:
            self.at(self.now_ns + LINK_NS, lambda r=report: self._hear_firmware(seat, life, r))
        self._arm_firmware(seat)

    def _hear_firmware(self, seat: Seat, life: int, report: FirmwareReport) -> None:
        if seat.life == life:
            self._tell(seat, FirmwareReported(self.now_ns, report))

    def _telemetry(self, seat: Seat) -> None:
        self._firmware_says(seat, [seat.firmware.telemetry(self.now_ns)])
        self.at(self.now_ns + TELEMETRY_NS, lambda: self._telemetry(seat))

    def _arm(self, seat: Seat) -> None:
        if seat.node is None:
            return
        due_ns = max(seat.node.next_deadline_ns(self.now_ns), self.now_ns)
        if seat.wake_ns != due_ns:
            seat.wake_ns, life = due_ns, seat.life
            self.at(due_ns, lambda: self._wake(seat, life, due_ns))

    def _wake(self, seat: Seat, life: int, due_ns: int) -> None:
        if seat.life == life and seat.wake_ns == due_ns:
            seat.wake_ns = -1
            self._tell(seat, TimePassed(self.now_ns))

    def _arm_firmware(self, seat: Seat) -> None:
        due_ns = seat.firmware.next_deadline_ns()
        if due_ns is not None:
            self.at(due_ns, lambda: self._firmware_wakes(seat, due_ns))

    def _firmware_wakes(self, seat: Seat, due_ns: int) -> None:
        if seat.firmware.next_deadline_ns() == due_ns:
            self._firmware_says(seat, seat.firmware.passed(self.now_ns))

    def _check(self) -> None:
        boards = [seat.firmware for seat in self.seats.values()]
        self.checker.draw(self.now_ns, boards)
        held = sum(
            max(self._holding_mw(seat), seat.firmware.flexible_worst_mw())
            for seat in self.seats.values()
        )
        self.checker.holdings(self.now_ns, self._floors_mw(), held)

    def _holding_mw(self, seat: Seat) -> int:
        return agents.holding_mw(seat.node.state.agent, self.now_ns) if seat.node else 0

    def _floors_mw(self) -> int:
        return sum(
            s.firmware.base_mw + sum(x.spec.inrush_mw for x in s.firmware.loads if x.spec.required)
            for s in self.seats.values()
        )

    def _say(self, seat: Seat, what: str) -> None:
        self.transcript.say(self.now_ns, seat.settings.name, what)
