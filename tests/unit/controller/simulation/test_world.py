"""The world's wheels: its clock, its seats, its datagrams, and what it writes down."""

from __future__ import annotations

import pytest
from tests.simulation.rack import broker

from rackgrid.core.action import Multicast, Noted, ReserveTerms
from rackgrid.core.event import StopRequested, TimePassed
from rackgrid.core.node import Node
from rackgrid.identity import NO_RACK, NO_STAMP, BootId, NodeId, Pair, Round, Term
from rackgrid.simulation.network import Datagram, Network
from rackgrid.simulation.recipe import rack, seat, seconds
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World
from rackgrid.wire.message import Election, Heartbeat


def lone() -> tuple[World, Seat]:
    world = World(1, 60_000)
    one = seat(1, expect=1)
    world.add(one)
    return world, one


def test_run_lets_time_pass_exactly() -> None:
    world, _ = lone()
    world.run(12_345)
    assert world.now_ns == 12_345


def test_at_happens_in_order_of_time_and_then_of_asking() -> None:
    world, happened = World(1, 0), list[str]()
    world.at(20, lambda: happened.append("c"))
    world.at(10, lambda: happened.append("a"))
    world.at(10, lambda: happened.append("b"))
    world.run(15)
    assert happened == ["a", "b"]
    world.at(3, lambda: happened.append(f"late at {world.now_ns}"))
    world.run(30)
    assert happened == ["a", "b", "late at 15", "c"]


def test_boot_gives_each_life_terms_and_a_boot_id_of_its_own() -> None:
    world, one = lone()
    assert one.node is not None
    first = (one.node.state.boot, one.node.state.settings.terms_from)
    world.kill(one)
    world.boot(one)
    assert one.node is not None
    assert one.node.state.boot != first[0]
    assert one.node.state.settings.terms_from == first[1] + 1000


def test_boot_of_a_running_seat_is_our_bug() -> None:
    world, one = lone()
    with pytest.raises(AssertionError):
        world.boot(one)


def test_kill_timers_of_the_dead_do_not_wake_the_heir() -> None:
    world, one = lone()
    world.run(seconds(1))
    dead = one.node
    world.kill(one)
    world.run(seconds(2))
    world.boot(one)
    assert one.node is not dead
    world.run(seconds(4))
    assert broker(world) is one


def test_kill_what_is_remembered_survives_and_a_power_cycle_forgets_it() -> None:
    world, one = lone()
    world.run(seconds(3))
    pair = one.remembered
    assert pair is not None
    world.kill(one)
    world.boot(one)
    assert one.remembered == pair
    world.power_cycle(one)
    assert one.remembered is None
    assert one.node is not None
    assert not one.node.state.may_vote(one.local_ns(world.now_ns))


def test_power_cycle_outputs_fall() -> None:
    world = rack(1, capacity_w=80)
    world.run(seconds(10))
    one = world.seats[NodeId(101)]
    assert any(s.on and s.deadline_ns for s in one.firmware.state.outputs)
    world.power_cycle(one)
    assert not any(s.on and s.deadline_ns for s in one.firmware.state.outputs)


def test_unplug_takes_the_seat_out_and_its_mail_is_dropped() -> None:
    world = rack(1)
    world.run(seconds(3))
    one = world.seats[NodeId(101)]
    world.unplug(one)
    world.run(seconds(5))
    assert NodeId(101) not in world.seats
    assert world.agreed()


def test_tell_to_a_dead_controller_is_nothing() -> None:
    world, one = lone()
    world.kill(one)
    world.tell(one, TimePassed(0))
    assert one.node is None


def test_agreed_needs_one_broker_and_a_price_at_everybody() -> None:
    world = rack(1)
    assert not world.agreed()
    world.run(seconds(4))
    assert world.agreed()
    (leader,) = world.brokers()
    world.kill(leader)
    assert not world.agreed()


def test_tell_stopped_node_has_left() -> None:
    world, one = lone()
    world.tell(one, StopRequested(one.local_ns(0)))
    assert one.node is None
    assert "has left" in world.transcript.lines[-1]


def test_run_to_a_moment_that_is_over_is_our_bug() -> None:
    world, _ = lone()
    world.run(seconds(1))
    with pytest.raises(AssertionError, match="does not go back"):
        world.run(seconds(1) - 1)


def test_network_of_the_world_is_asked_for_every_datagram() -> None:
    world = rack(1, network=Network(loss=1.0))
    world.run(seconds(4))
    assert world.brokers() == []


def test_tap_sees_every_datagram_and_what_it_keeps_arrives_when_it_is_delivered() -> None:
    world = rack(1)
    world.run(seconds(4))
    kept: list[Datagram] = []

    def taps(sent: Datagram) -> bool:
        if sent.to == NodeId(101) and isinstance(sent.message, Heartbeat):
            kept.append(sent)
            return True
        return False

    world.tap = taps
    node = world.seats[NodeId(101)].node
    assert node is not None
    before = node.state.heartbeat
    world.run(world.now_ns + seconds(0.25))
    assert kept
    assert node.state.heartbeat == before
    world.deliver(kept[0])
    assert node.state.heartbeat == kept[0].message


def test_deliver_to_a_place_that_is_empty_is_nothing() -> None:
    world, one = lone()
    world.unplug(one)
    beat = Heartbeat(Pair(Term(1), NodeId(2), BootId(1)), 1, NO_RACK, False, 0, 0, Round(0))
    world.deliver(Datagram(NodeId(2), BootId(1), one.id, beat, unicast=False))
    assert world.transcript.lines[-1].endswith("is killed")


class Scripted(Node):
    """A node that says what the test wants it to say."""

    def __init__(self, like: Node, batch: list[object]) -> None:
        self.state = like.state
        self.batch = batch

    def handle(self, event: object) -> list[object]:  # type: ignore[override]
        return self.batch


def scripted(batch: list[object]) -> World:
    world, one = lone()
    assert one.node is not None
    one.node = Scripted(one.node, batch)  # pyright: ignore[reportAttributeAccessIssue]
    world.tell(one, TimePassed(0))
    return world


def test_perform_a_term_used_before_it_was_reserved_is_found() -> None:
    of = Pair(Term(9000), NodeId(101), BootId(1))
    call = Multicast(Election(of, 1, 1, NO_RACK, NO_STAMP, True))
    reserve = ReserveTerms(9001)
    assert "reserved to" in scripted([call, reserve]).checker.violations[0]
    assert scripted([reserve, call]).checker.violations == []


def test_perform_words_for_people_go_into_the_transcript() -> None:
    assert scripted([Noted("hello")]).transcript.lines[-1].endswith("hello")
