"""Who is heard: the nodes whose authentic datagrams arrive, roster or not.

Being heard is evidence of life and of nothing else: it frees no watt and gives no vote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rackgrid.identity import NO_PAIR, NO_RACK, NO_STAMP, BootId, NodeId, Pair, RackId, Stamp
from rackgrid.value import replace
from rackgrid.wire.message import NODES_MAX, Beacon, LoadStatus
from rackgrid.wire.vocabulary import Role

PEERS_MAX = 2 * NODES_MAX
"""Most nodes remembered; beyond it the longest silent is forgotten."""
HEARD_STEP_NS = 20_000_000
"""A peer's life is noted this often: silence is counted in whole beacons."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What is known of another node from its own words.

    Attributes:
        priority: the one that it says; what counts is its line on the roster (`state.rank_of`).
        heard_ns: when its last authentic datagram came.
        steady_ns: since when it has been heard without a gap: only a steady node may preempt.
    """

    node: NodeId
    boot: BootId
    heard_ns: int
    steady_ns: int
    name: str = ""
    priority: int = 0
    role: Role = Role.JOINING
    followed: Pair = NO_PAIR
    rack: RackId = NO_RACK
    roster: Stamp = NO_STAMP
    floor_mw: int = 0
    draw_mw: int = 0
    api_port: int = 0
    loads: tuple[LoadStatus, ...] = ()


Peers = Mapping[NodeId, Peer]
NO_PEERS: Peers = MappingProxyType({})


def heard(peers: Peers, node: NodeId, boot: BootId, now_ns: int, silence_ns: int) -> Peers:
    """Note that `node` was heard; a new boot or a gap of `silence_ns` restarts its steadiness."""
    known = peers.get(node)
    if known is None:
        fresh = Peer(node, boot, now_ns, now_ns)
    elif known.boot != boot or now_ns - known.heard_ns > silence_ns:
        fresh = replace(known, boot=boot, heard_ns=now_ns, steady_ns=now_ns)
    elif now_ns - known.heard_ns < HEARD_STEP_NS:
        return peers
    else:
        fresh = _heard_again(known, now_ns)
    return _bounded({**peers, node: fresh}, node)


def beaconed(peers: Peers, node: NodeId, beacon: Beacon) -> Peers:
    """Note what a beacon says of its sender, who has just been `heard`."""
    fresh = replace(
        peers[node],
        name=beacon.name,
        priority=beacon.priority,
        role=beacon.role,
        followed=beacon.followed,
        rack=beacon.rack,
        roster=beacon.roster,
        floor_mw=beacon.floor_mw,
        draw_mw=beacon.draw_mw,
        api_port=beacon.api_port,
        loads=beacon.loads,
    )
    return {**peers, node: fresh}


def ranked(peers: Peers, node: NodeId, priority: int) -> Peers:
    """Note a priority that was said outside a beacon."""
    return {**peers, node: replace(peers[node], priority=priority)}


def belonging(peers: Peers, node: NodeId, rack: RackId) -> Peers:
    """Note to which rack a peer belongs, if that is news."""
    return peers if peers[node].rack == rack else {**peers, node: replace(peers[node], rack=rack)}


def informed(peers: Peers, node: NodeId, rack: RackId, roster: Stamp) -> Peers:
    """Note which roster a peer has stored, if that is news."""
    known = peers[node]
    if (known.rack, known.roster) == (rack, roster):
        return peers
    return {**peers, node: replace(known, rack=rack, roster=roster)}


def forgotten(peers: Peers, node: NodeId) -> Peers:
    """Drop a node that has left on purpose."""
    return {n: p for n, p in peers.items() if n != node}


def live(peers: Peers, now_ns: int, silence_ns: int) -> tuple[Peer, ...]:
    """List the peers heard within `silence_ns`, those first that say the highest priority."""
    alive = [p for p in peers.values() if now_ns - p.heard_ns <= silence_ns]
    return tuple(sorted(alive, key=lambda p: (p.priority, p.node), reverse=True))


def _heard_again(known: Peer, now_ns: int) -> Peer:
    """Note that a peer still lives; written out, since `replace` is slow and this is frequent."""
    return Peer(
        known.node,
        known.boot,
        now_ns,
        known.steady_ns,
        known.name,
        known.priority,
        known.role,
        known.followed,
        known.rack,
        known.roster,
        known.floor_mw,
        known.draw_mw,
        known.api_port,
        known.loads,
    )


def _bounded(peers: dict[NodeId, Peer], newest: NodeId) -> Peers:
    if len(peers) > PEERS_MAX:
        others = (p for p in peers.values() if p.node != newest)
        del peers[min(others, key=lambda p: (p.heard_ns, p.node)).node]
    return peers
