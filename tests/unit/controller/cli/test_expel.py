from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering, state_of

from rackgrid.cli import expel, main
from rackgrid.cli.exit import Exit

ASKED = (202, b'{"expelling": "00000000000000aa", "name": "pi-1", "floor_w": 12.0}')
PI_1 = VIEW.roster[0]
MARKED = state_of(replace(VIEW, roster=(replace(PI_1, expelled=True),)))
DONE = state_of(replace(VIEW, roster=(replace(PI_1, expelled=True, votes=0),)))


def test_expel_waits_until_the_node_has_no_vote_and_says_what_is_left_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = [ASKED, (200, state_of(VIEW)), (200, MARKED)]
    with answering(Daemon(first=first, body=DONE)) as daemon:
        assert main(["expel", "pi-1", "--api", daemon.api, "--json"]) == Exit.OK
    assert daemon.asked[0] == "POST /api/expel/pi-1"
    assert len(daemon.asked) == 4
    out, err = capsys.readouterr()
    assert json.loads(out) == {"id": PI_1.id, "name": "pi-1", "expelled": True}
    assert "rackgrid key rotate" in err
    assert "floor of 12 W" in err
    assert "rackgrid forget pi-1" in err


def test_expel_of_a_node_whose_line_is_gone_already_is_done() -> None:
    gone = state_of(replace(VIEW, roster=(replace(PI_1, id="00000000000000bb"),)))
    with answering(Daemon(first=[ASKED], body=gone)) as daemon:
        assert main(["expel", "pi-1", "--api", daemon.api]) == Exit.OK


def test_expel_is_not_done_where_no_roster_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expel, "PATIENCE_S", 0.0)
    with answering(Daemon(first=[ASKED], body=state_of(replace(VIEW, roster=())))) as daemon:
        assert main(["expel", "pi-1", "--api", daemon.api]) == Exit.FAILED


def test_expel_asked_elsewhere_fails_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    body = b'{"error": "only the broker changes a node\'s line, and pi-2 is: ask there"}'
    with answering(Daemon(status=409, body=body)) as daemon:
        assert main(["expel", "pi-1", "--api", daemon.api]) == Exit.FAILED
    assert "pi-2 is: ask there" in capsys.readouterr().err


def test_expel_that_nobody_agrees_on_ends_when_patience_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expel, "PATIENCE_S", 0.0)
    with answering(Daemon(first=[ASKED], body=state_of(VIEW))) as daemon:
        assert main(["expel", "pi-1", "--api", daemon.api, "--json"]) == Exit.FAILED
    out, err = capsys.readouterr()
    assert json.loads(out)["expelled"] is False
    assert "pi-1 is not expelled" in err
