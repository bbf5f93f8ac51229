"""Who is heard, and since when."""

from __future__ import annotations

from itertools import repeat

from tests.unit.controller.core.stage import RACK, pair

from rackgrid.core import membership
from rackgrid.core.membership import HEARD_STEP_NS, NO_PEERS, PEERS_MAX, Peer
from rackgrid.core.settings import MS_NS
from rackgrid.identity import NO_PAIR, NO_RACK, NO_STAMP, BootId, NodeId, RackId, Stamp
from rackgrid.wire.message import Beacon, LoadStatus
from rackgrid.wire.vocabulary import LoadKind, Role, Why

SILENCE = 100 * MS_NS
ANNA, BERT = NodeId(1), NodeId(2)
BOOT = BootId(7)
STAMP = Stamp(pair(3), 6)


def beacon(priority: int = 3) -> Beacon:
    lamp = LoadStatus("lamp", LoadKind.FLEXIBLE, 100, 5000, 1, 6000, Why.WORTH_IT)
    who, has = pair(4), STAMP
    return Beacon("anna", priority, Role.MEMBER, who, RACK, has, 5000, 7000, 80, (lamp,))


def heard(*at_ms: int, boots: tuple[BootId, ...] = ()) -> Peer:
    """Anna, heard at these moments."""
    peers = NO_PEERS
    for ms, boot in zip(at_ms, boots or repeat(BOOT), strict=False):
        peers = membership.heard(peers, ANNA, boot, ms * MS_NS, SILENCE)
    return peers[ANNA]


def ms(peer: Peer) -> tuple[int, int]:
    return peer.heard_ns // MS_NS, peer.steady_ns // MS_NS


def test_heard_first_time_is_steady_from_then() -> None:
    assert ms(heard(10)) == (10, 10)
    assert heard(10).followed == NO_PAIR


def test_heard_again_in_time_stays_steady() -> None:
    assert ms(heard(10, 110)) == (110, 10)


def test_heard_again_in_the_same_moment_is_no_news() -> None:
    step_ms = HEARD_STEP_NS // MS_NS
    assert ms(heard(10, 10 + step_ms - 1)) == (10, 10)
    assert ms(heard(10, 10 + step_ms)) == (10 + step_ms, 10)


def test_heard_after_a_gap_is_steady_from_then() -> None:
    assert ms(heard(10, 111)) == (111, 111)


def test_heard_in_a_new_boot_is_steady_from_then() -> None:
    peer = heard(10, 12, boots=(BOOT, BootId(8)))
    assert (peer.boot, ms(peer)) == (8, (12, 12))


def test_heard_more_than_can_be_remembered_forgets_the_longest_silent() -> None:
    peers = NO_PEERS
    for number in range(PEERS_MAX + 1):
        peers = membership.heard(peers, NodeId(1000 - number), BOOT, number, SILENCE)
    assert len(peers) == PEERS_MAX
    assert NodeId(1000) not in peers


def test_heard_a_crowd_at_one_instant_never_forgets_the_one_just_heard() -> None:
    """A beacon is noted right after its sender was heard: losing the sender would be a crash."""
    peers = NO_PEERS
    for number in range(PEERS_MAX + 1):
        node = NodeId(1000 - number)
        peers = membership.beaconed(membership.heard(peers, node, BOOT, 5, SILENCE), node, beacon())
        assert node in peers


def test_beaconed_takes_what_the_beacon_says() -> None:
    peers = membership.heard(NO_PEERS, ANNA, BOOT, 10, SILENCE)
    peer = membership.beaconed(peers, ANNA, beacon())[ANNA]
    assert (peer.name, peer.priority, peer.role) == ("anna", 3, Role.MEMBER)
    assert (peer.followed, peer.rack, peer.roster) == (pair(4), RACK, STAMP)
    assert peer.api_port == 80
    assert (peer.floor_mw, peer.draw_mw, len(peer.loads)) == (5000, 7000, 1)
    assert peer.heard_ns == 10


def test_ranked_and_informed_note_one_thing_each() -> None:
    peers = membership.heard(NO_PEERS, ANNA, BOOT, 10, SILENCE)
    assert membership.ranked(peers, ANNA, 9)[ANNA].priority == 9
    told = membership.informed(peers, ANNA, RACK, STAMP)
    assert (told[ANNA].rack, told[ANNA].roster) == (RACK, STAMP)
    assert membership.informed(told, ANNA, RACK, STAMP) is told


def test_belonging_notes_the_rack_and_leaves_the_rest() -> None:
    peers = membership.heard(NO_PEERS, ANNA, BOOT, 10, SILENCE)
    assert (peers[ANNA].rack, peers[ANNA].roster) == (NO_RACK, NO_STAMP)
    peers = membership.informed(peers, ANNA, RACK, STAMP)
    assert membership.belonging(peers, ANNA, RACK) is peers
    other = membership.belonging(peers, ANNA, RackId(7))[ANNA]
    assert (other.rack, other.roster) == (RackId(7), STAMP)


def test_forgotten_node_is_gone_and_others_stay() -> None:
    peers = membership.heard(NO_PEERS, ANNA, BOOT, 10, SILENCE)
    peers = membership.heard(peers, BERT, BOOT, 10, SILENCE)
    assert set(membership.forgotten(peers, ANNA)) == {BERT}
    assert set(membership.forgotten(peers, NodeId(3))) == {ANNA, BERT}


def test_live_lists_the_heard_by_rank_and_breaks_ties_by_id() -> None:
    peers = NO_PEERS
    for node, priority, heard in ((1, 2, 50), (2, 9, 60), (3, 9, 70), (4, 9, 1)):
        peers = membership.heard(peers, NodeId(node), BOOT, heard * MS_NS, SILENCE)
        peers = membership.ranked(peers, NodeId(node), priority)
    assert [p.node for p in membership.live(peers, 150 * MS_NS, SILENCE)] == [3, 2, 1]
