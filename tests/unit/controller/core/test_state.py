"""What a node is, who else there is, and whether it may lead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.core.stage import ME, START_NS, TIMING, Player, pair, settings

from rackgrid.core.action import Noted, RoleChanged
from rackgrid.core.election import Following, Leading, Listening, Standing
from rackgrid.core.roster import NO_ROSTER
from rackgrid.core.settings import SECOND_NS
from rackgrid.core.state import NOTES_MAX, State
from rackgrid.identity import NO_PAIR, NodeId
from rackgrid.wire.message import Beacon, Role, RosterLine, pair_wire

NOW = START_NS
ANNA, BERT = NodeId(1), NodeId(9)


def state(expect: int = 3) -> State:
    return Player(settings(expect=expect), remembered=pair(1)).node.state


def line(node: NodeId, votes: int = 1) -> RosterLine:
    return RosterLine(node, f"n{node}", 0, 1000, votes)


def hear(player: Player, who: int, priority: int = 0, version: int = 0) -> None:
    followed = pair_wire(NO_PAIR)
    said = Beacon("x", priority, Role.MEMBER, followed, version, 0, 0, 0, ())
    player.hears(who, said, unicast=False)


def test_followed_and_bar_each_role() -> None:
    node = state()
    assert (node.followed, node.bar) == (NO_PAIR, pair(1))
    node.election = Following(pair(7), NOW, 1, NOW)
    assert (node.followed, node.bar) == (pair(7), pair(7))
    node.fence = pair(8)
    assert node.bar == pair(8)


@pytest.mark.parametrize("remembered", [True, False])
def test_may_vote_quiet_without_memory(remembered: bool) -> None:
    node = Player(settings(), remembered=pair(1) if remembered else None).node.state
    assert node.may_vote(NOW) is remembered
    assert node.may_vote(NOW + TIMING.quiet_ns)
    assert node.may_vote(NOW + TIMING.quiet_ns - 1) is remembered


def test_live_and_rank_index_leave_out_the_silent_and_the_broker() -> None:
    player = Player(settings(), remembered=pair(1))
    for who, priority in ((1, 0), (8, 9), (9, 9)):
        hear(player, who, priority)
    node = player.node.state
    assert [p.node for p in node.live(NOW)] == [9, 8, 1]
    assert node.rank_index(NOW, NodeId(9)) == 1
    assert node.rank_index(NOW, NodeId(1)) == 2
    assert node.live(NOW + node.silence_ns + 1) == ()


def test_majority_before_it_is_formed_is_of_the_heard_if_they_are_as_many_as_expected() -> None:
    player = Player(settings(expect=3), remembered=pair(1))
    hear(player, 1)
    assert player.node.state.majority(NOW) is None
    for who in (2, 3, 4):
        hear(player, who)
    assert player.node.state.majority(NOW) == 3
    player.node.state.adopt(NO_ROSTER.with_line(line(ME)))
    assert player.node.state.majority(NOW) == 3
    assert player.node.state.votes_of(NodeId(77)) == 1


def test_majority_of_a_formed_roster_is_the_rosters() -> None:
    node = state(expect=2)
    node.adopt(NO_ROSTER.with_line(line(ME)).with_line(line(ANNA)).with_line(line(BERT, 0)))
    assert node.is_formed
    assert node.majority(NOW) == 2
    assert [node.votes_of(n) for n in (ME, ANNA, BERT, NodeId(77))] == [1, 1, 0, 0]


def test_formed_once_stays_formed() -> None:
    node = state(expect=2)
    made = NO_ROSTER.with_line(line(ME)).with_line(line(ANNA))
    node.adopt(made)
    node.adopt(made.without(ANNA))
    assert node.is_formed
    assert node.votes_needed == 1


def able() -> Player:
    player = Player(settings(expect=2), remembered=pair(1))
    hear(player, 1, version=3)
    roster = NO_ROSTER.with_line(line(ME)).with_line(line(ANNA))
    player.node.state.adopt(replace(roster, version=3))
    return player


def test_may_stand_with_all_that_it_takes() -> None:
    assert able().node.state.may_stand(NOW)


def test_may_stand_without_any_one_of_them_it_may_not() -> None:
    late, unarmed, leaving, quiet, stranger = (able().node.state for _ in range(5))
    late.late_until_ns = NOW + 1
    unarmed.agent = replace(unarmed.agent, board=None)
    leaving.leave_ns = NOW
    quiet.quiet_until_ns = NOW + 1
    stranger.roster = replace(stranger.roster, lines=(line(ANNA),))
    for node in (late, unarmed, leaving, quiet, stranger):
        assert not node.may_stand(NOW)


def test_may_stand_a_live_peer_with_a_newer_roster_goes_first() -> None:
    player = able()
    hear(player, 2, version=4)
    assert not player.node.state.may_stand(NOW)
    assert player.node.state.may_stand(NOW + player.node.state.silence_ns + 1) is True


def test_note_same_text_is_said_once_until_it_is_forgotten() -> None:
    node = state()
    node.out.clear()
    node.note("a")
    node.note("a")
    assert node.out == [Noted("a")]
    for number in range(NOTES_MAX):
        node.note(str(number))
    assert len(node.notes) == NOTES_MAX
    node.note("a")
    assert node.out.count(Noted("a")) == 2


def test_become_says_a_change_once_and_hurries_the_beacon() -> None:
    node = state()
    node.out.clear()
    node.beacon_ns = NOW + SECOND_NS
    node.election = Following(pair(7), NOW, 1, NOW)
    node.become("heard", NOW)
    node.become("heard", NOW)
    assert node.out == [RoleChanged(Role.JOINING, pair(7), "heard")]
    assert node.beacon_ns < NOW + SECOND_NS // 10


def test_role_of_each_state() -> None:
    node = state()
    roles: list[Role] = []
    standing = Standing(pair(7), 1, {}, frozenset(), NOW, NOW, 0)
    following = Following(pair(7), NOW, 1, NOW)
    for which in (Listening(0), following, standing, Leading(pair(7))):
        node.election = which
        node.become("test", NOW)
        roles.append(node.role)
    node.adopt(NO_ROSTER.with_line(line(ME)))
    for which in (Listening(0), following):
        node.election = which
        node.become("test", NOW)
        roles.append(node.role)
    assert roles == [
        Role.JOINING,
        Role.JOINING,
        Role.CANDIDATE,
        Role.BROKER,
        Role.ISLANDED,
        Role.MEMBER,
    ]
