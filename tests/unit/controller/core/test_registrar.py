"""The broker's side of the roster: coming, going, and votes (P7); founding is beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.core.ballot import ack
from tests.unit.controller.core.chair import (
    ANNA,
    BERT,
    CARL,
    THREE,
    acks,
    base,
    beacons,
    elected,
    formed,
    join_of,
    joins,
    keep,
    line_of,
    notes,
    office,
    rounds,
    with_room,
)
from tests.unit.controller.core.stage import (
    FOUNDER,
    ME,
    TIMING,
    Player,
    all_of,
    line,
    only,
    pair,
    report,
    roster,
    settings,
)

from rackgrid.core import registrar
from rackgrid.core.action import StoreRoster
from rackgrid.core.event import AllowRequested
from rackgrid.core.registrar import JOINING_MAX
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.core.settings import SECOND_NS, Timing
from rackgrid.identity import NO_RACK, Limit, NodeId, Stamp
from rackgrid.wire.message import Heartbeat, JoinReply, Price, RosterUpdate

H = TIMING.heartbeat_ns
NOBODY_HAS_ONE = NO_ROSTER.stamp
DORA = 4


# --- the first agreement of a term -----------------------------------------------------------


def test_amend_with_authority_has_its_roster_agreed_anew_before_anything_else() -> None:
    player = elected()
    joins(player, CARL)
    acks(player, ANNA)
    joins(player, CARL)
    said = rounds(player)
    update = only(RosterUpdate, said)
    assert (update.version, update.agreed_version, update.founding) == (1, 0, False)
    assert [x.node for x in update.lines] == [ANNA, BERT, ME], "Carl is not on it yet"
    assert [a.roster for a in said if isinstance(a, StoreRoster)] == [player.node.state.roster]
    player.passes(H)
    assert all_of(Heartbeat, player.said)[-1].roster_version == 1


def test_stored_by_a_majority_is_agreed_and_said_in_the_heartbeat() -> None:
    player = formed()
    player.passes(H)
    assert all_of(Heartbeat, player.said)[-1].agreed_version == 1


def test_stored_by_the_own_disk_last_completes_the_agreement() -> None:
    player = elected()
    player.disk = False
    acks(player, ANNA)
    rounds(player)
    acks(player, ANNA)
    assert not office(player).agreement.is_free, "its own disk is slow"
    player.stores()
    assert office(player).agreement.is_free


def test_caught_up_whoever_missed_the_roster_is_told_again_and_not_too_often() -> None:
    player = elected()
    acks(player, ANNA)
    rounds(player)
    old = Stamp(FOUNDER, 1)
    sent = len(all_of(RosterUpdate, player.said))
    for _ in range(5):
        player.passes(H)
        acks(player, ANNA)
        acks(player, BERT, has=old)
    again = len(all_of(RosterUpdate, player.said)) - sent
    assert again == 2


def test_overtaken_by_a_member_that_knows_a_newer_roster_it_gives_the_office_up() -> None:
    """Fails if a broker goes on by a roster that may lack somebody's floor."""
    player = elected()
    acks(player, BERT, has=Stamp(pair(2), 9))
    assert player.node.state.office is None
    assert not player.node.state.may_stand(player.now_ns)


def test_overtaken_never_once_its_own_roster_is_agreed() -> None:
    player = formed()
    acks(player, BERT, has=Stamp(pair(1, 9), 9))
    assert player.node.state.office is not None


def test_overtaken_by_what_a_higher_pair_made_though_its_own_is_agreed() -> None:
    """Fails if a recovery that was begun elsewhere is never settled."""
    player = formed()
    acks(player, BERT, has=Stamp(pair(9, BERT), 1))
    assert player.node.state.office is None


# --- what the feed gives -----------------------------------------------------------------


