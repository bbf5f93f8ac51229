import json
from dataclasses import replace

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering, state_of

from rackgrid.cli import forget, main
from rackgrid.cli.exit import Exit

ASKED = (202, b'{"forgetting": "00000000000000aa", "name": "pi-1"}')


def test_forget_waits_until_the_roster_is_without_the_node(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone = state_of(replace(VIEW, roster=()))
    with answering(Daemon(first=[ASKED, (200, state_of(VIEW))], body=gone)) as daemon:
        assert main(["forget", "pi-1", "--api", daemon.api, "--json"]) == Exit.OK
    assert daemon.asked[0] == "POST /api/forget/pi-1"
    assert len(daemon.asked) == 3
    out, err = capsys.readouterr()
    assert json.loads(out) == {"id": "00000000000000aa", "name": "pi-1", "forgotten": True}
    assert "its floor is free" in err


def test_forget_that_is_refused_fails_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(Daemon(status=409, body=b'{"error": "pi-1 is heard"}')) as daemon:
        assert main(["forget", "pi-1", "--api", daemon.api]) == Exit.FAILED
    assert "409: pi-1 is heard" in capsys.readouterr().err


def test_forget_that_nobody_agrees_on_ends_when_patience_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forget, "PATIENCE_S", 0.0)
    with answering(Daemon(first=[ASKED])) as daemon:
        assert main(["forget", "pi-1", "--api", daemon.api]) == Exit.FAILED
    assert "pi-1 is not forgotten" in capsys.readouterr().err


def test_forget_in_a_rack_without_a_broker_ends_with_75(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "PATIENCE_S", 0.0)
    leaderless = state_of(replace(VIEW, broker="", broker_id=""))
    with answering(Daemon(first=[ASKED], body=leaderless)) as daemon:
        assert main(["forget", "pi-1", "--api", daemon.api]) == Exit.NO_BROKER


def test_forget_without_a_node_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget"]) == Exit.USAGE
    assert "NODE" in capsys.readouterr().err


def test_forget_of_a_name_that_is_no_path_quotes_it() -> None:
    with answering(Daemon(status=404, body=b'{"error": "no such node"}')) as daemon:
        assert main(["forget", "a/b c?", "--api", daemon.api]) == Exit.FAILED
    assert daemon.asked == ["POST /api/forget/a%2Fb%20c%3F"]
    assert daemon.sent == []


def test_forget_that_is_missed_says_so_in_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forget, "PATIENCE_S", 0.0)
    with answering(Daemon(first=[ASKED])) as daemon:
        assert main(["forget", "pi-1", "--api", daemon.api, "--json"]) == Exit.FAILED
    assert json.loads(capsys.readouterr().out)["forgotten"] is False


def test_forget_of_a_daemon_that_is_not_there_ends_with_69() -> None:
    with answering(Daemon()) as daemon:
        pass
    assert main(["forget", "pi-1", "--api", daemon.api]) == Exit.UNREACHABLE
