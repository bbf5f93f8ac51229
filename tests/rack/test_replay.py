"""A thief who has recorded a rack and plays it to a node that was restarted and remembers nothing.

He throws everything that the group ever heard at the group and at the node's own port, from before
its start until it is a member again.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager

import pytest
from tests.rack.rig import QUICK, Rig, wait_until
from tests.rack.test_garbage import PLACE, on, raw, record

from rackgrid.wire.seal import Kind

pytestmark = pytest.mark.root

ENOUGH = 60


@contextmanager
def thrown(rig: Rig, number: int, recorded: Sequence[bytes]) -> Generator[None]:
    """Throw recordings again and again, some thousands a second."""
    ended = threading.Event()
    target = rig.node(number).host.address
    with closing(raw(rig.lan.host(4))) as sock:

        def throw() -> None:
            while not ended.is_set():
                for datagram in recorded:
                    sock.sendto(datagram, (PLACE.group, PLACE.port))
                    sock.sendto(datagram, (target, PLACE.port))
                select.select([], [], [], 0.01)

        thread = threading.Thread(target=throw)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def test_replay_of_all_that_was_said_means_nothing_to_a_rebooted_node() -> None:
    with Rig(4, rack={**QUICK, "expect": 3}) as rig:
        rig.start(1, 2, 3)
        nodes = rig.nodes[:3]
        before = rig.wait_for_broker(rig.node(3), among=nodes)
        rig.wait_for_loads(nodes)
        with closing(on(rig.lan.host(4))) as spy:
            recorded = record(spy, lambda heard: len(heard) >= ENOUGH)
        assert {datagram[4] for datagram in recorded} == {Kind.MULTICAST}
        reborn = rig.node(1)
        reborn.kill()
        since_ns = time.monotonic_ns()
        with thrown(rig, 1, recorded):
            reborn.start()
            wait_until("it is a member again", lambda: reborn.state().get("role") == "member")
            wait_until(
                "it has heard the thief",
                lambda: reborn.state()["rejected"].get("replayed", 0) > ENOUGH,
            )
            rig.wait_for_loads(nodes)
            after = reborn.state()
        assert (after["term"], after["broker_id"]) == (before["term"], before["broker_id"])
        assert after["rejected"]["unproven"] > 0
        assert not [one for one in after["suspects"] if one["fault"] == "cloned"]
        others = [line for node in nodes[1:] for line in node.said("role", since_ns)]
        assert others == [], "the others went on as before"
        rounds = [int(line["round"]) for line in reborn.said("price", since_ns)]
        assert rounds == sorted(rounds), "an earlier price was taken again"
