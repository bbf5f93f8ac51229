"""What a node is, who else there is, and whether it may lead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.core.ballot import ack, beacon
from tests.unit.controller.core.stage import (
    ME,
    RACK,
    START_NS,
    TIMING,
    Player,
    line,
    pair,
    roster,
    settings,
)

from rackgrid.core import broker
from rackgrid.core.action import Noted, RoleChanged, StoreRoster
from rackgrid.core.authority import NEVER
from rackgrid.core.election import Following, Leading, Listening, Standing
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.core.settings import SECOND_NS
from rackgrid.core.state import NOTES_MAX, State
from rackgrid.identity import NO_PAIR, NO_RACK, NodeId, RackId, Rank
from rackgrid.wire.message import NODES_MAX
from rackgrid.wire.vocabulary import Role

NOW = START_NS
ANNA, BERT = NodeId(1), NodeId(9)


def state(expect: int = 3, keeps: Roster = NO_ROSTER) -> State:
    return Player(settings(expect=expect), remembered=pair(1), keeps=keeps).node.state


def hear(
    player: Player, who: int, priority: int = 0, version: int = 1, rack: RackId = RACK
) -> None:
    player.hears(who, beacon(priority, version, rack=rack), unicast=False)


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


def test_rank_of_an_admitted_node_is_its_lines_whatever_it_says() -> None:
    node = state(keeps=roster(line(ME, priority=3), line(ANNA, priority=8)))
    assert node.rank_of(ANNA, 65_535) == Rank(8, ANNA)
    assert node.rank == Rank(3, ME)


def test_rank_of_a_node_that_is_not_on_the_roster_is_below_all_others() -> None:
    node = state(keeps=roster(line(ME, priority=0)))
    assert node.rank_of(BERT, 65_535) < node.rank


def test_rank_of_anybody_before_there_is_a_roster_is_what_it_says() -> None:
    node = state()
    assert node.rank_of(BERT, 7) == Rank(7, BERT)
    assert node.rank == Rank(5, ME)


def test_rank_of_an_expelled_node_is_below_all_others() -> None:
    node = state(keeps=roster(ME, line(ANNA, priority=9)).with_expelled(ANNA))
    assert node.rank_of(ANNA, 9) < node.rank


def test_higher_goes_by_the_lines_of_those_that_are_heard() -> None:
    kept = roster(
        line(ME, priority=5), line(1, priority=6), line(8, priority=4), line(7, priority=9)
    )
    player = Player(settings(), remembered=pair(1), keeps=kept)
    for who, claimed in ((1, 0), (8, 65_535), (9, 65_535)):
        hear(player, who, claimed)
    node = player.node.state
    assert node.higher(NOW, NodeId(0)) == {1}, "seven is not heard, eight and nine only claim it"
    assert node.higher(NOW, NodeId(1)) == frozenset()
    assert node.higher(NOW + node.silence_ns + 1, NodeId(0)) == frozenset()


def test_report_counts_what_is_drawn_of_a_floor_that_is_not_reserved_as_excess() -> None:
    """Fails if a floor that no operator has allowed is drawn and counted by nobody (P8)."""
    for reserved_mw, beyond_mw in ((5000, 0), (9000, 0), (3000, 2000), (0, 5000)):
        node = state(keeps=roster(line(ME, reserved_mw), ANNA))
        said = node.report(NOW)
        assert (said.required_mw, said.excess_mw) == (5000, beyond_mw)


# --- whose word counts (P7) ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "lost", "leads", "founds"),
    [
        (roster(ME, ANNA), False, True, True),
        (roster(ME, ANNA), True, False, False),
        (roster(ME, ANNA, founding=True), True, True, True),
        (NO_ROSTER, True, False, True),
    ],
    ids=["has one", "lost it and was given one", "is founding", "has none"],
)
def test_votes_a_node_that_lost_its_roster_has_none_but_to_found_a_rack(
    kept: Roster, lost: bool, leads: bool, founds: bool
) -> None:
    node = Player(settings(), remembered=pair(1), keeps=kept).node.state
    node.is_lost = lost
    assert node.votes(NOW, founding=False) is leads
    assert node.votes(NOW, founding=True) is founds


def test_votes_in_the_quiet_time_nobody_does() -> None:
    node = Player(settings(), keeps=roster(ME, ANNA)).node.state
    assert not node.votes(NOW, founding=True)
    assert node.votes(NOW + TIMING.quiet_ns, founding=False)


def test_lost_is_whoever_starts_without_a_roster() -> None:
    assert Player(settings()).node.state.is_lost
    assert not Player(settings(), keeps=roster(ME)).node.state.is_lost


def test_backed_of_no_rack_by_most_of_those_that_are_expected() -> None:
    node = state(expect=4)
    assert node.founds
    assert not node.is_backed({ANNA})
    assert node.is_backed({ANNA, BERT})


def test_backed_founding_by_most_of_those_on_the_roster_whatever_their_votes() -> None:
    lines = (line(ME), line(ANNA, votes=0), line(BERT, votes=0))
    node = state(keeps=roster(*lines, founding=True))
    assert node.founds
    assert not node.is_backed({NodeId(77)})
    assert node.is_backed({ANNA})


def test_backed_with_a_roster_by_its_majority_and_not_by_the_expected() -> None:
    node = state(expect=1, keeps=roster(ME, ANNA, BERT))
    assert not node.founds
    assert not node.is_backed(frozenset())
    assert not node.is_backed({NodeId(77)})
    assert node.is_backed({ANNA})


def leading(kept: Roster, *acks: NodeId) -> State:
    """A broker whose only heartbeat, sent now, these have answered."""
    node = state(keeps=kept)
    office, _ = broker.beat(broker.taken(pair(3, ME), kept, {}, NOW), NOW, TIMING)
    for who in acks:
        office = broker.voted(office, who, ack(pair(3, ME)))
    node.office = office
    return node


def test_authority_own_vote_never_lapses_and_the_others_do() -> None:
    node, t = leading(roster(ME, ANNA, BERT), ANNA), TIMING.authority_ns
    assert node.authority_until_ns(NOW + 5) == NOW + t
    assert node.has_authority(NOW + t - 1)
    assert not node.has_authority(NOW + t)


def test_authority_without_the_own_vote_is_the_others_alone() -> None:
    alone = leading(roster(line(ME, votes=2), line(ANNA)))
    assert alone.authority_until_ns(NOW) == NOW + TIMING.authority_ns
    assert alone.authority_until_ns(NOW, own_vote=False) > NOW + TIMING.authority_ns
    alone.is_lost = True
    assert alone.authority_until_ns(NOW) == NEVER


def test_authority_of_nobody_in_office_is_none() -> None:
    node = state()
    assert not node.has_authority(NOW)
    with pytest.raises(AssertionError, match="only a broker"):
        node.authority_until_ns(NOW)


# --- who may lead ----------------------------------------------------------------------------


def able() -> Player:
    player = Player(settings(expect=2), remembered=pair(1), keeps=roster(ME, ANNA, version=3))
    hear(player, 1, version=3)
    return player


def test_may_stand_with_all_that_it_takes() -> None:
    assert able().node.state.may_stand(NOW)


def test_may_stand_without_any_one_of_them_it_may_not() -> None:
    late, unarmed, leaving, quiet, stranger, lost, aside = (able().node.state for _ in range(7))
    late.late_until_ns = NOW + 1
    unarmed.agent = replace(unarmed.agent, board=None)
    leaving.leave_ns = NOW
    quiet.quiet_until_ns = NOW + 1
    stranger.roster = replace(stranger.roster, lines=(line(ANNA),))
    lost.is_lost = True
    aside.aside_until_ns = NOW + 1
    for node in (late, unarmed, leaving, quiet, stranger, lost, aside):
        assert not node.may_stand(NOW)


def test_may_stand_a_live_peer_with_a_newer_roster_goes_first() -> None:
    player = able()
    hear(player, 2, version=4)
    assert not player.node.state.may_stand(NOW)
    assert player.node.state.may_stand(NOW + player.node.state.silence_ns + 1)


def test_may_stand_third_attempt_waits_no_longer_for_whoever_knows_more() -> None:
    """It may not be able to lead itself; then the voters decide, who know what they have stored."""
    player = able()
    hear(player, 2, version=4)
    assert [player.node.state.may_stand(NOW, attempt) for attempt in (0, 1, 2)] == [
        False,
        False,
        True,
    ]


def test_may_stand_newer_roster_of_another_rack_is_none_of_its_business() -> None:
    player = able()
    hear(player, 2, version=4, rack=RackId(7))
    assert player.node.state.may_stand(NOW)


def test_may_stand_to_found_a_rack_when_all_that_are_expected_are_heard() -> None:
    player = Player(settings(expect=3), remembered=pair(1))
    hear(player, 1, rack=NO_RACK)
    assert not player.node.state.may_stand(NOW)
    hear(player, 2, rack=NO_RACK)
    assert player.node.state.may_stand(NOW)


def test_may_stand_to_found_a_rack_never_beside_one_nor_with_too_many() -> None:
    """Fails if a node that lost its roster founds a second rack on the same feed."""
    beside = Player(settings(expect=2), remembered=pair(1))
    hear(beside, 1, rack=NO_RACK)
    hear(beside, 2)
    assert not beside.node.state.may_stand(NOW)
    crowd = Player(settings(expect=2), remembered=pair(1))
    for who in range(10, 10 + NODES_MAX):
        hear(crowd, who, rack=NO_RACK)
    assert not crowd.node.state.may_stand(NOW)


# --- what it says ----------------------------------------------------------------------------


def test_report_is_numbered_and_remembers_what_was_said() -> None:
    node = state()
    assert [node.report(NOW).bid_seq, node.report(NOW).bid_seq] == [1, 2]
    assert (node.reported_mw, node.beyond_mw) == (0, 0)


def test_store_is_asked_for_and_is_not_the_nodes_before_it_is_done() -> None:
    node, newer = state(keeps=roster(ME)), roster(ME, version=2)
    node.out.clear()
    node.store(newer)
    assert node.out == [StoreRoster(newer)]
    assert (node.storing, node.roster.version) == (newer, 1)


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
    node.roster = roster(ME)
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
