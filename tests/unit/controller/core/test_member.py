"""A member asks for admission, takes rosters, and minds being removed."""

from __future__ import annotations

from itertools import pairwise

from tests.unit.controller.core.ballot import H, beacon, heartbeat
from tests.unit.controller.core.stage import (
    FOUNDER,
    ME,
    Player,
    all_of,
    attached,
    line,
    messages,
    only,
    pair,
    roster,
    settings,
    spec,
)

from rackgrid.core.action import Action, Noted, StoreRoster
from rackgrid.core.event import FirmwareLost, ForgetRequested, LeaveRequested, RosterStored
from rackgrid.core.member import FORGET_NS
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import Limit, NodeId, Pair, RackId, Stamp
from rackgrid.wire.message import (
    Ack,
    Coordinator,
    Forget,
    Join,
    JoinReply,
    Remove,
    RosterUpdate,
)
from rackgrid.wire.vocabulary import Role

BERT = 9
OF = pair(4, BERT)
OTHER = RackId(0xB0)


def beat(player: Player, seq: int, *, agreed: int = 0) -> list[Action]:
    said = heartbeat(OF, seq, version=1, agreed=agreed)
    return player.hears(BERT, said, unicast=False)


def update(version: int, *nodes: int, of: Pair = OF, agreed: int = 0) -> RosterUpdate:
    return roster(*nodes, of=of, version=version).update(agreed)


def following(keeps: Roster = NO_ROSTER) -> Player:
    player = Player(settings(), remembered=pair(1), keeps=keeps)
    beat(player, 1)
    return player


def admitted() -> Player:
    player = following()
    player.hears(BERT, update(1, ME, BERT), unicast=False)
    return player


def test_join_is_sent_to_the_broker_that_is_heard() -> None:
    player = Player(settings(), remembered=pair(1))
    join = only(Join, beat(player, 1))
    assert (join.name, join.priority, join.floor_mw) == ("n5", 5, 5000)


def test_join_unanswered_is_repeated_with_growing_waits() -> None:
    player, times = following(), list[int]()
    for seq in range(2, 70):
        beat(player, seq)
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
    assert all_of(Join, beat(dark, 1)) == []


def test_join_again_when_the_floor_has_changed() -> None:
    player = admitted()
    more = (spec("fan", 4000, required=True, inrush_mw=4000),)
    player.hears_firmware(attached((), more))
    (join,) = [m for m in messages(player.said) if isinstance(m, Join)][-1:]
    assert join.floor_mw == 6000


def test_join_is_not_asked_for_by_a_node_that_leaves() -> None:
    player = admitted()
    player.node.state.leave_ns = player.now_ns + SECOND_NS
    before = len(player.said)
    beat(player, 2)
    assert not any(isinstance(m, Join) for m in messages(player.said[before:]))


def test_refusal_is_passed_on_to_the_operator_once() -> None:
    player = following()
    reply = JoinReply(1, OF, False, "its floor does not fit")
    said = player.hears(BERT, reply) + player.hears(BERT, reply)
    assert said.count(Noted("not admitted to the rack: its floor does not fit")) == 1


def test_refusal_of_another_broker_and_admission_say_nothing() -> None:
    player = following()
    assert player.hears(BERT, JoinReply(1, OF, True, "")) == []
    other = JoinReply(1, pair(3, BERT), False, "no")
    assert player.hears(BERT, other) == []


# --- rosters (P7) ----------------------------------------------------------------------------


def test_roster_of_the_followed_broker_is_acked_only_when_it_is_on_the_disk() -> None:
    """Fails if a node says that it has stored what a power cut would still take."""
    player = following()
    player.disk = False
    said = player.hears(BERT, update(1, ME, BERT), unicast=False)
    assert [a.roster for a in said if isinstance(a, StoreRoster)] == [roster(ME, BERT, of=OF)]
    assert all_of(Ack, said) == []
    assert player.node.state.roster == NO_ROSTER
    said = player.stores()
    assert only(Ack, said).roster == Stamp(OF, 1)
    assert player.node.state.roster == roster(ME, BERT, of=OF)
    assert player.node.state.role is Role.MEMBER


