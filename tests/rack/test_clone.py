"""A copied SD card: a second machine with a node's identity is named, and neither is believed."""

from __future__ import annotations

import json
import shutil
import time

import pytest
from tests.rack.recipe import EXACT_BOARD
from tests.rack.rig import FLEXIBLE_W, FLOOR_W, QUICK, Rig, RigNode, State, wait_until

pytestmark = pytest.mark.root

START_W = 8.0
"""Spare, for one load's inrush at a time."""
CAPACITY_W = 3 * (FLOOR_W + FLEXIBLE_W) + START_W + FLOOR_W
"""What three nodes draw, and what the clone's electronics and server take: no lamp and pump more.

A grant that the clone gets before it is found out is counted, or the trace shows a breach.
"""


def cloned(node: RigNode) -> list[str]:
    """Whom a node suspects of running twice."""
    suspects = node.state().get("suspects", [])
    return [one["id"] for one in suspects if one["fault"] == "cloned"]


def test_clone_of_a_member_is_named_and_quarantined_and_the_rest_trade_on() -> None:
    """Fails if a watt is given twice, or if it costs the others more than a moment."""
    with Rig(4, capacity_w=CAPACITY_W, board=EXACT_BOARD, rack={**QUICK, "expect": 3}) as rig:
        for node in rig.nodes:
            text = node.config.read_text()
            node.config.write_text(text.replace("[feed]\n", f"[feed]\nreserve_w = {FLOOR_W}\n"))
        original, clone = rig.node(1), rig.node(4)
        others = [rig.node(2), rig.node(3)]
        rig.start(1, 2, 3)
        before = rig.wait_for_broker(rig.node(3), among=rig.nodes[:3])
        rig.wait_for_loads(rig.nodes[:3])
        copied = next(line["id"] for line in before["roster"] if line["name"] == original.name)
        clone.start_firmware()
        wait_until("the clone's firmware", (clone.folder / "run/firmware.sock").is_socket)
        since_ns = time.monotonic_ns()
        original.kill()  # So that its card can be copied.
        shutil.copytree(original.folder / "state", clone.folder / "state")
        shutil.copyfile(original.config, clone.config)
        original.start()
        clone.start()
        for node in (*others, original, clone):
            wait_until(f"{node.name} names it", lambda node=node: copied in cloned(node))
        said = others[0].rackgrid("doctor", "--json", "--config", str(others[0].config))
        found = [one for one in json.loads(said.stdout)["checks"] if one["code"] == "clones"]
        assert [one["grade"] for one in found] == ["FAIL"]
        assert original.name in found[0]["cause"]
        # A clone looks like a restart until the first of the two speaks again: so its bid may have
        # been granted once, beside what the other boots held, and on so small a feed somebody's
        # pump gives way to that. All of it runs out.
        rig.wait_for_loads([original, clone], on=False)
        rig.wait_for_loads(others)
        known = rig.wait_for_broker(rig.node(3), among=others)["price"]["round"]
        after: State = {}

        def trades_on() -> bool:
            after.update(others[0].state())
            return bool(after) and after["price"]["round"] > known + 2

        wait_until("the rest trade on", trades_on)
        assert (after["term"], after["broker"]) == (before["term"], before["broker"])
        assert not [line for node in others for line in node.said("role", since_ns)]
        assert copied in cloned(others[0]), "while both run they stay in quarantine"
        assert after["rejected"].get("cloned", 0) > 0
