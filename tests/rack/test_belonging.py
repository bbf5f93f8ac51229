"""Who belongs to a real rack: what an insider may say of himself and of others, and who is put out.

The insider has a host of his own on the bridge and the rack's group key, so all that he sends is
authentic: what stops him is the roster and the nodes' own signatures.
"""

from __future__ import annotations

import secrets
import select
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.rack.lan import Host
from tests.rack.rig import FLOOR_W, QUICK, Rig, RigNode, wait_until

from rackgrid.adapters.endpoint import Endpoint
from rackgrid.adapters.key_file import load_keys
from rackgrid.adapters.keys import load_identity, load_private_key
from rackgrid.adapters.multicast import Place, Transport
from rackgrid.adapters.notary import statement
from rackgrid.adapters.signing import Purpose, sign
from rackgrid.identity import NO_LIMIT, NO_PAIR, NO_STAMP, BootId, NodeId, Round
from rackgrid.value import replace
from rackgrid.wire.message import (
    PROTOCOL_VERSION,
    Ack,
    Autograph,
    Heartbeat,
    Join,
    JoinReply,
    Leave,
    Message,
    Report,
)

pytestmark = pytest.mark.root

PLACE = Place("eth0", "224.0.0.224", 8437)
LOUD = 65_535
NOTHING = Report(1, (), 0, 0, 0, Round(0), 0, 0, 0, 4_000_000, NO_LIMIT, ())


class Insider:
    """Whoever holds the group key, and speaks under any id that he likes."""

    def __init__(self, rig: Rig, host: Host, name: NodeId) -> None:
        self.me, self.boot = name, BootId(secrets.randbits(64))
        ring = load_keys(rig.key_file).ring()
        with host.entered():
            self.endpoint = Endpoint(Transport.open(PLACE), ring, name, self.boot)
        self.heartbeat: Heartbeat | None = None
        self.heard: list[Message] = []

    def close(self) -> None:
        """Leave the group."""
        self.endpoint.close()

    def listens(self, until: Callable[[], object], answers: Callable[[], None]) -> None:
        """Say something after each heartbeat, until something has come of it."""
        end = time.monotonic() + 20
        while not until():
            assert time.monotonic() < end, "nothing came of it"
            select.select(self.endpoint.filenos(), [], [], 0.1)
            for received in self.endpoint.receive():
                self.heard.append(received.message)
                if isinstance(received.message, Heartbeat):
                    self.heartbeat = received.message
                    answers()

    def to_broker(self, message: Message) -> None:
        """Say it to whoever leads."""
        assert self.heartbeat is not None
        self.endpoint.unicast(self.heartbeat.pair.node, message)

    def ack(self) -> None:
        """Be the running boot of this node, as far as the broker can tell."""
        assert self.heartbeat is not None
        beat = self.heartbeat
        report = replace(NOTHING, bid_seq=beat.seq)
        self.to_broker(Ack(beat.pair, beat.seq, False, NO_PAIR, NO_STAMP, report))

    def join(self, seq: int, floor_mw: int, name: str = "mallory") -> Join:
        """Ask to be admitted, as loudly as can be."""
        assert self.heartbeat is not None
        pair, rack = self.heartbeat.pair, self.heartbeat.rack
        return Join(1, name, LOUD, floor_mw, False, PROTOCOL_VERSION, pair, rack, seq)


def roster(node: RigNode) -> dict[str, Any]:
    """Lines by name, as a node sees them."""
    return {line["name"]: line for line in node.state().get("roster", [])}


def forged(node: RigNode) -> int:
    """How many words a node has turned away that their sender has not signed."""
    return int(node.state().get("rejected", {}).get("forged", 0))


