"""A roster that another node passes on is taken only where it can be no vote (P7)."""

from __future__ import annotations

from tests.unit.controller.core.ballot import answer, standing
from tests.unit.controller.core.stage import ME, RACK, Player, pair, roster, settings

from rackgrid.core.roster import NO_ROSTER
from rackgrid.identity import Pair, RackId, Stamp
from rackgrid.value import replace
from rackgrid.wire.message import RosterUpdate
from rackgrid.wire.vocabulary import Stance

BERT = 9
OF = pair(4, BERT)
OTHER = RackId(0xB0)


def behind(remembered: Pair = OF) -> Player:
    """A node of the rack that has an old roster, and acts for no pair below `remembered`."""
    return Player(settings(), remembered=remembered, keeps=roster(ME, BERT))


def passed_on(version: int, *, of: Pair = OF, rack: RackId = RACK) -> RosterUpdate:
    return roster(ME, BERT, 3, of=of, version=version, rack=rack).update(0)


def test_roster_passed_on_is_stored_if_it_is_newer() -> None:
    """Fails if a roster whose broker is gone can be known to a node that may not lead by it."""
    player = behind()
    player.hears(3, passed_on(6))
    assert player.node.state.roster.stamp == Stamp(OF, 6)
    player.hears(3, passed_on(5))
    assert player.node.state.roster.stamp == Stamp(OF, 6)


def test_roster_passed_on_whose_broker_could_still_be_followed_is_not_taken() -> None:
    """Fails if a broker can be told that its roster is stored by one that knew a newer one."""
    player = behind(remembered=pair(3, BERT))
    player.hears(3, passed_on(6))
    assert player.writing == []
    assert player.node.state.roster == roster(ME, BERT)


def test_roster_passed_on_of_another_rack_or_in_founding_or_to_no_rack_is_not_taken() -> None:
    player = behind()
    player.hears(3, passed_on(6, rack=OTHER))
    player.hears(3, roster(ME, BERT, of=OF, version=6, founding=True).update(0))
    assert player.node.state.roster == roster(ME, BERT)
    stranger = Player(settings(), remembered=OF)
    stranger.hears(3, passed_on(6))
    assert stranger.node.state.roster == NO_ROSTER


def test_roster_passed_on_does_not_give_a_lost_vote_back() -> None:
    player = behind()
    player.node.state.is_lost = True
    player.hears(3, passed_on(6))
    assert player.node.state.is_lost


def test_roster_passed_on_to_a_broker_ends_its_office_until_it_has_agreed_one() -> None:
    for agreed, leads in ((0, False), (1, True)):
        player, call = standing((3, 1))
        player.hears(3, answer(call.nonce, Stance.SUPPORT))
        office = player.node.state.office
        assert office is not None
        agreement = replace(office.agreement, agreed_version=agreed)
        player.node.state.office = replace(office, agreement=agreement)
        newer = pair(call.pair.term - 1, BERT)
        player.hears(3, passed_on(9, of=newer))
        assert (player.node.state.office is not None) is leads
        assert (player.node.state.roster.stamp == Stamp(newer, 9)) is not leads
