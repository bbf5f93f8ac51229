"""Recovery: an operator forms the roster anew, and all that are heard must store it (P7)."""

from __future__ import annotations

import pytest
from tests.unit.controller.core.ballot import ANNA, BERT, CARL, H, ack, answer, awake, heartbeat
from tests.unit.controller.core.chair import notes
from tests.unit.controller.core.stage import (
    FOUNDER,
    ME,
    RACK,
    Player,
    all_of,
    line,
    only,
    pair,
    roster,
    settings,
)

from rackgrid.core.action import Action, StoreRoster
from rackgrid.core.candidate import TERM_MAX
from rackgrid.core.election import Following, Listening, Standing
from rackgrid.core.event import RecoverRequested
from rackgrid.core.recovery import PATIENCE_NS
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.core.settings import SECOND_NS
from rackgrid.identity import NO_BOOT, BootId, NodeId, Stamp
from rackgrid.wire.message import Ack, Coordinator, Election, PledgeLine, RosterUpdate
from rackgrid.wire.vocabulary import Stance

FIVE = roster(ME, ANNA, BERT, CARL, 4, version=7)


def recovers(player: Player) -> list[Action]:
    return player.happens(RecoverRequested(player.now_ns))


def survivor(keeps: Roster = FIVE) -> Player:
    """Two are left of five: this node, and Anna."""
    return awake((ANNA, 1), keeps=keeps)


def test_recover_makes_a_founding_roster_of_the_heard_with_votes_anew() -> None:
    player = survivor()
    said = recovers(player)
    (made,) = [a.roster for a in said if isinstance(a, StoreRoster)]
    assert (made.rack, made.founding, made.founded) == (RACK, True, NO_BOOT)
    assert [(x.node, x.votes) for x in made.lines] == [(ANNA, 0), (ME, 1)]
    assert made.stamp > FIVE.stamp
    assert made.version == FIVE.version + 1
    assert player.node.state.roster == made


def test_recover_keeps_the_pledges_of_those_who_are_heard() -> None:
    """Fails if a node that is back could lose what its outputs still hold; the others are off."""
    heard, lost = (PledgeLine(n, BootId(3), 6000, 15_000) for n in (NodeId(ANNA), NodeId(BERT)))
    player = survivor(FIVE.with_pledge(heard).with_pledge(lost))
    said = recovers(player)
    (made,) = [a.roster for a in said if isinstance(a, StoreRoster)]
    assert made.pledges == (heard,)


def test_recover_takes_a_term_above_all_that_is_known() -> None:
    player = survivor(roster(ME, ANNA, 4, of=pair(9, 4)))
    recovers(player)
    assert player.node.state.roster.stamp.pair.term == 10


def test_recover_ends_a_candidature_for_the_old_roster() -> None:
    player = survivor()
    player.steps_until(lambda node: isinstance(node.state.election, Standing))
    recovers(player)
    assert isinstance(player.node.state.election, Listening)


def test_recover_counts_only_when_all_that_are_heard_have_stored_it() -> None:
    """Fails if half a rack can lead by a roster that only one node knows of."""
    player = survivor()
    recovers(player)
    said = player.steps_until(lambda node: isinstance(node.state.election, Standing))
    call = only(Election, said)
    assert call.founding
    player.hears(ANNA, answer(call.nonce, Stance.SUPPORT))
    assert only(Coordinator, player.said).pair == call.pair
    of = call.pair
    player.passes(H)
    assert all_of(RosterUpdate, player.said) == []
    player.hears(ANNA, ack(of, 1, has=FIVE.stamp))
    player.passes(H)
    update = all_of(RosterUpdate, player.said)[-1]
    assert (update.founding, update.rack, len(update.lines)) == (True, RACK, 2)
    assert not player.node.state.has_authority(player.now_ns)
    office = player.node.state.office
    assert office is not None
    player.hears(ANNA, ack(of, office.seq, has=Stamp(of, update.version)))
    assert player.node.state.has_authority(player.now_ns)