def test_limit_that_a_member_brings_holds_at_once_and_is_agreed() -> None:
    """Fails if an operator's word ends with the node that was told, or with this broker."""
    player = formed()
    acks(player, ANNA, report(8_000_000, limit=Limit(1, 40_000)))
    said = rounds(player)
    assert only(Price, said).capacity_mw == 40_000
    (update,) = all_of(RosterUpdate, said)
    assert update.limit == Limit(1, 40_000)
    for who in (ANNA, BERT):
        acks(player, who, report(9_000_000))
    assert base(player).limit == Limit(1, 40_000)


def test_limit_that_is_older_than_the_agreed_one_changes_nothing() -> None:
    player = formed(keeps=THREE.with_limit(Limit(3, 50_000)))
    acks(player, ANNA, report(8_000_000, limit=Limit(2, 40_000)))
    said = rounds(player)
    assert all_of(RosterUpdate, said) == []
    assert {price.capacity_mw for price in all_of(Price, said)} <= {50_000}


# --- those who come --------------------------------------------------------------------------


def test_joined_newcomer_is_on_the_next_roster_and_on_no_other_before_it_is_agreed() -> None:
    player = with_room()
    said = joins(player, CARL)
    update = only(RosterUpdate, said)
    assert [(x.node, x.votes) for x in update.lines] == [(ANNA, 1), (BERT, 1), (CARL, 0), (ME, 1)]
    assert base(player).line(NodeId(CARL)) is None
    assert office(player).agreement.reserved.floors_mw == 20_000
    acks(player, ANNA)
    assert base(player).line(NodeId(CARL)) is not None


def test_joined_while_a_change_is_under_way_waits_for_its_turn() -> None:
    player = with_room()
    joins(player, CARL)
    assert all_of(RosterUpdate, joins(player, 4)) == []
    assert set(office(player).joining) == {4}
    keep(player, 3 * H, ANNA, BERT)
    assert base(player).line(NodeId(4)) is not None
    assert office(player).joining == {}


def test_joined_again_only_the_asker_hears_the_roster() -> None:
    player = with_room()
    before = base(player)
    said = joins(player, ANNA)
    assert only(RosterUpdate, said).version == before.version
    assert base(player) == before
    assert not any(isinstance(a, StoreRoster) for a in said)


def test_joined_without_authority_promises_no_floor() -> None:
    player = elected()
    reply = only(JoinReply, joins(player, CARL))
    assert (reply.admitted, reply.reason) == (False, "not yet: no majority has acked")


def test_joined_too_great_a_floor_is_noted_here_and_said_there() -> None:
    player = with_room()
    said = joins(player, CARL, 59_000)
    assert "does not fit" in only(JoinReply, said).reason
    assert any("n3 is not admitted" in note for note in notes(said))


def test_joined_floor_that_waits_for_room_is_made_room_for() -> None:
    player = with_room()
    acks(player, ANNA, report(6, holding_mw=40_000, holding_ms=2000))
    assert all_of(JoinReply, joins(player, CARL, 10_000)) == []
    assert CARL in office(player).joining
    acks(player, ANNA, report(7, round_taken=office(player).round))
    rounds(player)
    assert office(player).agreement.newest.line(NodeId(CARL)) is not None


def test_joined_asked_of_a_node_that_does_not_lead_is_silent() -> None:
    assert joins(Player(settings()), ANNA) == []


def test_joined_word_of_a_dead_boot_lowers_no_floor() -> None:
    player = with_room()
    keep(player, H, ANNA)
    acks(player, BERT, report(1), boot=999)
    before = base(player)
    joins(player, BERT, 4000, boot=BERT * 10)
    keep(player, 3 * H, ANNA)
    assert base(player).floors_mw == before.floors_mw
    keep(player, H, ANNA)
    acks(player, BERT, report(2), boot=999)
    joins(player, BERT, 4000, boot=999)
    acks(player, ANNA)
    assert base(player).floors_mw == before.floors_mw - 1000


# --- a JOIN that somebody says again -----------------------------------------------------------


