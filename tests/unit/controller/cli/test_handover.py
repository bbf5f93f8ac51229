import json
from dataclasses import replace

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering, state_of

from rackgrid.cli import handover, main
from rackgrid.cli.exit import Exit

OWN = state_of(replace(VIEW, role="broker", broker="pi-1", broker_id=VIEW.node.id))


def test_handover_waits_until_another_leads(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(Daemon(first=[(202, b"{}"), (200, OWN)])) as daemon:
        assert main(["handover", "--api", daemon.api, "--json"]) == Exit.OK
    assert daemon.asked == ["POST /api/handover", "GET /api/state", "GET /api/state"]
    out, err = capsys.readouterr()
    assert json.loads(out) == {"broker": "pi-2", "term": 7, "handed_over": True}
    assert "pi-2 is the broker now, in term 7" in err


def test_handover_that_nobody_takes_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "PATIENCE_S", 0.0)
    with answering(Daemon(first=[(202, b"{}")], body=OWN)) as daemon:
        assert main(["handover", "--api", daemon.api]) == Exit.FAILED
    assert "no other node is the broker" in capsys.readouterr().err


def test_handover_on_a_node_that_does_not_lead_fails_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(Daemon(status=409, body=b'{"error": "pi-2 is the broker"}')) as daemon:
        assert main(["handover", "--api", daemon.api]) == Exit.FAILED
    assert "409: pi-2 is the broker" in capsys.readouterr().err


def test_handover_with_a_word_too_many_is_a_usage_error() -> None:
    assert main(["handover", "pi-2"]) == Exit.USAGE


def test_handover_that_is_missed_says_so_in_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "PATIENCE_S", 0.0)
    with answering(Daemon(first=[(202, b"{}")], body=OWN)) as daemon:
        assert main(["handover", "--api", daemon.api, "--json"]) == Exit.FAILED
    told = json.loads(capsys.readouterr().out)
    assert told == {"broker": "pi-1", "term": 7, "handed_over": False}


def test_handover_that_leaves_no_broker_ends_with_75(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "PATIENCE_S", 0.0)
    leaderless = state_of(replace(VIEW, broker="", broker_id=""))
    with answering(Daemon(first=[(202, b"{}")], body=leaderless)) as daemon:
        assert main(["handover", "--api", daemon.api]) == Exit.NO_BROKER


def test_handover_of_a_daemon_that_is_not_there_ends_with_69() -> None:
    with answering(Daemon()) as daemon:
        pass
    assert main(["handover", "--api", daemon.api]) == Exit.UNREACHABLE
