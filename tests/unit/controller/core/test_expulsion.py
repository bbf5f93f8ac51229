"""An operator puts a node out that must not be trusted any more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.core.ballot import beacon, election, heartbeat
from tests.unit.controller.core.chair import (
    ANNA,
    BERT,
    THREE,
    WANTS,
    acks,
    base,
    elected,
    formed,
    joins,
    keep,
    line_of,
    notes,
    office,
    rounds,
    with_room,
)
from tests.unit.controller.core.stage import (
    ME,
    Player,
    all_of,
    line,
    pair,
    report,
    roster,
    settings,
)

from rackgrid.core import expulsion
from rackgrid.core.action import Action
from rackgrid.core.event import ExpelRequested, ForgetRequested
from rackgrid.core.member import EXPELLED
from rackgrid.core.roster import Roster
from rackgrid.core.settings import SECOND_NS
from rackgrid.identity import NO_PAIR, NodeId
from rackgrid.wire.message import EXPELLED_MAX, Ack, Allotment, Answer, Leave, Price
from rackgrid.wire.vocabulary import Stance

FIVE = roster(line(ME, priority=5), ANNA, BERT, 3, 4)
"""A rack that can do without one of them."""
OTHERS = (ANNA, 3, 4)


def expels(player: Player, who: int) -> list[Action]:
    said = player.happens(ExpelRequested(player.now_ns, NodeId(who)))
    return said + rounds(player)


def leading() -> Player:
    """A broker of five, whose book is open and whose members all ack."""
    player = formed(settings(expect=5), FIVE)
    keep(player, SECOND_NS, ANNA, BERT, 3, 4)
    assert office(player).agreement.is_free
    return player


def without_bert() -> Player:
    """The same, and Bert is expelled."""
    player = leading()
    expels(player, BERT)
    keep(player, 2 * SECOND_NS, *OTHERS)
    assert base(player).has_expelled(NodeId(BERT))
    return player


def granted(said: list[Action], who: int) -> list[Allotment]:
    return [a for price in all_of(Price, said) for a in price.allotments if a.node == who]


def test_expelled_node_loses_its_vote_and_keeps_its_floor() -> None:
    player = without_bert()
    found = line_of(player, BERT)
    assert (found.votes, found.floor_mw) == (0, 5000)
    assert base(player).floors_mw == FIVE.floors_mw


def test_expelled_node_gets_no_grant_whatever_it_asks_for() -> None:
    player = without_bert()
    before = len(player.said)
    for _ in range(10):
        acks(player, BERT, replace(WANTS, bid_seq=9999))
        keep(player, SECOND_NS // 5, *OTHERS)
    assert granted(player.said[before:], BERT) == []
    assert granted(player.said[before:], ANNA) != []


def test_expelled_node_what_it_was_granted_is_counted_until_it_has_run_out() -> None:
    """Fails if its watts are given to another while it may still draw them."""
    player = leading()
    held = report(2000, steps=WANTS.steps, holding_mw=6000, holding_ms=2000)
    acks(player, BERT, held)
    assert office(player).book.counted_of_mw(NodeId(BERT), player.now_ns) >= 6000
    expels(player, BERT)
    assert base(player).has_expelled(NodeId(BERT)) or office(player).agreement.proposed
    assert office(player).book.counted_of_mw(NodeId(BERT), player.now_ns) >= 6000


def test_expelled_node_is_refused_when_it_asks_again() -> None:
    player = without_bert()
    version = base(player).version
    assert joins(player, BERT, 1000) == []
    player.hears(BERT, Leave(5000), unicast=False)
    keep(player, SECOND_NS, *OTHERS)
    assert base(player).version == version


def test_expelled_node_that_is_off_is_forgotten_like_any_other_and_stays_expelled() -> None:
    player = without_bert()
    player.passes(0)
    keep(player, 4 * SECOND_NS, *OTHERS)
    player.happens(ForgetRequested(player.now_ns, NodeId(BERT)))
    keep(player, 2 * SECOND_NS, *OTHERS)
    assert base(player).line(NodeId(BERT)) is None
    assert base(player).has_expelled(NodeId(BERT))
    assert joins(player, BERT) == []


def test_expelled_node_that_stands_is_given_no_answer() -> None:
    """Fails if it could still lead, or make others follow it."""
    kept = roster(ME, ANNA, BERT).with_expelled(NodeId(BERT))
    player = Player(settings(), remembered=pair(1), keeps=kept)
    said = player.hears(BERT, election(pair(7, BERT), 9), unicast=False)
    assert all_of(Answer, said) == []
    said = player.hears(BERT, heartbeat(pair(7, BERT)), unicast=False)
    assert all_of(Ack, said) == []
    assert player.node.state.followed == NO_PAIR
    said = player.hears(ANNA, election(pair(7, ANNA), 9), unicast=False)
    assert [answer.stance for answer in all_of(Answer, said)] == [Stance.OUTRANKED]


def test_expelled_node_is_seen_to_be_there_all_the_same() -> None:
    """Nobody is to be told that it is off while it is heard."""
    kept = roster(ME, ANNA, BERT).with_expelled(NodeId(BERT))
    player = Player(settings(), remembered=pair(1), keeps=kept)
    player.hears(BERT, beacon(), unicast=False)
    assert [peer.node for peer in player.node.state.live(player.now_ns)] == [BERT]
    (note,) = notes(player.happens(ForgetRequested(player.now_ns, NodeId(BERT))))
    assert note.startswith("not forgotten")


def test_expelled_node_itself_hears_the_others_says_so_and_does_not_stand() -> None:
    player = Player(settings(), remembered=pair(1), keeps=roster(ME, ANNA, BERT))
    player.hears(ANNA, heartbeat(pair(7, ANNA), version=2), unicast=False)
    ahead = roster(ME, ANNA, BERT, of=pair(7, ANNA), version=1).with_expelled(ME)
    said = player.hears(ANNA, ahead.update(0), unicast=False)
    assert any("has expelled this node" in note for note in notes(said))
    assert all_of(Ack, said) != []
    assert not player.node.state.may_stand(player.now_ns, 9)


def test_expelled_node_says_so_again_when_it_has_restarted() -> None:
    """Fails if all that its operator sees is a grant that has expired."""
    player = Player(settings(), keeps=roster(ME, ANNA, BERT).with_expelled(ME))
    player.passes(SECOND_NS)
    assert notes(player.said).count(EXPELLED) == 1


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "why"), [(ME, "it is the broker"), (BERT, "it has been already")])
def test_expel_that_cannot_be_is_refused_with_the_reason(who: int, why: str) -> None:
    player = without_bert()
    version = base(player).version
    assert any(why in note for note in notes(expels(player, who)))
    keep(player, SECOND_NS, *OTHERS)
    assert base(player).version == version


def test_expel_of_one_whose_ack_is_needed_is_refused() -> None:
    """Fails if a word too early leaves the rack without a majority."""
    player = with_room()
    keep(player, 2 * SECOND_NS, ANNA)
    assert any("no majority answers" in note for note in notes(expels(player, ANNA)))
    assert not base(player).has_expelled(NodeId(ANNA))


def test_expel_asked_of_a_node_that_does_not_lead_is_refused() -> None:
    player = Player(settings(), keeps=THREE)
    assert "ask there" in notes(expels(player, ANNA))[0]


def test_expel_of_more_than_a_roster_can_name_is_refused_while_they_have_lines() -> None:
    many = roster(line(ME, priority=5), ANNA, BERT, *(line(n, votes=0) for n in range(10, 18)))
    for number in range(10, 10 + EXPELLED_MAX):
        many = many.with_expelled(NodeId(number))
    player = elected(keeps=many)
    held = office(player)
    said = expulsion.refusal(player.node.state, held, NodeId(ANNA), player.now_ns)
    assert said is not None
    assert "rackgrid forget" in said
    fewer: Roster = many.without(NodeId(10))
    assert len(fewer.with_expelled(NodeId(ANNA)).expelled) == EXPELLED_MAX