def test_joined_with_an_earlier_number_of_the_same_boot_is_no_news() -> None:
    """Fails if a recorded JOIN could lower a floor that its node has raised since."""
    player = with_room(keeps=with_more(BERT))
    early = join_of(player, BERT, 4000)
    late = replace(join_of(player, BERT, 8000), seq=early.seq + 1)
    player.hears(BERT, late)
    keep(player, SECOND_NS, ANNA, BERT)
    assert line_of(player, BERT).floor_mw == 8000
    assert player.hears(BERT, early) == []
    assert player.hears(BERT, late) == []
    keep(player, SECOND_NS, ANNA, BERT)
    assert line_of(player, BERT).floor_mw == 8000


def test_joined_number_begins_anew_with_the_next_boot() -> None:
    player = with_room(keeps=with_more(BERT))
    late = replace(join_of(player, BERT, 8000), seq=900)
    player.hears(BERT, late)
    keep(player, SECOND_NS, ANNA, BERT)
    acks(player, BERT, boot=77)
    assert player.hears(BERT, replace(late, seq=1), boot=77) != []


@pytest.mark.parametrize("field", ["pair", "rack"])
def test_joined_said_to_another_broker_or_rack_is_nobodys(field: str) -> None:
    """Fails if what was said to one broker could be said again to the next."""
    player = with_room()
    asked = join_of(player, CARL)
    other = replace(asked, pair=pair(3)) if field == "pair" else replace(asked, rack=NO_RACK)
    assert player.hears(CARL, other) == []
    assert player.hears(CARL, asked) != []


def test_joined_by_more_at_once_than_room_is_kept_for_is_refused_for_now() -> None:
    """Fails if whoever holds the key could have the market stopped by making up names."""
    player = with_room()
    joins(player, 20, 1000)
    for who in range(21, 21 + JOINING_MAX):
        joins(player, who, 1000)
    assert len(office(player).joining) == JOINING_MAX
    assert "others join" in only(JoinReply, joins(player, 40, 1000)).reason
    assert NodeId(40) not in office(player).joining


def with_more(who: int) -> Roster:
    """The roster of the three, on which one may raise its floor."""
    return THREE.with_line(replace(line(who), floor_max_mw=9000))


# --- what an operator allows -----------------------------------------------------------------


def allows(
    player: Player, who: int, priority: int | None = None, floor_max_mw: int | None = None
) -> None:
    player.happens(AllowRequested(player.now_ns, NodeId(who), priority, floor_max_mw))
    rounds(player)


def test_joined_newcomer_that_claims_the_highest_rank_gets_what_the_settings_allow() -> None:
    """Fails if whoever holds the group key could talk itself into office."""
    player = with_room()
    update = only(RosterUpdate, joins(player, CARL, priority=65_535))
    assert [x.priority for x in update.lines if x.node == CARL] == [99]


def test_joined_member_with_a_floor_above_its_limit_is_refused_and_counts_as_before() -> None:
    """Fails if a member could reserve the feed for itself."""
    player = with_room()
    said = joins(player, BERT, 5001)
    assert "may have" in only(JoinReply, said).reason
    assert any("is not admitted" in note for note in notes(said))
    assert office(player).joining == {}
    assert office(player).agreement.newest.floors_mw == THREE.floors_mw


def test_allow_changes_a_members_line_once_it_is_agreed() -> None:
    player = with_room()
    allows(player, BERT, 7, 9000)
    assert line_of(player, BERT).priority == 0
    keep(player, SECOND_NS, ANNA, BERT)
    line = line_of(player, BERT)
    assert (line.priority, line.floor_mw, line.floor_max_mw) == (7, 5000, 9000)
    assert office(player).allowed == {}


def test_allow_lets_a_member_raise_its_floor_and_no_further() -> None:
    player = with_room()
    allows(player, BERT, floor_max_mw=9000)
    keep(player, SECOND_NS, ANNA, BERT)
    joins(player, BERT, 9000)
    keep(player, SECOND_NS, ANNA, BERT)
    assert line_of(player, BERT).floor_mw == 9000
    assert "may have" in only(JoinReply, joins(player, BERT, 9001)).reason


