"""Whom a broker hears."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.core.chair import (
    ANNA,
    BERT,
    CARL,
    acks,
    base,
    joins,
    keep,
    office,
    with_room,
)
from tests.unit.controller.core.stage import ME, Player, settings

from rackgrid.core import presence
from rackgrid.core.settings import SECOND_NS, Timing
from rackgrid.identity import NodeId


def heard(player: Player) -> set[NodeId]:
    state = player.node.state
    return set(presence.present(state, office(player), player.now_ns))


def test_present_are_those_that_ack_and_have_stored_the_newest_roster() -> None:
    player = with_room()
    assert heard(player) == {ANNA, BERT, ME}
    joins(player, CARL)
    acks(player, ANNA)
    assert heard(player) == {ANNA, ME}
    acks(player, BERT)
    assert heard(player) == {ANNA, BERT, ME}, "Carl has not stored it yet"


def test_present_whoever_is_silent_for_long_enough_to_be_absent_is_not() -> None:
    player = with_room()
    keep(player, 2 * SECOND_NS, ANNA)
    assert heard(player) == {ANNA, ME}
    state = player.node.state
    assert presence.is_heard(state, office(player), NodeId(ANNA), player.now_ns)
    assert not presence.is_heard(state, office(player), NodeId(BERT), player.now_ns)


def test_gone_are_those_that_were_silent_for_so_long_that_they_lose_their_vote() -> None:
    player = with_room(settings(expect=3, timing=Timing(demote_after_ns=5 * SECOND_NS)))
    keep(player, 4 * SECOND_NS, ANNA)
    assert presence.gone(player.node.state, office(player), player.now_ns) == frozenset()
    keep(player, 2 * SECOND_NS, ANNA)
    assert presence.gone(player.node.state, office(player), player.now_ns) == {BERT}


def test_expelled_nodes_are_gone_at_once_and_get_no_vote_back() -> None:
    player = with_room()
    kept = base(player).with_expelled(NodeId(BERT))
    agreement = replace(office(player).agreement, base=kept, stored=dict.fromkeys((1, 2, 5), 99))
    held = replace(office(player), agreement=replace(agreement, stored={1: 2, 2: 2, 5: 2}))
    state = player.node.state
    assert presence.gone(state, held, player.now_ns) == {BERT}
    assert BERT not in presence.present(state, held, player.now_ns)
    assert presence.heard(state, held, player.now_ns) == {ANNA, ME}
