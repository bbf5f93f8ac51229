"""A member asks for admission, takes rosters, and minds being removed."""

from __future__ import annotations

from itertools import pairwise

from tests.unit.controller.core.stage import ME, Player, attached, messages, pair, settings, spec

from rackgrid.core.action import Noted
from rackgrid.core.event import FirmwareLost, LeaveRequested
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import NodeId, Round
from rackgrid.wire.message import (
    Ack,
    Heartbeat,
    Join,
    JoinReply,
    Remove,
    Role,
    RosterLine,
    RosterUpdate,
    pair_wire,
)

BERT = 9
OF = pair(4, BERT)


def beat(player: Player, seq: int, version: int) -> list[object]:
    said = Heartbeat(pair_wire(OF), seq, version, Round(0))
    return list(messages(player.hears(BERT, said, unicast=False)))


def update(version: int, *nodes: int, floor_mw: int = 5000) -> RosterUpdate:
    lines = tuple(RosterLine(NodeId(n), f"n{n}", 0, floor_mw, 1) for n in nodes)
    return RosterUpdate(pair_wire(OF), version, lines)


def following(version: int = 1) -> Player:
    player = Player(settings(), remembered=pair(1))
    beat(player, 1, version)
    return player


def admitted() -> Player:
    player = following()
    player.hears(BERT, update(1, ME, BERT), unicast=False)
    return player


def test_join_is_sent_to_the_broker_that_is_heard() -> None:
    player = Player(settings(), remembered=pair(1))
    (join,) = [m for m in beat(player, 1, 1) if isinstance(m, Join)]
    assert (join.name, join.priority, join.floor_mw) == ("n5", 5, 5000)


def test_join_unanswered_is_repeated_with_growing_waits() -> None:
    player, times = following(), list[int]()
    for seq in range(2, 70):
        beat(player, seq, 1)
        start = player.now_ns
        if any(isinstance(m, Join) for m in messages(player.passes(100 * MS_NS))):
            times.append(start)
    waits = [(b - a) // MS_NS for a, b in pairwise(times)]
    assert 3 <= len(times) <= 8
    assert waits[-1] >= 2000
    assert max(waits) <= 2700


def test_join_ends_with_the_admission() -> None:
    player = admitted()
    assert player.node.state.role is Role.MEMBER
    assert player.node.state.join_ns is None
    assert not any(isinstance(m, Join) for m in messages(player.passes(250 * MS_NS)))


def test_join_without_firmware_or_broker_is_not_sent() -> None:
    lost = following()
    lost.node.handle(FirmwareLost(lost.now_ns))
    assert not any(isinstance(m, Join) for m in messages(lost.passes(250 * MS_NS)))
    assert lost.node.state.join_ns is None
    dark = Player(settings(), remembered=pair(1), with_firmware=False)
    assert not any(isinstance(m, Join) for m in beat(dark, 1, 1))


def test_join_again_when_the_floor_has_changed() -> None:
    player = admitted()
    more = (spec("fan", 4000, required=True, inrush_mw=4000),)
    player.hears_firmware(attached((), more))
    (join,) = [m for m in messages(player.said) if isinstance(m, Join)][-1:]
    assert join.floor_mw == 6000


def test_join_again_when_the_roster_was_missed() -> None:
    player = admitted()
    beat(player, 2, 2)
    assert any(isinstance(m, Join) for m in messages(player.passes(MS_NS)) + messages(player.said))


def test_join_is_not_asked_for_by_a_node_that_leaves() -> None:
    player = admitted()
    player.node.state.leave_ns = player.now_ns + SECOND_NS
    before = len(player.said)
    beat(player, 2, 7)
    assert not any(isinstance(m, Join) for m in messages(player.said[before:]))


def test_refusal_is_passed_on_to_the_operator_once() -> None:
    player = following()
    reply = JoinReply(1, pair_wire(OF), False, "its floor does not fit")
    said = player.hears(BERT, reply) + player.hears(BERT, reply)
    assert said.count(Noted("not admitted to the rack: its floor does not fit")) == 1


def test_refusal_of_another_broker_and_admission_say_nothing() -> None:
    player = following()
    assert player.hears(BERT, JoinReply(1, pair_wire(OF), True, "")) == []
    other = JoinReply(1, pair_wire(pair(3, BERT)), False, "no")
    assert player.hears(BERT, other) == []


def test_roster_of_the_followed_broker_is_taken_and_acked() -> None:
    player = following()
    said = messages(player.hears(BERT, update(1, ME, BERT), unicast=False))
    (ack,) = [m for m in said if isinstance(m, Ack)]
    assert ack.roster_version == 1
    assert player.node.state.roster.version == 1


def test_roster_of_anybody_else_is_not_taken() -> None:
    player = following()
    lines = update(5, ME).lines
    player.hears(BERT, RosterUpdate(pair_wire(pair(9, BERT)), 5, lines), unicast=False)
    player.hears(3, update(5, ME), unicast=False)
    assert player.node.state.roster.version == 0


def test_roster_overtaken_on_its_way_is_not_taken_and_the_sender_is_told() -> None:
    """Fails if a newer roster, with somebody's floor in it, can be forgotten."""
    player = following()
    player.hears(BERT, update(7, ME, BERT, 3), unicast=False)
    said = messages(player.hears(BERT, update(6, ME, BERT), unicast=False))
    assert player.node.state.roster.version == 7
    assert [m.roster_version for m in said if isinstance(m, Ack)] == [7]


def test_removed_itself_says_so_and_acks_again() -> None:
    player = admitted()
    said = player.hears(BERT, Remove(pair_wire(OF), ME, 1200, "no ack"), unicast=False)
    assert any(isinstance(a, Noted) and "does not hear" in a.text for a in said)
    assert any(isinstance(m, Ack) for m in messages(said))


def test_removed_another_is_not_its_business() -> None:
    player = admitted()
    other = Remove(pair_wire(OF), NodeId(3), 1200, "no ack")
    assert player.hears(BERT, other, unicast=False) == []


def test_leave_of_a_member_with_everything_off_is_said_until_the_roster_is_without_it() -> None:
    player = admitted()
    before = len(player.said)
    player.said += player.node.handle(LeaveRequested(player.now_ns))
    player.passes(250 * MS_NS)
    said = [type(m).__name__ for m in messages(player.said[before:])]
    assert said.count("Leave") == 3
    player.hears(BERT, update(2, BERT), unicast=False)
    assert player.node.state.ended
