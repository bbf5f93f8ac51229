import json
from dataclasses import replace

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering, state_of

from rackgrid.cli import main, recover
from rackgrid.cli.exit import Exit
from rackgrid.core.view import RosterView

GONE = RosterView("00000000000000bb", "pi-2", 120, 12.0, 2, False, True)
LEADERLESS = state_of(replace(VIEW, broker="", broker_id="", roster=(*VIEW.roster, GONE)))


def test_recover_where_a_broker_leads_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(Daemon()) as daemon:
        assert main(["recover", "--missing-are-off", "--api", daemon.api]) == Exit.FAILED
    assert daemon.asked == ["GET /api/state"]
    assert "nothing to recover: pi-2 is the broker" in capsys.readouterr().err


def test_recover_without_the_operators_word_only_says_what_it_would_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(Daemon(body=LEADERLESS)) as daemon:
        assert main(["recover", "--api", daemon.api]) == Exit.USAGE
    assert daemon.asked == ["GET /api/state"]
    out, err = capsys.readouterr()
    assert "missing: pi-2 (votes 2, floor 12.0 W)" in out
    assert "nothing is done yet" in err


def test_recover_with_it_waits_for_a_broker(capsys: pytest.CaptureFixture[str]) -> None:
    first = [(200, LEADERLESS), (202, b"{}"), (200, LEADERLESS)]
    with answering(Daemon(first=first)) as daemon:
        words = ["recover", "--missing-are-off", "--json", "--api", daemon.api]
        assert main(words) == Exit.OK
    assert daemon.asked[1] == "POST /api/recover"
    assert json.loads(capsys.readouterr().out) == {
        "heard": ["pi-1"],
        "missing": ["pi-2"],
        "broker": "pi-2",
    }


def test_recover_that_finds_no_broker_ends_with_75(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recover, "PATIENCE_S", 0.0)
    with answering(Daemon(first=[(200, LEADERLESS), (202, b"{}")], body=LEADERLESS)) as daemon:
        assert main(["recover", "--missing-are-off", "--api", daemon.api]) == Exit.NO_BROKER


def test_plan_with_a_majority_heard_advises_to_wait() -> None:
    view = replace(VIEW, broker="", broker_id="")
    state = recover.Record(json.loads(state_of(view)))
    assert "wait first" in recover.plan(state)[-1]


def test_recover_with_an_unknown_option_is_a_usage_error() -> None:
    with answering(Daemon(body=LEADERLESS)) as daemon:
        assert main(["recover", "--all-are-off", "--api", daemon.api]) == Exit.USAGE
    assert daemon.asked == []


def test_recover_without_the_operators_word_lists_both_sides_in_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(Daemon(body=LEADERLESS)) as daemon:
        assert main(["recover", "--json", "--api", daemon.api]) == Exit.USAGE
    assert json.loads(capsys.readouterr().out) == {"heard": ["pi-1"], "missing": ["pi-2"]}


def test_recover_that_is_refused_fails_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refusal = b'{"error": "pi-2 is heard again"}'
    with answering(Daemon(first=[(200, LEADERLESS)], status=409, body=refusal)) as daemon:
        assert main(["recover", "--missing-are-off", "--api", daemon.api]) == Exit.FAILED
    assert daemon.asked == ["GET /api/state", "POST /api/recover"]
    assert "409: pi-2 is heard again" in capsys.readouterr().err


def test_recover_of_a_daemon_that_is_not_there_ends_with_69() -> None:
    with answering(Daemon()) as daemon:
        pass
    assert main(["recover", "--missing-are-off", "--api", daemon.api]) == Exit.UNREACHABLE


def test_plan_of_an_older_daemon_shows_what_is_known() -> None:
    state = recover.Record({"rack": "demo", "roster": [{"id": "aa", "absent": True}]})
    lines = recover.plan(state)
    assert "heard:   nobody" in lines
    assert "missing: aa (votes ?, floor ? W)" in lines
