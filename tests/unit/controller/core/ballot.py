"""Props of the election's tests: what peers say, and a node that is awake or stands."""

from __future__ import annotations

from tests.unit.controller.core.stage import TIMING, Player, only, pair, report, settings

from rackgrid.core.election import Standing
from rackgrid.identity import NO_PAIR, Pair, Round
from rackgrid.wire.message import Answer, Beacon, Election, Heartbeat, Role, Stance, pair_wire

H = TIMING.heartbeat_ns
ANNA, BERT = 1, 9
"""Anna ranks below this node (priority 5), Bert above."""


def beacon(priority: int, version: int = 0) -> Beacon:
    return Beacon("x", priority, Role.MEMBER, pair_wire(pair(0, 0, 0)), version, 5000, 5000, 0, ())


def heartbeat(of: Pair, seq: int = 1, version: int = 0) -> Heartbeat:
    return Heartbeat(pair_wire(of), seq, version, Round(0))


def election(of: Pair, priority: int = 1, nonce: int = 3, version: int = 0) -> Election:
    return Election(pair_wire(of), priority, nonce, version)


def answer(nonce: int, stance: Stance, known: Pair = NO_PAIR) -> Answer:
    return Answer(nonce, stance, 1, pair_wire(known), report())


def awake(*peers: tuple[int, int]) -> Player:
    """A node past its quiet time that hears these (node, priority), and has not stood yet."""
    player = Player(settings(expect=1 + len(peers)), remembered=pair(1, 1, 1))
    for who, priority in peers:
        player.hears(who, beacon(priority), unicast=False)
    return player


def standing(*peers: tuple[int, int]) -> tuple[Player, Election]:
    player = awake(*peers)
    actions = player.steps_until(lambda node: isinstance(node.state.election, Standing))
    return player, only(Election, actions)
