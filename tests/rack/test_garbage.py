"""What a stranger, a broken host or a thief may throw at the group: counted by reason, and nothing.

Strangers have a host of their own on the bridge. A thief records what the nodes send and throws it
back, to the group and at single nodes, also after the broker has changed.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from tests.rack.lan import Host
from tests.rack.rig import QUICK, Rig, State, wait_until

from rackgrid.adapters.endpoint import Endpoint
from rackgrid.adapters.multicast import Place, Transport
from rackgrid.identity import NO_RACK, BootId, NodeId, Pair, Round, Term
from rackgrid.wire.message import Coordinator, Heartbeat, Leave
from rackgrid.wire.seal import Keyring

pytestmark = pytest.mark.root

PLACE = Place("eth0", "224.0.0.224", 8437)
HIGHEST = Pair(Term(2**31), NodeId(2**64 - 1), BootId(1))


def on(host: Host, place: Place = PLACE) -> Transport:
    with host.entered():
        return Transport.open(place)


def raw(host: Host) -> socket.socket:
    """A socket that sends to the group whatever it is given, also more than a datagram of ours."""
    with host.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host.address))
    return sock


def record(spy: Transport, enough: Callable[[list[bytes]], bool]) -> list[bytes]:
    """Record what is sent to the group."""
    heard: list[bytes] = []
    end = time.monotonic() + 15
    while not enough(heard):
        assert time.monotonic() < end, f"only {len(heard)} datagrams in 15 s"
        select.select(spy.filenos(), [], [], 0.1)
        heard += [d.data for d in spy.receive() if not d.unicast]
    return heard


def sender(datagram: bytes) -> int:
    """Who says that he has sent it: that stands in the clear."""
    (found,) = struct.unpack_from(">5xQ", datagram)
    return int(found)


def unproven(state: State) -> int:
    """How many words of boots that have not proved themselves a node has refused."""
    return int(state.get("rejected", {}).get("unproven", 0))


def test_garbage_and_strangers_are_counted_by_reason_and_change_nothing() -> None:
    with Rig(4, rack={**QUICK, "expect": 3}) as rig:
        rig.start(1, 2, 3)
        nodes = rig.nodes[:3]
        before = rig.wait_for_broker(rig.node(3), among=nodes)
        rig.wait_for_loads(nodes)
        before_ns = time.monotonic_ns()
        stranger, group = rig.lan.host(4), (PLACE.group, PLACE.port)
        chance = random.Random(8437)
        with closing(on(stranger)) as spy, closing(raw(stranger)) as sock:
            captured = record(spy, lambda heard: len(heard) >= 24)
            for datagram in captured:
                sock.sendto(datagram, group)  # replayed
                sock.sendto(datagram[: chance.randrange(len(datagram))], group)  # truncated
                flipped = bytearray(datagram)
                flipped[chance.randrange(29, len(datagram))] ^= 1 << chance.randrange(8)
                sock.sendto(bytes(flipped), group)
                sock.sendto(chance.randbytes(chance.randrange(1200)), group)
            sock.sendto(bytes(9000), group)
            sock.sendto(captured[0][:2] + b"\xff" + captured[0][3:], group)  # another version
            for node in nodes:
                sock.sendto(captured[-1], (node.host.address, PLACE.port))
        foreign_key = Keyring(1, {1: bytes(range(32))})
        foreign = Endpoint(on(stranger), foreign_key, HIGHEST.node, HIGHEST.boot)
        with closing(foreign):
            for _ in range(20):
                foreign.multicast(Coordinator(HIGHEST, 65535))
                foreign.multicast(Heartbeat(HIGHEST, 1, NO_RACK, False, 1, 1, Round(1)))
                foreign.multicast(Leave(1000))
        reasons = {"replayed", "too_short", "bad_mac", "foreign_magic", "too_long"}
        reasons |= {"unknown_version"}
        for node in nodes:
            wait_until(
                f"{node.name} has counted each reason",
                lambda node=node: reasons <= set(node.state().get("rejected", {})),
            )
        after = rig.wait_for_broker(rig.node(3), among=nodes)
        assert (after["term"], after["broker_id"]) == (before["term"], before["broker_id"])
        assert [(x["id"], x["floor_w"]) for x in after["roster"]] == [
            (x["id"], x["floor_w"]) for x in before["roster"]
        ]
        assert rig.edges(before_ns, nodes) == []
        assert all(node.running for node in nodes)


def test_garbage_captured_from_a_dead_broker_does_not_raise_it() -> None:
    """Its boot has ended: what it said is stale for those who have heard the next."""
    with Rig(4, rack={**QUICK, "expect": 3, "preempt_after_s": 1.0}) as rig:
        rig.start(1, 2, 3)
        nodes = rig.nodes[:3]
        dead = int(rig.wait_for_broker(rig.node(3), among=nodes)["broker_id"], 16)
        stranger, group = rig.lan.host(4), (PLACE.group, PLACE.port)
        with closing(on(stranger)) as spy, closing(raw(stranger)) as sock:
            captured = record(spy, lambda heard: list(map(sender, heard)).count(dead) >= 16)
            rig.node(3).kill()
            rig.wait_for_broker(rig.node(2), among=nodes[:2])
            rig.node(3).start()
            term = rig.wait_for_broker(rig.node(3), among=nodes)["term"]
            before_ns = time.monotonic_ns()
            before = {node.name: unproven(node.state()) for node in nodes}
            for datagram in captured:
                sock.sendto(datagram, group)
        wait_until(
            "the dead boot's datagrams are refused",
            lambda: all(unproven(n.state()) >= before[n.name] + 10 for n in nodes),
        )
        assert rig.wait_for_broker(rig.node(3), among=nodes)["term"] == term
        assert not [line for node in nodes for line in node.said("role", before_ns)]