def test_allow_of_what_is_so_already_announces_nothing() -> None:
    player = with_room()
    before = len(player.said)
    allows(player, BERT, 0, 5000)
    assert all_of(RosterUpdate, player.said[before:]) == []
    assert office(player).allowed == {}


def test_allow_of_one_that_is_still_to_come_waits_for_it() -> None:
    player = with_room(replace(settings(expect=3), newcomer_floor_mw=0))
    assert "may have" in only(JoinReply, joins(player, CARL)).reason
    allows(player, CARL, 200, 5000)
    assert NodeId(CARL) in office(player).allowed
    update = only(RosterUpdate, joins(player, CARL, priority=150))
    assert [(x.priority, x.floor_max_mw) for x in update.lines if x.node == CARL] == [(150, 5000)]


def test_allow_asked_of_a_node_that_does_not_lead_is_refused_with_what_to_do() -> None:
    player = Player(settings(), keeps=THREE)
    said = player.happens(AllowRequested(player.now_ns, NodeId(BERT), 9, None))
    assert "ask there" in notes(said)[0]


def test_allow_own_rank_moves_the_office() -> None:
    """A broker whose line ranks below another's hands over, though it claims more itself."""
    told = replace(settings(expect=3), timing=Timing(preempt_after_ns=SECOND_NS))
    player = with_room(told)
    allows(player, ME, 1)
    keep(player, SECOND_NS, ANNA, BERT)
    assert player.node.state.rank.priority == 1 < player.node.state.settings.priority
    allows(player, BERT, 2)
    for _ in range(30):
        if player.node.state.office is None:
            break
        beacons(player, BERT)
        keep(player, SECOND_NS // 10, ANNA, BERT)
    assert player.node.state.office is None
    assert player.node.state.higher(player.now_ns, NodeId(ANNA)) == {BERT}


# --- who votes -------------------------------------------------------------------------------


def test_vote_is_given_once_the_newcomers_have_stored_the_roster_and_make_an_odd_number() -> None:
    newcomers = line(CARL, votes=0), line(DORA, votes=0)
    player = formed(keeps=roster(line(ME, priority=5), ANNA, BERT, *newcomers))
    keep(player, SECOND_NS, ANNA, BERT, CARL)
    assert [x.votes for x in base(player).lines] == [1, 1, 0, 0, 1]
    for _ in range(5):
        keep(player, H, ANNA, BERT, CARL)
        acks(player, DORA, report(player.now_ns // H % 10**6), has=Stamp(FOUNDER, 1))
    assert [x.votes for x in base(player).lines] == [1, 1, 0, 0, 1], "it has not stored it yet"
    keep(player, SECOND_NS, ANNA, BERT, CARL, DORA)
    assert [x.votes for x in base(player).lines] == [1, 1, 1, 1, 1]


def test_vote_is_taken_from_whoever_was_silent_for_long_and_the_floor_stays() -> None:
    timing = Timing(demote_after_ns=3 * SECOND_NS)
    keeps = roster(line(ME, priority=5), ANNA, BERT, line(CARL, votes=0))
    player = formed(settings(timing=timing), keeps)
    keep(player, 2 * SECOND_NS, ANNA, CARL)
    assert line_of(player, BERT).votes == 1
    keep(player, 4 * SECOND_NS, ANNA, CARL)
    assert (line_of(player, BERT).votes, line_of(player, CARL).votes) == (0, 1)
    assert base(player).floors_mw == 20_000


def test_known_is_whoever_is_on_either_roster_of_a_change() -> None:
    player = with_room()
    assert not registrar.is_known(office(player), NodeId(CARL))
    joins(player, CARL)
    assert registrar.is_known(office(player), NodeId(CARL))
    player.hears(CARL, ack(office(player).pair, office(player).seq, has=NOBODY_HAS_ONE))
    assert CARL in office(player).book.accounts
