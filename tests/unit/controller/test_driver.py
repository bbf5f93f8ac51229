"""The driver, with a node that answers as it is told to and ports that write down what they see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from rackgrid.core.action import (
    Action,
    Instruct,
    Left,
    Multicast,
    Noted,
    PriceSent,
    Remember,
    ReserveTerms,
    StoreRoster,
    Unicast,
)
from rackgrid.core.event import (
    DatagramReceived,
    Event,
    FirmwareReported,
    LoopLate,
    StopRequested,
    TimePassed,
)
from rackgrid.core.node import Node
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.driver import DRAIN_MAX, LATE_NS, Driver, guarded
from rackgrid.errors import StoreError
from rackgrid.identity import BootId, NodeId, Pair, Round, Term
from rackgrid.wire.message import Leave, Message, Price
from rackgrid_firmware.link import Command, MakeSafe, Refused, Report

PEER, BOOT = NodeId(5), BootId(6)
PAIR = Pair(Term(3), PEER, BOOT)
REPORT = Refused(1, "lamp", "busy", 0)
SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Arrived:
    """A datagram."""

    message: Message
    sender: NodeId = PEER
    boot: BootId = BOOT
    unicast: bool = False


class Scripted(Node):
    """Takes events and gives the actions that a test has laid out, event by event."""

    def __init__(self, *batches: list[Action]) -> None:
        self.events: list[Event] = []
        self.due_ns = 10 * SECOND
        self._batches = list(batches)

    def handle(self, event: Event) -> list[Action]:
        self.events.append(event)
        return self._batches.pop(0) if self._batches else []

    def next_deadline_ns(self, now_ns: int) -> int:
        return self.due_ns


@dataclass
class World:
    """Every port in one, with one diary of what was done through them."""

    diary: list[object] = field(default_factory=list[object])
    datagrams: list[list[Arrived]] = field(default_factory=list[list[Arrived]])
    reports: list[list[Report]] = field(default_factory=list[list[Report]])
    broken: bool = False
    now_ns: int = SECOND
    flood: bool = False

    def clock(self) -> int:
        return self.now_ns


class Group:
    def __init__(self, world: World) -> None:
        self.world = world

    def multicast(self, message: Message) -> bool:
        self.world.diary.append(("multicast", message))
        return True

    def unicast(self, node: NodeId, message: Message) -> bool:
        self.world.diary.append(("unicast", node, message))
        return True

    def receive(self) -> Sequence[Arrived]:
        if self.world.flood:
            return [Arrived(Leave(1))]
        return self.world.datagrams.pop(0) if self.world.datagrams else []


class Firmware:
    def __init__(self, world: World) -> None:
        self.world = world

    def send(self, command: Command) -> None:
        self.world.diary.append(("instruct", command))

    def receive(self) -> Sequence[Report]:
        return self.world.reports.pop(0) if self.world.reports else []


class Shelf:
    def __init__(self, world: World) -> None:
        self.world = world

    def reserve_terms(self, until: int) -> None:
        self._keep(("reserve", until))

    def remember(self, pair: Pair) -> None:
        self._keep(("remember", pair))

    def _keep(self, promise: object) -> None:
        if self.world.broken:
            raise StoreError("the card is read-only")
        self.world.diary.append(promise)


def driven(node: Node, world: World) -> Driver:
    def publish(action: Action, _at_ns: int) -> None:
        world.diary.append(("publish", action))

    def keep_roster(roster: Roster) -> None:
        world.diary.append(("keep", roster))

    store = Shelf(world)
    return Driver(node, Group(world), Firmware(world), store, keep_roster, publish, world.clock)


def kinds(events: Sequence[Event]) -> list[type[Event]]:
    return [type(event) for event in events]


def test_driver_actions_of_an_event_are_carried_out_in_their_order() -> None:
    world, command = World(), MakeSafe(1)
    batch: list[Action] = [
        ReserveTerms(1000),
        Multicast(Leave(1)),
        Remember(PAIR),
        StoreRoster(NO_ROSTER),
        Unicast(PEER, Leave(2)),
        Instruct(command),
        Noted("so it goes"),
    ]
    driver = driven(Scripted(batch), world)
    driver.handle(TimePassed(SECOND))
    assert world.diary == [
        ("reserve", 1000),
        ("multicast", Leave(1)),
        ("remember", PAIR),
        ("keep", NO_ROSTER),
        ("unicast", PEER, Leave(2)),
        ("instruct", command),
        ("publish", Noted("so it goes")),
    ]
    assert not driver.ended


def test_driver_tells_people_after_it_has_switched_and_sent() -> None:
    world = World()
    batch: list[Action] = [Noted("first"), Instruct(MakeSafe(1)), Noted("second")]
    driven(Scripted(batch), world).handle(TimePassed(SECOND))
    told = [("publish", Noted("first")), ("publish", Noted("second"))]
    assert world.diary == [("instruct", MakeSafe(1)), *told]


def test_driver_price_sent_has_the_moment_before_its_first_datagram_left() -> None:
    """Whoever hears a price may switch before its sender runs again: no edge is to precede it."""
    world = World()
    told: list[tuple[Action, int]] = []

    class Slow(Group):
        def multicast(self, message: Message) -> bool:
            world.now_ns += SECOND
            return super().multicast(message)

    def publish(action: Action, at_ns: int) -> None:
        told.append((action, at_ns))

    price = Price(PAIR, Round(1), 250_000, 2000, 0, 0, 0, 0, False, ())
    sent = PriceSent(PAIR, 1, 250_000, 2 * SECOND)
    batch: list[Action] = [Multicast(Leave(1)), Multicast(price), Multicast(price), sent]
    node, shelf = Scripted([*batch, Noted("done")], [sent]), Shelf(world)
    driver = Driver(node, Slow(world), Firmware(world), shelf, print, publish, world.clock)
    driver.handle(TimePassed(SECOND))
    assert told == [(sent, 2 * SECOND), (Noted("done"), 4 * SECOND)]
    driver.handle(TimePassed(SECOND))
    assert told[2:] == [(sent, 4 * SECOND)], "of a batch that sends none, it is when it was told"


def test_driver_event_is_carried_out_before_the_next_is_looked_at() -> None:
    world = World(datagrams=[[Arrived(Leave(1)), Arrived(Leave(2))]])
    node = Scripted([Noted("first")], [Noted("second")])
    seen: list[list[object]] = []
    handle = node.handle

    def watching(event: Event) -> list[Action]:
        seen.append(list(world.diary))
        return handle(event)

    node.handle = watching
    driven(node, world).pump()
    assert seen[:2] == [[], [("publish", Noted("first"))]]


def test_driver_sockets_are_drained_before_time_passes() -> None:
    world = World(
        datagrams=[[Arrived(Leave(1))], [Arrived(Leave(2), unicast=True)]], reports=[[REPORT]]
    )
    node = Scripted()
    node.due_ns = 0
    driven(node, world).pump()
    assert node.events == [
        FirmwareReported(SECOND, REPORT),
        DatagramReceived(SECOND, PEER, BOOT, False, Leave(1)),
        DatagramReceived(SECOND, PEER, BOOT, True, Leave(2)),
        TimePassed(SECOND),
    ]


def test_driver_time_that_is_not_due_is_no_event() -> None:
    node, world = Scripted(), World()
    driven(node, world).pump()
    assert node.events == []


def test_driver_flood_does_not_stop_the_clock() -> None:
    node, world = Scripted(), World(flood=True)
    node.due_ns = 0
    driven(node, world).pump()
    assert kinds(node.events) == [DatagramReceived] * DRAIN_MAX + [TimePassed]


def test_driver_datagrams_carry_the_moment_at_which_they_were_taken() -> None:
    world = World(datagrams=[[Arrived(Leave(1)), Arrived(Leave(2))]])
    node = Scripted()
    handle = node.handle

    def slow(event: Event) -> list[Action]:
        world.now_ns += SECOND
        return handle(event)

    node.handle = slow
    driven(node, world).pump()
    assert [event.now_ns for event in node.events] == [SECOND, 2 * SECOND]


def test_driver_loop_that_wakes_late_says_so_before_anything_else() -> None:
    world, node = World(), Scripted()
    driver = driven(node, world)
    node.due_ns = 2 * SECOND
    assert driver.rest() == 2 * SECOND
    world.now_ns = 2 * SECOND + LATE_NS + 1
    world.datagrams = [[Arrived(Leave(1))]]
    driver.pump()
    assert kinds(node.events) == [LoopLate, DatagramReceived, TimePassed]
    assert node.events[0] == LoopLate(world.now_ns, LATE_NS + 1)


def test_driver_loop_that_wakes_in_time_or_early_is_not_late() -> None:
    world, node = World(), Scripted()
    driver = driven(node, world)
    node.due_ns = 2 * SECOND
    driver.rest()
    for now_ns in (SECOND + 1, 2 * SECOND + LATE_NS):
        world.now_ns = now_ns
        driver.pump()
    assert kinds(node.events) == [TimePassed]


def test_driver_rest_follows_the_last_event() -> None:
    node, world = Scripted(), World()
    driver = driven(node, world)
    driver.pump()
    node.due_ns = 3 * SECOND
    driver.handle(StopRequested(SECOND))
    assert driver.rest() == 3 * SECOND


@pytest.mark.parametrize("promise", [ReserveTerms(9), Remember(PAIR)])
def test_driver_promise_that_cannot_be_kept_ends_it_before_the_message_leaves(
    promise: Action,
) -> None:
    world = World(broken=True)
    driver = driven(Scripted([promise, Multicast(Leave(1))]), world)
    with pytest.raises(StoreError, match="read-only"):
        driver.handle(TimePassed(SECOND))
    assert driver.ended
    assert world.diary == []


def test_driver_node_that_has_left_ends_it_and_is_published() -> None:
    world = World()
    driver = driven(Scripted([Multicast(Leave(1)), Left()]), world)
    driver.handle(StopRequested(SECOND))
    assert driver.ended
    assert world.diary == [("multicast", Leave(1)), ("publish", Left())]


def test_guarded_callback_hands_on_what_it_raises_and_nothing_else() -> None:
    faults: list[Exception] = []
    done: list[int] = []

    def run(step: Callable[[], None]) -> None:
        guarded(step, faults.append)()

    def fail() -> None:
        raise ValueError("a bug")

    run(lambda: done.append(1))
    run(fail)
    assert done == [1]
    assert [str(fault) for fault in faults] == ["a bug"]


def test_guarded_callback_does_not_stop_an_interrupt() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded(interrupt, lambda _: None)()
