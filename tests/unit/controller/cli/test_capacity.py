import json
from dataclasses import replace

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering, state_of

from rackgrid.cli import capacity, main
from rackgrid.cli.exit import Exit
from rackgrid.core.view import FeedView


def limited(limit_w: float, shared_w: float = 60.0) -> bytes:
    """The state of a rack that has agreed on a limit."""
    return state_of(replace(VIEW, feed=FeedView(shared_w, 20.5, 6.0, 24.0, limit_w)))


def test_capacity_in_force_says_what_the_rack_shares_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(Daemon(first=[(202, b"{}")], body=limited(60.0))) as daemon:
        assert main(["capacity", "60", "--api", daemon.api]) == Exit.OK
    assert daemon.asked[0] == "POST /api/feed"
    assert json.loads(daemon.sent[0]) == {"capacity_w": 60.0}
    assert "shares out 60 W" in capsys.readouterr().err


def test_capacity_below_the_floors_says_that_no_flexible_load_gets_power(
    capsys: pytest.CaptureFixture[str],
) -> None:
    feed = state_of(replace(VIEW, feed=FeedView(20.0, 20.5, 0.0, 24.0, 20.0)))
    with answering(Daemon(first=[(202, b"{}")], body=feed)) as daemon:
        assert main(["capacity", "20", "--api", daemon.api]) == Exit.OK
    assert "the floors alone are 24 W" in capsys.readouterr().err


def test_capacity_that_is_not_taken_fails_when_patience_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "PATIENCE_S", 0.0)
    with answering(Daemon(first=[(202, b"{}")])) as daemon:
        assert main(["capacity", "40", "--api", daemon.api, "--json"]) == Exit.FAILED
    out, err = capsys.readouterr()
    assert json.loads(out)["in_force"] is False
    assert "the rack has not agreed on it" in err


@pytest.mark.parametrize("word", ["0", "-1", "nan", "many", "1e9"])
def test_capacity_that_is_none_is_refused(word: str) -> None:
    assert main(["capacity", "--", word]) == Exit.USAGE


def test_capacity_without_watts_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capacity"]) == Exit.USAGE
    assert "WATTS" in capsys.readouterr().err


def test_capacity_waits_until_the_rack_has_agreed_on_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cut = limited(37.5, 37.5)
    first = [(202, b"{}"), (200, limited(40.0, 37.5))]
    with answering(Daemon(first=first, body=cut)) as daemon:
        assert main(["capacity", "37.5", "--api", daemon.api, "--json"]) == Exit.OK
    assert daemon.asked == ["POST /api/feed", "GET /api/state", "GET /api/state"]
    assert [json.loads(body) for body in daemon.sent] == [{"capacity_w": 37.5}]
    told = json.loads(capsys.readouterr().out)
    assert told == {"capacity_w": 37.5, "in_force": True, "feed": json.loads(cut)["feed"]}


def test_capacity_above_what_is_shared_out_says_why_it_is_less(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(Daemon(first=[(202, b"{}")], body=limited(80.0))) as daemon:
        assert main(["capacity", "80", "--api", daemon.api]) == Exit.OK
    err = capsys.readouterr().err
    assert "the feed's limit is 80 W; the rack shares out 60 W" in err
    assert "(less: the sources" in err


def test_capacity_that_is_refused_fails_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(Daemon(status=409, body=b'{"error": "the feed is not ours"}')) as daemon:
        assert main(["capacity", "40", "--api", daemon.api]) == Exit.FAILED
    out, err = capsys.readouterr()
    assert daemon.asked == ["POST /api/feed"]
    assert out == ""
    assert "409: the feed is not ours" in err


def test_capacity_in_a_rack_without_a_broker_ends_with_75(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity, "PATIENCE_S", 0.0)
    leaderless = state_of(replace(VIEW, broker="", broker_id=""))
    with answering(Daemon(first=[(202, b"{}")], body=leaderless)) as daemon:
        assert main(["capacity", "60", "--api", daemon.api]) == Exit.NO_BROKER


def test_capacity_of_a_daemon_that_is_not_there_ends_with_69() -> None:
    with answering(Daemon()) as daemon:
        pass
    assert main(["capacity", "40", "--api", daemon.api]) == Exit.UNREACHABLE
