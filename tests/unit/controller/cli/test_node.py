from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering, state_of

from rackgrid.cli import main, node
from rackgrid.cli.exit import Exit

PI_1 = "00000000000000aa"
ASKED = (202, b'{"node": "00000000000000aa", "name": "pi-1", "waits": false}')
DONE = state_of(replace(VIEW, roster=(replace(VIEW.roster[0], priority=7, floor_max_w=13.5),)))


def test_node_waits_until_the_roster_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["node", "pi-1", "--priority", "7", "--floor-max", "13.5", "--json"]
    with answering(Daemon(first=[ASKED, (200, state_of(VIEW))], body=DONE)) as daemon:
        assert main([*words, "--api", daemon.api]) == Exit.OK
    assert daemon.asked[0] == "POST /api/nodes/pi-1"
    assert json.loads(daemon.sent[0]) == {"priority": 7, "floor_max_w": 13.5}
    assert len(daemon.asked) == 3
    out, err = capsys.readouterr()
    assert json.loads(out) == {"id": PI_1, "name": "pi-1", "changed": True}
    assert "pi-1: priority = 7, floor_max_w = 13.5" in err


def test_node_sends_only_what_is_to_change() -> None:
    with answering(Daemon(first=[ASKED], body=DONE)) as daemon:
        assert main(["node", "pi-1", "--priority", "7", "--api", daemon.api]) == Exit.OK
    assert json.loads(daemon.sent[0]) == {"priority": 7}


def test_node_that_is_still_to_come_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    waits = (202, b'{"node": "00000000000000dd", "name": "", "waits": true}')
    words = ["node", "00000000000000dd", "--floor-max", "8", "--json"]
    with answering(Daemon(first=[waits])) as daemon:
        assert main([*words, "--api", daemon.api]) == Exit.OK
    assert len(daemon.asked) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {"id": "00000000000000dd", "changed": False, "waits": True}
    assert "not on the roster" in err


def test_node_without_anything_to_change_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["node", "pi-1"]) == Exit.USAGE
    assert "nothing to change" in capsys.readouterr().err


def test_node_asked_elsewhere_than_at_the_broker_fails_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    body = b'{"error": "only the broker changes a node\'s line, and pi-2 is: ask there"}'
    with answering(Daemon(status=409, body=body)) as daemon:
        assert main(["node", "pi-1", "--priority", "7", "--api", daemon.api]) == Exit.FAILED
    assert "pi-2 is: ask there" in capsys.readouterr().err


def test_node_that_nobody_agrees_on_ends_when_patience_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "PATIENCE_S", 0.0)
    with answering(Daemon(first=[ASKED], body=state_of(VIEW))) as daemon:
        words = ["node", "pi-1", "--priority", "7", "--json", "--api", daemon.api]
        assert main(words) == Exit.FAILED
    out, err = capsys.readouterr()
    assert json.loads(out)["changed"] is False
    assert "pi-1 is not changed" in err
