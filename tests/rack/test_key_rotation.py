"""The group key is rotated on a rack that runs, with the commands that an operator has for it.

A listener on a host of its own writes down what the five send: it holds no key and needs none,
since the key's number and the sender's counter stand in the clear at the head of every datagram.
"""

from __future__ import annotations

import itertools
import shutil
import struct
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest
from tests.rack.lan import Host
from tests.rack.rig import QUICK, Rig, RigNode, wait_until

from rackgrid.adapters.key_file import fingerprints, load_keys
from rackgrid.adapters.multicast import Place, Transport

pytestmark = pytest.mark.root

NODES = 5
CALM = {**QUICK, "suspect": 10, "authority_s": 1.0, "grant_s": 4.0, "preempt_after_s": 3600.0}
"""A machine that stalls costs no office: what the rotation costs is seen by each datagram."""
SENT_EACH = 5
"""Datagrams of each node under the new rules, before the next step of the rotation."""
_HEAD = struct.Struct(">2sBBBQQQ")
_MULTICAST = 0


class Listener:
    """Which counters each sender has used in its multicasts, and under which key."""

    def __init__(self, host: Host) -> None:
        with host.entered():
            self.transport = Transport.open(Place("eth0", "224.0.0.224", 8437))
        self.heard: dict[int, list[tuple[int, int]]] = defaultdict(list)

    def drain(self) -> None:
        """Take what has arrived."""
        while batch := self.transport.receive():
            for datagram in batch:
                _, _, key, kind, sender, _, counter = _HEAD.unpack_from(datagram.data)
                if kind == _MULTICAST:
                    self.heard[sender].append((counter, key))

    def all_use(self, key: int) -> bool:
        """Whether the last that each of the five has sent is under that key."""
        self.drain()
        return len(self.heard) == NODES and all(
            [number for _, number in said[-SENT_EACH:]] == [key] * SENT_EACH
            for said in self.heard.values()
        )

    def lost(self) -> dict[int, list[int]]:
        """Counters that a sender passed over, or used twice."""
        self.drain()
        return {
            sender: gaps
            for sender, said in self.heard.items()
            if (gaps := [b for (a, _), (b, _) in itertools.pairwise(said) if b != a + 1])
        }

    def close(self) -> None:
        """End."""
        self.transport.close()


def give(node: RigNode, key_file: Path) -> Path:
    """Copy the key file to a node, as scp does: in place, not at once."""
    own = node.folder / "rack.key"
    shutil.copyfile(key_file, own)
    own.chmod(0o600)
    return own


def wait_for_word(node: RigNode, word: str, listener: Listener) -> None:
    """Wait until a node says that it has taken up the keys, and lose nothing meanwhile."""

    def said() -> bool:
        listener.drain()
        return word in node.log.read_text()

    wait_until(f"{node.name} says {word}", said)


def wait_for_use(key: int, listener: Listener) -> None:
    """Wait until all five seal with a key."""
    wait_until(f"all seal with key {key}", lambda: listener.all_use(key))


def refused(node: RigNode) -> dict[str, int]:
    """What a node has dropped, by reason; its own echoes aside."""
    return {why: n for why, n in node.state().get("rejected", {}).items() if why != "own_echo"}


def test_rotation_on_a_live_rack_loses_no_heartbeat_and_switches_nothing() -> None:
    """Fails if a step of the rotation costs a datagram, an office or a relay edge."""
    with Rig(NODES + 1, rack={**CALM, "expect": NODES}) as rig:
        nodes = rig.nodes[:NODES]
        for node in nodes:
            text = node.config.read_text()
            node.config.write_text(text.replace(str(rig.key_file), str(give(node, rig.key_file))))
        rig.start(*range(1, NODES + 1))
        before = rig.wait_for_broker(among=nodes)
        rig.wait_for_loads(nodes)
        operator, path = rig.node(1), str(rig.key_file)
        with closing(Listener(rig.lan.host(NODES + 1))) as listener:
            wait_for_use(1, listener)  # So all have heard and proved one another.
            since_ns = time.monotonic_ns()
            dropped = {node.name: refused(node) for node in nodes}
            for words, key in (
                (("rotate",), 1),
                (("rotate", "--everywhere"), 2),
                (("drop", "1"), 2),
            ):
                done = operator.rackgrid("key", *words, "--file", path)
                assert done.returncode == 0, done.stderr
                if "--everywhere" in words:
                    hasty = operator.rackgrid("key", "drop", "1", "--file", path)
                    assert "key 1 is still used by pi-2, pi-3, pi-4, pi-5" in hasty.stderr
                    assert hasty.returncode == 1
                named = f"keys: {fingerprints(load_keys(rig.key_file))}"
                # One node after the other: between two of them the rack is mixed, as in real life.
                for node in nodes:
                    give(node, rig.key_file)
                    wait_for_word(node, named, listener)
                wait_for_use(key, listener)
            assert listener.lost() == {}
        after = rig.wait_for_broker(among=nodes)
        assert (after["term"], after["broker"]) == (before["term"], before["broker"])
        assert {node.name: refused(node) for node in nodes} == dropped
        assert [event for node in nodes for event in node.said("role", since_ns)] == []
        assert rig.edges(since_ns, nodes) == []


def test_node_that_was_forgotten_is_counted_by_reason_and_comes_back_with_the_file() -> None:
    """A key that is used before all have it: the safe outcome, said by name, and its cure."""
    with Rig(3, rack={**QUICK, "preempt_after_s": 3600.0}) as rig:
        late = rig.node(1)
        text = late.config.read_text()
        late.config.write_text(text.replace(str(rig.key_file), str(give(late, rig.key_file))))
        rig.start()
        rig.wait_for_broker()
        operator, path = rig.node(2), str(rig.key_file)
        assert operator.rackgrid("key", "rotate", "--file", path).returncode == 0
        assert operator.rackgrid("key", "rotate", "--everywhere", "--file", path).returncode == 0
        others = rig.others(late)
        wait_until("it hears nobody", lambda: refused(late).get("unknown_key", 0) > 0)
        assert rig.wait_for_broker(among=others)["broker"] in [node.name for node in others]
        give(late, rig.key_file)
        rig.wait_for_broker()
        rig.wait_for_loads()
