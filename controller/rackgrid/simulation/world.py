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
from dataclasses import replace
from functools import partial

from rackgrid.core.action import (
    Action,
    Instruct,
    Left,
    Multicast,
    Remember,
    ReserveTerms,
    StoreRoster,
    Unicast,
)
from rackgrid.core.agent import Agent
from rackgrid.core.event import (
    CapacityChanged,
    DatagramReceived,
    Event,
    FirmwareLost,
    FirmwareReported,
    LoopLate,
    OffersChanged,
    RosterStored,
    TimePassed,
)
from rackgrid.core.node import Node
from rackgrid.core.roster import Roster
from rackgrid.identity import BootId, NodeId
from rackgrid.simulation.checker import Checker
from rackgrid.simulation.network import Datagram, Network
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.transcript import Transcript, words
from rackgrid.simulation.truth import Truth
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import Election, Message, Price
from rackgrid.wire.vocabulary import Rejection, Role
from rackgrid_firmware.link import Command, OutputState, Release, Switched
from rackgrid_firmware.link import Report as FirmwareReport

LINK_NS = 200_000
"""How long a packet takes between controller and firmware."""
TELEMETRY_NS = 200_000_000
"""As the firmware's."""


Witness = Callable[[Seat, Event, Agent, list[Action]], None]
"""Is told what a seat heard, what its agent was before, and what it did."""
Tap = Callable[[Datagram], bool]
"""Sees what is sent before the network has it, and says whether it keeps it for itself."""