def test_insider_speaks_for_nobody_else_and_ranks_himself_no_higher_than_a_newcomer(
    tmp_path: Path,
) -> None:
    """He acks in the name of a node that has just died, and has it leave or change its line."""
    with Rig(4, rack={**QUICK, "expect": 3}) as rig:
        rig.start(1, 2, 3)
        nodes, broker = rig.nodes[:3], rig.node(3)
        before = rig.wait_for_broker(broker, among=nodes)
        rig.wait_for_loads(nodes)
        victim = rig.node(1)
        line = roster(broker)[victim.name]
        victim.kill()
        him = Insider(rig, rig.lan.host(4), NodeId(int(line["id"], 16)))
        with closing(him):

            def lies() -> None:
                him.ack()
                him.endpoint.multicast(Leave(6500))
                seq = him.heartbeat.seq if him.heartbeat else 0
                him.to_broker(him.join(seq, 100))

            him.listens(lambda: forged(broker) >= 20, lies)
        found = roster(broker)
        assert sorted(found) == ["pi-1", "pi-2", "pi-3"]
        same = ("id", "floor_w", "floor_max_w", "priority")
        assert [found["pi-1"][key] for key in same] == [line[key] for key in same]

        own = load_identity(tmp_path)
        seed = load_private_key(tmp_path)
        him = Insider(rig, rig.lan.host(4), own.node_id)
        with closing(him):

            def asks() -> None:
                him.ack()
                seq = him.heartbeat.seq if him.heartbeat else 0
                join = him.join(seq, 60_000 if seq % 2 else 100)
                words = statement(join, him.me, him.boot)
                hand = Autograph(own.public_key, sign(seed, Purpose.ROSTER, words))
                him.to_broker(replace(join, autograph=hand))

            him.listens(lambda: "mallory" in roster(broker), asks)
            him.listens(lambda: any("may have" in x.reason for x in refusals(him)), asks)
        his = roster(broker)["mallory"]
        assert (his["priority"], his["floor_w"], his["votes"]) == (99, 0.1, 0)
        after = rig.wait_for_broker(broker, among=[rig.node(2), broker])
        assert after["term"] == before["term"]


def refusals(him: Insider) -> list[JoinReply]:
    """What he was told why not."""
    return [word for word in him.heard if isinstance(word, JoinReply) and not word.admitted]


def prices(node: RigNode, since_ns: int) -> list[dict[str, Any]]:
    """The prices that a node has taken since."""
    return [line for line in node.said("price", since_ns) if line["value"] is not None]


def test_expelled_node_is_in_the_dark_and_keeps_its_floor_until_it_is_off() -> None:
    with Rig(4) as rig:
        rig.start()
        broker, bad = rig.node(4), rig.node(2)
        rig.wait_for_broker(broker)
        rig.wait_for_loads()
        others = [node for node in rig.nodes if node is not bad]
        elsewhere = rig.node(1).rackgrid("expel", bad.name)
        assert elsewhere.returncode == 1
        assert "pi-4 is: ask there" in elsewhere.stderr
        asked = broker.rackgrid("expel", bad.name)
        assert asked.returncode == 0, asked.stderr
        assert "rackgrid key rotate" in asked.stderr
        rig.wait_for_loads([bad], on=False)
        state = broker.state()
        (line,) = (each for each in state["roster"] if each["name"] == bad.name)
        assert (line["votes"], line["expelled"]) == (0, True)
        assert state["feed"]["floors_w"] == pytest.approx(4 * FLOOR_W)
        early = broker.rackgrid("forget", bad.name)
        assert early.returncode == 1, "it is still heard"
        wait_until("it says why", lambda: "expelled" in bad.log.read_text())
        before_ns = time.monotonic_ns()
        bad.kill()
        bad.start()
        wait_until("it is back for some rounds", lambda: len(prices(bad, before_ns)) > 4)
        assert rig.edges(before_ns, [bad]) == []
        bad.kill()
        wait_until("it is absent", lambda: roster(broker)[bad.name]["absent"])
        asked = broker.rackgrid("forget", bad.name)
        assert asked.returncode == 0, asked.stderr
        bad.start()
        wait_until("its API", bad.state)
        rig.wait_for_broker(among=others)  # Whoever that is, on a slow machine.
        rig.wait_for_loads(others)

        def is_released() -> bool:
            """By the roster, and by the price of the next round."""
            state = broker.state()
            names = {each["name"] for each in state.get("roster", [])}
            return names == {node.name for node in others} and (
                state["feed"]["floors_w"] == pytest.approx(3 * FLOOR_W)
            )

        wait_until("its floor is released", is_released)
