"""How a rack is founded: by all that are expected, once, or not at all (P7)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.controller.core.chair import (
    ANNA,
    BERT,
    CARL,
    acks,
    base,
    elected,
    founding,
    join_of,
    joins,
    keep,
    notes,
    office,
)
from tests.unit.controller.core.stage import (
    FOUNDER,
    ME,
    TIMING,
    Player,
    all_of,
    only,
    report,
    roster,
    settings,
)

from rackgrid.core.roster import NO_ROSTER
from rackgrid.core.settings import SECOND_NS
from rackgrid.identity import NO_RACK, NO_STAMP, Limit, NodeId
from rackgrid.wire.message import JoinReply, RosterUpdate

H = TIMING.heartbeat_ns
NOBODY_HAS_ONE = NO_ROSTER.stamp


# --- the founding ----------------------------------------------------------------------------


def gather(player: Player, *who: int) -> None:
    """Let these nodes ack without a roster, and ask to be in the first."""
    for one in who:
        acks(player, one, has=NO_STAMP)
        joins(player, one)


def test_found_all_that_are_expected_have_acked_and_asked() -> None:
    player = founding()
    gather(player, ANNA)
    assert all_of(RosterUpdate, player.said) == []
    gather(player, BERT)
    said = only(RosterUpdate, player.said)
    assert (said.founding, said.version, said.agreed_version) == (True, 1, 0)
    assert said.rack != NO_RACK
    assert [(x.node, x.votes, x.floor_mw) for x in said.lines] == [
        (ANNA, 1, 5000),
        (BERT, 1, 5000),
        (ME, 1, 5000),
    ]
    assert player.node.state.roster.rack == said.rack, "its own disk has it"
    assert office(player).agreement.is_founding


@pytest.mark.parametrize("asks", [True, False], ids=["asked only", "acked only"])
def test_found_without_either_word_of_one_of_them_is_not_begun(asks: bool) -> None:
    """Fails if a node is counted in that may yet follow an older broker."""
    player = founding()
    gather(player, ANNA)
    if asks:
        joins(player, BERT)
    else:
        acks(player, BERT, has=NO_STAMP)
    player.passes(5 * H)
    assert all_of(RosterUpdate, player.said) == []


def test_found_ack_without_a_vote_is_none() -> None:
    player = founding()
    gather(player, ANNA)
    acks(player, BERT, has=NO_STAMP, votes=False)
    joins(player, BERT)
    assert all_of(RosterUpdate, player.said) == []


def test_found_alone_if_nobody_else_is_expected() -> None:
    player = Player(settings(expect=1), remembered=FOUNDER)
    player.passes(SECOND_NS)
    assert [x.node for x in base(player).lines] == [ME]
    assert player.node.state.has_authority(player.now_ns)


def test_found_floors_that_never_fit_are_said_and_no_rack_comes_about() -> None:
    player = founding(settings(expect=3, capacity_mw=14_999))
    gather(player, ANNA, BERT)
    player.passes(3 * H)
    assert all_of(RosterUpdate, player.said) == []
    (note,) = notes(player.said)
    assert "the rack cannot be founded" in note
    assert "floors would be 15.0 W of 15.0 W" in note


@pytest.mark.parametrize(
    "said", [{"capacity_mw": 14_999}, {"limit": Limit(1, 14_999)}], ids=["its file", "an operator"]
)
def test_found_feed_that_is_too_small_by_any_founders_word_makes_no_rack(
    said: dict[str, Any],
) -> None:
    """Fails if only the broker's own word counts: the rack would be overcommitted at once."""
    player = founding(settings(expect=3))
    acks(player, ANNA, report(1, **said), has=NO_STAMP)
    acks(player, BERT, report(1), has=NO_STAMP)
    joins(player, ANNA)
    joins(player, BERT)
    assert all_of(RosterUpdate, player.said) == []
    assert "the rack cannot be founded" in str(notes(player.said))


def test_found_joiner_of_another_protocol_is_told_so() -> None:
    player = founding()
    said = player.hears(ANNA, replace(join_of(player, ANNA), protocol=1))
    assert "upgrade it" in only(JoinReply, said).reason
    assert office(player).founders == {}


def test_founded_once_all_have_stored_it_and_settled_in_the_next_breath() -> None:
    player = founding()
    gather(player, ANNA, BERT)
    acks(player, ANNA)
    assert office(player).agreement.is_founding
    assert not player.node.state.has_authority(player.now_ns)
    acks(player, BERT)
    assert not office(player).agreement.is_founding
    assert player.node.state.has_authority(player.now_ns)
    assert not player.node.state.is_lost
    player.passes(H)
    said = all_of(RosterUpdate, player.said)[-1]
    assert (said.founding, said.version, said.agreed_version) == (False, 2, 1)
    assert said.founded == player.node.state.boot


def test_founded_patience_for_the_first_majority_begins_with_the_founding() -> None:
    """Fails if a rack that took long to come together loses its broker at once."""
    player = founding()
    player.passes(3 * SECOND_NS)
    gather(player, ANNA, BERT)
    acks(player, ANNA)
    acks(player, BERT)
    assert office(player).founded_ns == player.now_ns
    keep(player, SECOND_NS, ANNA, BERT)
    assert player.node.state.office is not None


def test_founding_in_the_making_turns_late_joiners_away_without_a_word() -> None:
    player = founding()
    gather(player, ANNA, BERT)
    assert all_of(JoinReply, joins(player, CARL)) == []
    assert office(player).agreement.reserved.line(NodeId(CARL)) is None


def test_refound_goes_on_when_all_on_the_roster_have_acked() -> None:
    first = roster(ME, ANNA, BERT, founding=True)
    player = elected(keeps=first)
    acks(player, ANNA)
    player.passes(H)
    assert all_of(RosterUpdate, player.said) == []
    acks(player, ANNA)
    acks(player, BERT)
    player.passes(H)
    said = only(RosterUpdate, player.said)
    assert (said.founding, said.rack, said.version) == (True, first.rack, 1)
    acks(player, ANNA)
    acks(player, BERT)
    assert not office(player).agreement.is_founding


def test_complain_names_those_who_have_not_stored_it() -> None:
    player = founding()
    gather(player, ANNA, BERT)
    acks(player, ANNA)
    said = player.passes(6 * SECOND_NS)
    assert player.node.state.office is None
    assert any("could not be founded: n2 did not answer" in note for note in notes(said))