class World:
    """The rack, its network and its clock."""

    def __init__(self, seed: int, capacity_mw: int, network: Network | None = None) -> None:
        self.now_ns = 0
        self.chance = random.Random(seed)  # noqa: S311 - a replayable simulation, not a secret
        self.network = network or Network()
        self.transcript = Transcript()
        self.checker = Checker(capacity_mw)
        self.seats: dict[NodeId, Seat] = {}
        self.truth = Truth(self.checker)
        self.witnesses: list[Witness] = []
        self.limit_mw: int | None = None
        self.told_all = False
        """An operator's last word on the feed, and whether all are told, whoever starts too."""
        self.tap: Tap | None = None
        self.heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    # --- building and breaking -------------------------------------------------------------------

    def add(self, seat: Seat) -> None:
        """Put a node's copper into the rack and switch its controller on."""
        self.seats[seat.id] = seat
        self._telemetry(seat)
        self.boot(seat)

    def unplug(self, seat: Seat) -> None:
        """Take a node out of the rack, copper and all."""
        self.kill(seat)
        seat.power += 1
        seat.firmware_due_ns = -1
        del self.seats[seat.id]
        self.truth.forget(seat.id)

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
        now_ns = seat.local_ns(self.now_ns)
        seat.node = Node(settings, seat.identity, boot, now_ns, seat.remembered, seat.roster)
        self._say(seat, "boots")
        self.tell(seat, OffersChanged(seat.local_ns(self.now_ns), seat.offers))
        self.tell_limit(seat)
        self._firmware_says(seat, [seat.firmware.attach()])

    def tell_limit(self, seat: Seat) -> None:
        """Let the operator tell a node what the feed gives, if all are told."""
        if self.limit_mw is not None and self.told_all:
            self.tell(seat, CapacityChanged(seat.local_ns(self.now_ns), self.limit_mw))

    def kill(self, seat: Seat) -> None:
        """Kill the controller; the firmware goes on."""
        self._say(seat, "is killed")
        self._end(seat)

    def power_cycle(self, seat: Seat, clock_ns: int | None = None) -> None:
        """Pull a Pi's plug and put it in again: outputs fall, and nothing in memory survives.

        Args:
            clock_ns: what its clock shows from now on; None lets it run on.
        """
        self.kill(seat)
        seat.remembered = None
        seat.power, seat.kernel = seat.power + 1, seat.kernel + 1
        if clock_ns is not None:
            seat.reclock(self.now_ns, seat.clock_ppm, clock_ns)
        self._cut(seat)
        self.boot(seat)

    def change_rate(self, seat: Seat, ppm: int) -> None:
        """Let a clock run faster or slower from now on; its timers follow."""
        seat.reclock(self.now_ns, ppm, seat.local_ns(self.now_ns))
        seat.wake_ns = seat.firmware_due_ns = -1
        self._arm(seat)
        self._firmware_says(seat, [])

    def tell(self, seat: Seat, event: Event) -> None:
        """Let something happen to a seat's controller, if it runs; the event has its local time."""
        if seat.node is None:
            return
        if self.now_ns < seat.frozen_until_ns:
            seat.waiting.append(event)
            return
        state = seat.node.state
        before, led = state.agent, state.office is not None
        actions = seat.node.handle(event)
        if state.agent.grant is not before.grant or led is not (state.office is not None):
            self.truth.touched(seat)
        for saw in self.witnesses:
            saw(seat, event, before, actions)
        if seat.stall_ns and _clears(actions):
            self._stall(seat, actions)
        else:
            self._perform(seat, actions)
        self._arm(seat)

    def freeze(self, seat: Seat, for_ns: int) -> None:
        """Let a controller stand still; what comes in the meantime waits for it."""
        # Of two such spells the longer: what it decided before is performed before it goes on.
        seat.frozen_until_ns = max(seat.frozen_until_ns, self.now_ns + for_ns)
        self.at(seat.frozen_until_ns, partial(self._thaw, seat, seat.life, for_ns))

    def hang(self, seat: Seat, for_ns: int) -> None:
        """Let a firmware hang until its watchdog ends it: its outputs stay as they are so long."""
        if self.now_ns < seat.hung_until_ns:
            return
        seat.hung_until_ns = self.now_ns + for_ns
        self.at(seat.hung_until_ns, partial(self._watchdog, seat, seat.power))

    def deliver(self, sent: Datagram) -> None:
        """Let a datagram arrive now, be it late, or for the second time."""
        seat = self.seats.get(sent.to)
        if seat is not None:
            now_ns = seat.local_ns(self.now_ns)
            heard = DatagramReceived(now_ns, sent.sender, sent.boot, sent.unicast, sent.message)
            self.tell(seat, heard)

    def at(self, when_ns: int, act: Callable[[], None]) -> None:
        """Do something at a virtual time."""
        heapq.heappush(self.heap, (max(when_ns, self.now_ns), next(self._order), act))

    def run(self, until_ns: int) -> None:
        """Let virtual time pass."""
        assert until_ns >= self.now_ns, "time does not go back"
        while self.heap and self.heap[0][0] <= until_ns:
            self.now_ns, _, act = heapq.heappop(self.heap)
            act()
            self.truth.check(self.now_ns, self.seats)
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

    # --- standing still ---------------------------------------------------------------------------

    def _stall(self, seat: Seat, actions: list[Action]) -> None:
        """Stand still between deciding and sending: it is sent when the process runs again."""
        for_ns, seat.stall_ns = seat.stall_ns, 0
        self.at(self.now_ns + for_ns, partial(self._perform_late, seat, seat.life, actions))
        self.freeze(seat, for_ns)

    def _perform_late(self, seat: Seat, life: int, actions: list[Action]) -> None:
        if seat.life == life and seat.node is not None:
            self._perform(seat, actions)

    def _thaw(self, seat: Seat, life: int, for_ns: int) -> None:
        waiting = list(seat.waiting)
        if seat.life != life or seat.node is None or self.now_ns < seat.frozen_until_ns:
            return
        seat.waiting.clear()
        now_ns = seat.local_ns(self.now_ns)
        self.tell(seat, LoopLate(now_ns, for_ns))
        for event in waiting:
            self.tell(seat, replace(event, now_ns=now_ns))
        self.tell(seat, TimePassed(now_ns))

    def _watchdog(self, seat: Seat, power: int) -> None:
        """End a hung firmware: its outputs are made safe, and a new one starts."""
        if seat.power != power or seat.id not in self.seats:
            return
        seat.power += 1
        now_ns = seat.local_ns(self.now_ns)
        self._cut(seat)
        self.tell(seat, FirmwareLost(now_ns))
        if seat.node is not None:
            self._firmware_says(seat, [seat.firmware.attach()])

    def _cut(self, seat: Seat) -> None:
        now_ns = seat.local_ns(self.now_ns)
        seat.firmware.cut(now_ns)
        seat.dwell.lost_power(now_ns, [x.spec.name for x in seat.firmware.loads])
        seat.firmware_due_ns = -1
        seat.hung_until_ns = 0
        self.truth.touched(seat)

    # --- the wheels ------------------------------------------------------------------------------

    def _end(self, seat: Seat) -> None:
        if seat.writing is not None and self.chance.random() < 0.5:
            seat.roster = seat.writing  # it had reached the disk, and nobody was told
        seat.writing = None
        seat.frozen_until_ns = seat.stall_ns = 0
        seat.waiting.clear()
        seat.node = None
        seat.wake_ns = -1
        self.truth.touched(seat)

    def _perform(self, seat: Seat, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Multicast():
                    if isinstance(action.message, Election):
                        self._stands(seat, action.message.pair.term)
                    others = [other for other in self.seats if other != seat.id]
                    self._send(seat, others, action.message, unicast=False)
                case Unicast():
                    places = [s.id for s in self.seats.values() if s.identity == action.to]
                    self._send(seat, places, action.message, unicast=True)
                case Instruct():
                    self.at(self.now_ns + LINK_NS, self._carried(seat, action.command))
                case ReserveTerms():
                    seat.terms_until = max(seat.terms_until, action.until)
                case StoreRoster():
                    seat.writing = action.roster
                    stored = partial(self._stored, seat, seat.life, action.roster)
                    self.at(self.now_ns + seat.disk_ns, stored)
                case Remember():
                    before = seat.remembered.term if seat.remembered else 0
                    self.checker.acked(self.now_ns, seat.settings.name, before, action.pair.term)
                    seat.remembered = action.pair
                case _:
                    self._publish(seat, action)

    def _stored(self, seat: Seat, life: int, roster: Roster) -> None:
        """The disk has it, if the controller that asked for it still lived until then."""
        if seat.life == life and seat.node is not None:
            seat.roster, seat.writing = roster, None
            self.tell(seat, RosterStored(seat.local_ns(self.now_ns), roster.stamp))

    def _stands(self, seat: Seat, term: int) -> None:
        self.checker.stood(self.now_ns, seat.settings.name, seat.term, term, seat.terms_until)
        seat.term = term

    def _publish(self, seat: Seat, action: Action) -> None:
        if told := words(action):
            self._say(seat, told)
        if isinstance(action, Left):
            self._end(seat)

    def _send(self, seat: Seat, to: list[NodeId], message: Message, *, unicast: bool) -> None:
        assert seat.node is not None, "the dead send nothing"
        boot = seat.node.state.boot
        arrived = decode(encode(message))
        assert not isinstance(arrived, Rejection), f"a node sent what no node reads: {arrived}"
        for other in to:
            sent = Datagram(seat.identity, boot, other, arrived, unicast)
            if self.tap is not None and self.tap(sent):
                continue
            for delay_ns in self.network.arrivals(self.chance, seat.id, other, unicast=unicast):
                self.at(self.now_ns + delay_ns, partial(self.deliver, sent))

    def _carried(self, seat: Seat, command: Command) -> Callable[[], None]:
        return partial(self._command, seat, seat.power, command)

    def _command(self, seat: Seat, power: int, command: Command) -> None:
        if seat.power != power or self.now_ns < seat.hung_until_ns:
            return  # it was on its way when the plug was pulled, or is lost with a hung process
        if isinstance(command, Release):
            seat.dwell.released(command.output, urgent=command.urgent)
        self._firmware_says(seat, seat.firmware.command(command, seat.local_ns(self.now_ns)))

    def _firmware_says(self, seat: Seat, reports: list[FirmwareReport]) -> None:
        for report in reports:
            if isinstance(report, Switched):
                state = report.state
                self._say(
                    seat, f"switches {state.name} {'on' if state.on else 'off'}: {state.cause}"
                )
                self._switched(seat, state)
            self.at(self.now_ns + LINK_NS, partial(self._hear_firmware, seat, seat.life, report))
        self.truth.touched(seat)
        due_ns = seat.firmware.next_deadline_ns()
        if due_ns is not None and due_ns != seat.firmware_due_ns:
            seat.firmware_due_ns = due_ns
            self.at(seat.true_ns(due_ns), partial(self._firmware_wakes, seat, due_ns))

    def _switched(self, seat: Seat, state: OutputState) -> None:
        spec = next(x.spec for x in seat.firmware.loads if x.spec.name == state.name)
        seat.dwell.switched(
            seat.local_ns(self.now_ns),
            spec,
            on=state.on,
            cause=state.cause,
            complain=lambda what: self.checker.complain(
                self.now_ns, f"{what} at {seat.settings.name}"
            ),
        )
        if seat.firmware.surprise_mw():
            self.truth.surprised(seat)

    def _hear_firmware(self, seat: Seat, life: int, report: FirmwareReport) -> None:
        if seat.life == life:
            self.tell(seat, FirmwareReported(seat.local_ns(self.now_ns), report))

    def _telemetry(self, seat: Seat) -> None:
        if seat.id in self.seats and self.now_ns < seat.hung_until_ns:
            self.at(self.now_ns + TELEMETRY_NS, partial(self._telemetry, seat))
        elif seat.id in self.seats:
            now_ns = seat.local_ns(self.now_ns)
            self._firmware_says(seat, [seat.firmware.telemetry(now_ns)])
            self.at(self.now_ns + TELEMETRY_NS, partial(self._telemetry, seat))

    def _arm(self, seat: Seat) -> None:
        if seat.node is None:
            return  # what it has just done was to leave
        due_ns = seat.node.next_deadline_ns(seat.local_ns(self.now_ns))
        if seat.wake_ns != due_ns:
            seat.wake_ns = due_ns
            self.at(seat.true_ns(due_ns), partial(self._wake, seat, seat.life, due_ns))

    def _wake(self, seat: Seat, life: int, due_ns: int) -> None:
        if seat.life == life and seat.wake_ns == due_ns:
            seat.wake_ns = -1
            self.tell(seat, TimePassed(seat.local_ns(self.now_ns)))

    def _firmware_wakes(self, seat: Seat, due_ns: int) -> None:
        if seat.firmware_due_ns == due_ns and self.now_ns >= seat.hung_until_ns:
            seat.firmware_due_ns = -1
            self._firmware_says(seat, seat.firmware.passed(seat.local_ns(self.now_ns)))

    def _say(self, seat: Seat, what: str) -> None:
        self.transcript.say(self.now_ns, seat.settings.name, what)


def _clears(actions: list[Action]) -> bool:
    """Whether a price is about to be sent."""
    return any(isinstance(a, Multicast) and isinstance(a.message, Price) for a in actions)