def test_recover_lost_node_that_is_found_again_is_told_the_new_roster() -> None:
    """It is of the same rack, and follows; it asks to be admitted, since it is not on it."""
    lost = Player(settings(), remembered=FOUNDER, keeps=FIVE)
    of = pair(12, ANNA)
    lost.hears(ANNA, heartbeat(of, version=8), unicast=False)
    said = lost.hears(ANNA, roster(ANNA, BERT, of=of, version=8).update(8), unicast=False)
    assert only(Ack, said).roster == Stamp(of, 8)
    assert lost.node.state.roster.line(ME) is None
    assert lost.node.state.join_ns is not None


def test_recover_under_a_broker_is_nothing() -> None:
    follows = survivor()
    follows.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    leads = Player(settings(expect=1), remembered=FOUNDER)
    leads.passes(SECOND_NS)
    for player in (follows, leads):
        before = player.node.state.roster
        assert notes(recovers(player)) == ["nothing to recover: the rack has a broker"]
        assert player.node.state.roster == before


def test_recover_waits_while_the_rack_may_be_between_two_brokers() -> None:
    """Fails if what was said in an election's moment stands above the next broker's roster."""
    player = survivor()
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    player.steps_until(lambda node: not isinstance(node.state.election, Following))
    assert recovers(player) == []
    player.passes(SECOND_NS)
    assert player.node.state.roster == FIVE
    player.passes(PATIENCE_NS)
    heard = [x.node for x in player.node.state.roster.lines]
    assert heard == sorted([ANNA, BERT, ME]), "who was heard then was not called off"


def test_recover_that_waits_ends_with_the_next_broker() -> None:
    player = survivor()
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    player.steps_until(lambda node: not isinstance(node.state.election, Following))
    recovers(player)
    player.hears(CARL, heartbeat(pair(9, CARL)), unicast=False)
    for seq in range(2, 60):
        player.passes(H)
        player.hears(CARL, heartbeat(pair(9, CARL), seq), unicast=False)
    assert player.node.state.roster == FIVE
    assert "nothing to recover: the rack has a broker" in notes(player.said)


def test_recover_again_where_the_first_waits_for_one_that_has_gone_meanwhile() -> None:
    """Fails if a recovery that can never be completed is also the last one."""
    player = survivor()
    recovers(player)
    said = player.steps_until(lambda node: isinstance(node.state.election, Standing))
    player.hears(ANNA, answer(only(Election, said).nonce, Stance.SUPPORT))
    assert player.node.state.office is not None
    player.passes(4 * SECOND_NS)
    assert player.node.state.office is not None, "it still waits for Anna"
    recovers(player)
    assert player.node.state.office is None
    assert [x.node for x in player.node.state.roster.lines] == [ME]


def test_recover_under_one_who_only_waits_to_found_the_rack_goes_on() -> None:
    player = survivor()
    player.hears(BERT, heartbeat(pair(4, BERT), founding=True), unicast=False)
    recovers(player)
    assert player.node.state.roster.stamp > FIVE.stamp


@pytest.mark.parametrize("keeps", [NO_ROSTER, roster(ANNA, BERT)], ids=["no rack", "not on it"])
def test_recover_of_a_node_on_no_roster_is_nothing(keeps: Roster) -> None:
    player = Player(settings(), remembered=FOUNDER, keeps=keeps)
    (note,) = notes(recovers(player))
    assert "on no roster" in note
    assert player.node.state.roster == keeps


def test_recover_without_a_term_left_is_noted_and_changes_nothing() -> None:
    player = survivor()
    player.node.state.term_seen = TERM_MAX
    (note,) = notes(recovers(player))
    assert "out of range" in note
    assert player.node.state.roster == FIVE


def test_recover_alone_is_a_rack_of_one() -> None:
    player = Player(settings(), remembered=FOUNDER, keeps=roster(line(ME), ANNA, BERT))
    recovers(player)
    player.passes(2 * SECOND_NS)
    assert player.node.state.has_authority(player.now_ns)
    assert [x.node for x in player.node.state.roster.lines] == [ME]