def test_roster_on_its_way_to_the_disk_has_told_already_what_the_feed_gives() -> None:
    """Fails if a disk that stalls can let a cut be lost with the node that was told of it."""
    player = following()
    player.disk = False
    cut = roster(ME, BERT, of=OF).with_limit(Limit(1, 40_000))
    player.hears(BERT, cut.update(0), unicast=False)
    ack = only(Ack, beat(player, 2))
    assert (ack.roster, ack.report.limit) == (NO_ROSTER.stamp, Limit(1, 40_000))
    assert player.node.state.roster == NO_ROSTER


def test_roster_of_anybody_else_is_not_taken() -> None:
    player = following()
    player.hears(BERT, update(5, ME, of=pair(9, BERT)), unicast=False)
    player.hears(3, update(5, ME), unicast=False)
    assert player.writing == []
    assert player.node.state.roster == NO_ROSTER


def test_roster_of_a_broker_that_is_not_acked_yet_is_not_taken() -> None:
    """Fails if a broker can pave over a newer roster before an ack has told of it."""
    player = Player(settings(), remembered=pair(1), keeps=roster(ME, BERT))
    player.hears(BERT, Coordinator(OF, 9), unicast=False)
    assert player.node.state.followed == OF
    player.hears(BERT, update(2, ME, BERT), unicast=False)
    assert player.node.state.roster.stamp == Stamp(FOUNDER, 1)
    beat(player, 1)
    player.hears(BERT, update(2, ME, BERT), unicast=False)
    assert player.node.state.roster.stamp == Stamp(OF, 2)


def test_roster_without_this_node_is_of_no_use_to_one_of_no_rack() -> None:
    player = following()
    player.hears(BERT, update(1, BERT), unicast=False)
    assert player.node.state.roster == NO_ROSTER


def test_roster_overtaken_on_its_way_is_not_taken() -> None:
    """Fails if a newer roster, with somebody's floor in it, can be forgotten."""
    player = following()
    player.hears(BERT, update(7, ME, BERT, 3), unicast=False)
    assert player.hears(BERT, update(6, ME, BERT), unicast=False) == []
    assert player.node.state.roster.version == 7


def test_roster_overtaken_on_its_way_to_the_disk_is_neither_taken_nor_acked() -> None:
    player = following()
    player.disk = False
    player.hears(BERT, update(1, ME, BERT), unicast=False)
    player.hears(BERT, update(2, ME, BERT, 3), unicast=False)
    assert player.hears(BERT, update(1, ME, BERT), unicast=False) == []
    assert [ack.roster.version for ack in all_of(Ack, player.stores())] == [2]
    assert player.node.state.roster.version == 2


def test_roster_stored_that_nobody_asked_for_changes_nothing() -> None:
    player = admitted()
    before = player.node.state.roster
    assert player.happens(RosterStored(player.now_ns, Stamp(OF, 9))) == []
    assert player.node.state.roster == before


def test_roster_lost_a_node_has_no_vote_until_one_is_agreed_without_it() -> None:
    """What it once stored, and has forgotten, may have been agreed with its word."""
    player = following()
    said = player.hears(BERT, update(3, ME, BERT, agreed=2), unicast=False)
    assert not only(Ack, said).votes
    assert not only(Ack, beat(player, 2, agreed=2)).votes
    assert only(Ack, beat(player, 3, agreed=3)).votes


def test_roster_lost_a_repeated_announcement_may_say_that_it_is_agreed() -> None:
    player = following()
    player.hears(BERT, update(3, ME, BERT), unicast=False)
    assert player.node.state.is_lost
    player.hears(BERT, update(3, ME, BERT, agreed=3), unicast=False)
    assert not player.node.state.is_lost


LETS_GO = "lets go of the rack that was never founded: n9 has founded another"


def stranded(*, founding: bool = True) -> Player:
    """A node with a roster that Bert and node 3 are on too; Bert says that he is of another."""
    keeps = roster(ME, BERT, 3, founding=founding)
    player = Player(settings(), remembered=pair(1), keeps=keeps)
    player.disk = False
    player.hears(BERT, beacon(rack=OTHER), unicast=False)
    return player


def of_the_other(player: Player, sender: int = BERT, *, founding: bool = False) -> list[str]:
    """A heartbeat of the other rack; what the node notes."""
    said = player.hears(
        sender,
        heartbeat(pair(4, sender), 1, version=1, founding=founding, rack=OTHER),
        unicast=False,
    )
    return [a.text for a in said if isinstance(a, Noted)]


