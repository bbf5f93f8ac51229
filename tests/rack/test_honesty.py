"""A real load that takes more than its nameplate: its node learns it, and says so.

Fails if the lie is not seen, is not counted, or costs a required load its power.
"""

from __future__ import annotations

import json
import signal

import pytest
from tests.rack.recipe import BOARD
from tests.rack.rig import DEADLINE_S, QUICK, Rig, wait_until

pytestmark = pytest.mark.root

METER = """\
[[meter]]
name = "lamp"
address = 0x41
shunt_ohms = 0.1

"""
LAMP = "inrush_s = 0.05\nmock = {{ draw_w = 5.7"
LYING = BOARD.replace('[[output]]\nname = "server"', METER + '[[output]]\nname = "server"').replace(
    LAMP, 'inrush_s = 0.05\nmeter = "lamp"\nmock = {{ lies = true, draw_w = 5.7'
)


def test_load_that_takes_more_is_learned_and_told_of() -> None:
    assert LYING.count("lamp") == BOARD.count("lamp") + 2
    with Rig(1, rack=QUICK, board=LYING) as rig:
        node = rig.node(1)
        rig.start()
        rig.wait_for_broker()
        rig.wait_for_loads()
        rig.control.set_load(node.name, "lamp", 9.0)
        wait_until(
            "the lamp's nameplate is known to be wrong",
            lambda: node.ask("/api/why/lamp").get("learned_mw", 0) > 8500,
        )
        said = node.rackgrid("why", "lamp")
        assert "nameplate 6.0 W, and it took" in said.stdout
        # It goes on, with what it takes: there is room.
        wait_until(
            "it is granted what it takes",
            lambda: (node.ask("/api/why/lamp").get("grant") or {"mw": 0})["mw"] >= 8500 + 8000,
        )
        assert rig.control.draws()["nodes"][node.name]["loads"]["lamp"] > 8.5
        log = node.log.read_text()
        assert log.count("its nameplate says 6.0 W") == 1
        (mine,) = node.state()["members"]
        assert mine["flagged"] is False
        assert node.controller is not None
        node.controller.send_signal(signal.SIGINT)
        assert node.controller.wait(DEADLINE_S) == 0
        (record,) = (node.folder / "state/record").glob("*.jsonl")
        checked = node.rackgrid("replay", "--verify", str(record))
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert any("learned_mw" in json.loads(line) for line in record.read_text().splitlines())
