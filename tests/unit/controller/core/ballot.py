"""Props of the election's tests: what peers say, and a node that is awake or stands."""

from __future__ import annotations

from tests.unit.controller.core.stage import (
    FOUNDER,
    ME,
    RACK,
    TIMING,
    Player,
    line,
    only,
    pair,
    report,
    roster,
    settings,
)

from rackgrid.core.election import Standing
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.identity import NO_PAIR, NO_RACK, Pair, RackId, Round, Stamp
from rackgrid.wire.message import (
    Ack,
    Answer,
    Beacon,
    Election,
    Heartbeat,
    Report,
)
from rackgrid.wire.vocabulary import Role, Stance

H = TIMING.heartbeat_ns
ANNA, BERT, CARL = 1, 9, 3
"""Anna and Carl rank below this node (priority 5), Bert above."""


def beacon(
    priority: int = 0,
    version: int = 1,
    *,
    of: Pair = FOUNDER,
    followed: Pair = NO_PAIR,
    rack: RackId = RACK,
    name: str = "x",
) -> Beacon:
    """I am here; of no rack, if `rack` is `NO_RACK`."""
    stamp = Stamp(of, version) if rack else NO_ROSTER.stamp
    who, has = followed, stamp
    return Beacon(name, priority, Role.MEMBER, who, rack, has, 5000, 5000, 0, ())


def heartbeat(
    of: Pair,
    seq: int = 1,
    *,
    version: int = 0,
    agreed: int = 0,
    founding: bool = False,
    rack: RackId = RACK,
) -> Heartbeat:
    """I lead."""
    return Heartbeat(of, seq, rack, founding, version, agreed, Round(0))


def election(
    of: Pair,
    priority: int = 1,
    nonce: int = 3,
    *,
    has: Stamp | None = None,
    rack: RackId = RACK,
    founding: bool = False,
) -> Election:
    """I stand, with this roster; by default with the one that everybody has."""
    stamp = Stamp(FOUNDER, 1) if has is None else has
    return Election(of, priority, nonce, rack, stamp, founding)


def answer(nonce: int, stance: Stance, known: Pair = NO_PAIR) -> Answer:
    """What a peer says to a candidature."""
    return Answer(nonce, stance, 1, known, report())


def ack(
    of: Pair,
    seq: int = 1,
    *,
    votes: bool = True,
    left: Pair = NO_PAIR,
    has: Stamp | None = None,
    said: Report | None = None,
) -> Ack:
    """I follow this pair; by default with the roster that everybody has."""
    stamp = Stamp(FOUNDER, 1) if has is None else has
    word = report() if said is None else said
    return Ack(of, seq, votes, left, stamp, word)


def awake(*peers: tuple[int, int], keeps: Roster | None = None) -> Player:
    """A node past its quiet time that hears these (node, priority), and has not stood yet.

    By default all of them are admitted with this priority, and vote.
    """
    lines = (line(who, priority=priority) for who, priority in peers)
    kept = roster(ME, *lines) if keeps is None else keeps
    player = Player(settings(expect=1 + len(peers)), remembered=pair(1, 1, 1), keeps=kept)
    for who, priority in peers:
        player.hears(who, beacon(priority, rack=kept.rack), unicast=False)
    return player


def founder(*peers: tuple[int, int]) -> Player:
    """The same before there is a rack: nobody has a roster."""
    assert NO_ROSTER.rack == NO_RACK
    return awake(*peers, keeps=NO_ROSTER)


def standing(*peers: tuple[int, int], keeps: Roster | None = None) -> tuple[Player, Election]:
    """The same, and it stands."""
    player = awake(*peers, keeps=keeps)
    actions = player.steps_until(lambda node: isinstance(node.state.election, Standing))
    return player, only(Election, actions)
