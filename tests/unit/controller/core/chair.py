"""Props of the broker's tests: a node in office, and the members who ack it."""

from __future__ import annotations

from tests.unit.controller.core.ballot import CARL, H, ack, answer, beacon
from tests.unit.controller.core.stage import (
    FOUNDER,
    ME,
    Player,
    line,
    report,
    roster,
    settings,
    step,
)

from rackgrid.core.action import Action, Noted
from rackgrid.core.broker import ROUND_GAP_NS
from rackgrid.core.election import Leading, Standing
from rackgrid.core.office import Office
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.core.settings import NodeSettings
from rackgrid.identity import NO_PAIR, NO_RACK, NodeId, Pair, Stamp
from rackgrid.wire.message import PROTOCOL_VERSION, Join, Report, RosterLine
from rackgrid.wire.vocabulary import Stance

__all__ = ["ANNA", "BERT", "CARL"]

ANNA, BERT = 1, 2
"""They rank below this node, like Carl, who is no member yet."""
THREE = roster(line(ME, priority=5), ANNA, BERT)
WANTS = report(5, steps=(step(400_000, 6000, 9000),))


def office(player: Player) -> Office:
    """Its office; it has one."""
    held = player.node.state.office
    assert held is not None
    return held


def base(player: Player) -> Roster:
    """The newest agreed roster."""
    return office(player).agreement.base


def line_of(player: Player, who: int) -> RosterLine:
    """A node's line on it."""
    found = base(player).line(NodeId(who))
    assert found is not None
    return found


def notes(actions: list[Action]) -> list[str]:
    """What the operator is told."""
    return [a.text for a in actions if isinstance(a, Noted)]


def beacons(player: Player, who: int, priority: int = 0) -> None:
    """Let a member of the same rack be heard."""
    state = player.node.state
    rack, followed = state.roster.rack, state.followed
    said = beacon(priority, followed=followed, rack=rack, name=f"n{who}")
    player.hears(who, said, unicast=False)


def elected(told: NodeSettings | None = None, keeps: Roster = THREE) -> Player:
    """A node that has just won with Anna's and Bert's support; nobody has acked it yet."""
    player = Player(told or settings(expect=3), remembered=FOUNDER, keeps=keeps)
    for who in (ANNA, BERT):
        beacons(player, who)
    player.steps_until(lambda node: isinstance(node.state.election, Standing))
    state = player.node.state.election
    assert isinstance(state, Standing)
    for who in (ANNA, BERT):
        player.hears(who, answer(state.nonce, Stance.SUPPORT))
    assert isinstance(player.node.state.election, Leading)
    return player


def acks(
    player: Player,
    who: int,
    said: Report = WANTS,
    *,
    has: Stamp | None = None,
    votes: bool = True,
    left: Pair = NO_PAIR,
    boot: int | None = None,
) -> list[Action]:
    """Let a member ack the last heartbeat; by default it has stored the newest roster."""
    held = office(player)
    stamp = held.agreement.newest.stamp if has is None else has
    word = ack(held.pair, held.seq, votes=votes, left=left, has=stamp, said=said)
    return player.hears(who, word, boot=boot)


def rounds(player: Player) -> list[Action]:
    """Let the round pass that an event asked for."""
    return player.passes(ROUND_GAP_NS)


def formed(told: NodeSettings | None = None, keeps: Roster = THREE) -> Player:
    """The same, with authority, and its roster agreed under its own pair."""
    player = elected(told, keeps)
    for _ in ("authority", "agreement"):
        for who in (ANNA, BERT):
            acks(player, who)
        rounds(player)
    assert office(player).agreement.is_free
    assert player.node.state.has_authority(player.now_ns)
    return player


def with_room(told: NodeSettings | None = None, keeps: Roster = THREE) -> Player:
    """A broker that knows what all of them hold."""
    player = formed(told, keeps)
    rounds(player)
    assert office(player).book.opened
    return player


def founding(told: NodeSettings | None = None) -> Player:
    """A node that leads before there is a rack."""
    return elected(told, NO_ROSTER)


def keep(player: Player, span_ns: int, *who: int) -> list[Action]:
    """Let time pass while these nodes store what is announced and ack every heartbeat."""
    end_ns, before = player.now_ns + span_ns, len(player.said)
    while player.now_ns < end_ns:
        player.passes(H)
        for one in who:
            if player.node.state.office is None:
                return player.said[before:]
            seq = 100 + (player.now_ns - 10**12) // H
            acks(player, one, report(seq, steps=WANTS.steps))
    return player.said[before:]


def joins(
    player: Player, who: int, floor_mw: int = 5000, *, priority: int = 0, boot: int | None = None
) -> list[Action]:
    """Let a node ask to be admitted."""
    asked = join_of(player, who, floor_mw, priority)
    return player.hears(who, asked, boot=boot)


def join_of(player: Player, who: int, floor_mw: int = 5000, priority: int = 0) -> Join:
    """Make a JOIN as a node would that hears this player lead; each has the next number."""
    held = player.node.state.office
    of = held.pair if held else NO_PAIR
    rack = held.agreement.newest.rack if held else NO_RACK
    seq = len(player.said) + 1
    name = f"n{who}"
    return Join(1, name, priority, floor_mw, False, PROTOCOL_VERSION, of, rack, seq)
