"""Who goes off the roster: by its own word, or an operator's; never by silence alone (P1)."""

from __future__ import annotations

import pytest
from tests.unit.controller.core.chair import (
    ANNA,
    BERT,
    CARL,
    THREE,
    acks,
    base,
    beacons,
    elected,
    joins,
    keep,
    line_of,
    office,
    rounds,
    with_room,
)
from tests.unit.controller.core.stage import ME, Player, line, report, roster, settings

from rackgrid.core.event import ForgetRequested
from rackgrid.core.settings import SECOND_NS
from rackgrid.identity import NodeId
from rackgrid.wire.message import Forget, Leave


def leaves(player: Player, who: int, boot: int | None = None) -> None:
    player.hears(who, Leave(5000), boot=boot, unicast=False)


def test_left_releases_floor_and_vote_once_it_is_agreed_and_its_watts_stay_counted() -> None:
    player = with_room()
    leaves(player, BERT)
    assert base(player).line(NodeId(BERT)) is not None
    acks(player, ANNA)
    assert base(player).line(NodeId(BERT)) is None
    assert BERT in office(player).book.accounts


def test_left_with_two_votes_gives_one_back_first() -> None:
    """Fails if the sum of votes moves by two: two majorities could miss each other."""
    keeps = roster(line(ME, priority=5), line(ANNA, votes=2, meters_feed=True))
    player = with_room(settings(expect=2), keeps)
    leaves(player, ANNA)
    assert [x.votes for x in office(player).agreement.newest.lines] == [1, 1]
    acks(player, ANNA)
    leaves(player, ANNA)
    assert [x.node for x in office(player).agreement.newest.lines] == [ME]


def leaves_as_the_only_voter() -> Player:
    """Anna alone votes; she leaves, and this node, which leads by her vote, has none."""
    me = line(ME, votes=0, priority=5)
    player = elected(keeps=roster(me, ANNA, line(BERT, votes=0)))
    acks(player, ANNA)
    rounds(player)
    acks(player, ANNA)
    return player


def test_left_only_voter_gives_its_vote_to_another_first() -> None:
    """Fails if a roster comes about that has no votes: nobody could ever lead by it."""
    player = leaves_as_the_only_voter()
    rounds(player)
    for _ in range(4):
        leaves(player, ANNA)
        newest = office(player).agreement.newest
        assert newest.votes > 0
        if base(player).line(NodeId(ANNA)) is None:
            break
        acks(player, ANNA)
        acks(player, BERT)
        rounds(player)
    assert [(x.node, x.votes) for x in base(player).lines] == [(BERT, 0), (ME, 1)]


def test_left_only_voter_waits_while_nobody_can_take_its_vote() -> None:
    player = elected(keeps=roster(line(ME, votes=0, priority=5), ANNA, line(BERT, votes=0)))
    player.disk = False
    acks(player, ANNA)
    rounds(player)
    acks(player, ANNA)
    assert office(player).agreement.is_free, "her vote alone agrees it; this disk is slow"
    leaves(player, ANNA)
    assert office(player).agreement.is_free
    assert line_of(player, ANNA).votes == 1


def test_left_of_a_dead_boot_or_without_authority_or_while_a_change_waits_is_nothing_yet() -> None:
    dead = with_room()
    leaves(dead, BERT, boot=4711)
    assert office(dead).agreement.is_free
    early = elected()
    leaves(early, BERT)
    assert office(early).agreement.proposed is None
    busy = with_room()
    joins(busy, CARL)
    leaves(busy, BERT)
    assert office(busy).agreement.newest.line(NodeId(BERT)) is not None


def test_left_of_a_stranger_or_heard_by_a_member_is_nothing() -> None:
    for player in (with_room(), Player(settings(), keeps=THREE)):
        before = player.node.state.roster
        leaves(player, CARL)
        assert player.node.state.roster == before


def silent_for(player: Player, span_ns: int) -> None:
    """Let time pass in which Bert is not heard."""
    keep(player, span_ns, ANNA)


@pytest.mark.parametrize("by_message", [True, False], ids=["told by a member", "asked here"])
def test_forgotten_node_that_is_silent_is_released(by_message: bool) -> None:
    player = with_room()
    silent_for(player, 4 * SECOND_NS)
    if by_message:
        player.hears(ANNA, Forget(NodeId(BERT)))
    else:
        player.happens(ForgetRequested(player.now_ns, NodeId(BERT)))
    keep(player, 2 * SECOND_NS, ANNA)
    assert base(player).line(NodeId(BERT)) is None


def test_forgotten_node_that_is_heard_stays() -> None:
    player = with_room()
    beacons(player, BERT)
    player.hears(ANNA, Forget(NodeId(BERT)))
    keep(player, SECOND_NS, ANNA, BERT)
    assert base(player).line(NodeId(BERT)) is not None


def test_forgotten_node_that_speaks_up_again_meanwhile_stays() -> None:
    player = with_room()
    silent_for(player, 4 * SECOND_NS)
    player.happens(ForgetRequested(player.now_ns, NodeId(BERT)))
    acks(player, BERT, report(10**6))
    rounds(player)
    assert office(player).agreement.is_free
    assert base(player).line(NodeId(BERT)) is not None