def test_founding_that_can_never_be_complete_is_let_go_for_the_rack_that_came_to_be() -> None:
    """Fails if a node that was cut off in a founding stays out for ever."""
    player = stranded()
    assert any(note.startswith(LETS_GO) for note in of_the_other(player))
    assert player.node.state.roster.founding, "until the disk has forgotten it too"
    assert of_the_other(player) == []
    player.stores()
    assert player.node.state.roster == NO_ROSTER
    assert player.node.state.is_lost, "it has no vote, like a node that has lost its disk"
    player.disk = True
    of_the_other(player)
    assert any(isinstance(m, Join) for m in messages(player.passes(250 * MS_NS)))


def test_founding_is_let_go_too_when_a_stranger_leads_the_other_rack() -> None:
    player = stranded()
    assert any(note.startswith(LETS_GO) for note in of_the_other(player, 77))
    assert player.writing


def test_founding_is_kept_while_it_may_still_be_complete() -> None:
    """Fails if a node forgets a rack for one that is only being founded, or is none of its own."""
    only_founding = stranded()
    of_the_other(only_founding, founding=True)
    none_of_its_own = Player(settings(), remembered=pair(1), keeps=roster(ME, 3, founding=True))
    of_the_other(none_of_its_own, 77)
    assert only_founding.writing == none_of_its_own.writing == []


def test_rack_that_was_founded_is_never_let_go() -> None:
    player = stranded(founding=False)
    notes = of_the_other(player)
    assert player.writing == []
    assert not any("lets go" in note for note in notes)


# --- who is silent ---------------------------------------------------------------------------


def test_removed_itself_says_so_and_acks_again() -> None:
    player = admitted()
    said = player.hears(BERT, Remove(OF, ME, 1200, "no ack"), unicast=False)
    assert any(isinstance(a, Noted) and "does not hear" in a.text for a in said)
    assert any(isinstance(m, Ack) for m in messages(said))


def test_removed_another_is_not_its_business() -> None:
    player = admitted()
    other = Remove(OF, NodeId(3), 1200, "no ack")
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


def forgets(player: Player, who: int) -> list[str]:
    said = player.happens(ForgetRequested(player.now_ns, NodeId(who)))
    return [a.text for a in said if isinstance(a, Noted)]


def test_forget_tells_the_broker_with_each_beacon_until_the_roster_has_done_so() -> None:
    player = following(roster(ME, BERT, 3))
    assert forgets(player, 3) == []
    for seq in range(2, 42):
        beat(player, seq)
        player.passes(H)
    assert {m.node for m in all_of(Forget, player.said)} == {3}
    assert len(all_of(Forget, player.said)) >= 3
    player.hears(BERT, update(2, ME, BERT), unicast=False)
    before = len(player.said)
    for seq in range(42, 72):
        beat(player, seq)
        player.passes(H)
    assert all_of(Forget, player.said[before:]) == []
    assert player.node.state.forgetting == {}


def test_forget_gives_up_after_a_while() -> None:
    player = following(roster(ME, BERT, 3))
    forgets(player, 3)
    player.passes(FORGET_NS + 2 * SECOND_NS)
    assert player.node.state.forgetting == {}


def test_forget_without_a_broker_is_said_to_nobody() -> None:
    player = Player(settings(), remembered=pair(1), keeps=roster(ME, BERT, 3))
    forgets(player, 3)
    player.passes(3 * SECOND_NS)
    assert all_of(Forget, player.said) == []


def test_forget_who_is_heard_or_unknown_or_itself_is_refused_with_what_to_do() -> None:
    for who in (3, ME, BERT, 77):
        player = following(roster(ME, BERT, 3))
        player.hears(3, beacon(), unicast=False)
        (note,) = forgets(player, who)
        assert note.startswith(
            "nothing to forget: that" if who == 77 else "not forgotten: that node is heard"
        )
        assert player.node.state.forgetting == {}


def test_rank_that_differs_from_the_configuration_is_said_with_what_to_do() -> None:
    player = following(roster(line(ME, priority=3), BERT))
    beat(player, 2)
    said = [a.text for a in player.said if isinstance(a, Noted)]
    (note,) = [text for text in said if "ranks by its line" in text]
    assert "rackgrid node n5 --priority 5" in note
    as_told = following(roster(ME, BERT))
    beat(as_told, 2)
    assert not [a for a in as_told.said if isinstance(a, Noted) and "ranks" in a.text]
