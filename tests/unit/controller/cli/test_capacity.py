import json
from dataclasses import replace

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering, state_of

from rackgrid.cli import capacity, main
from rackgrid.cli.exit import Exit
from rackgrid.core.view import FeedView


def test_capacity_in_force_says_what_the_rack_shares_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(Daemon(first=[(202, b"{}")])) as daemon:
        assert main(["capacity", "60", "--api", daemon.api]) == Exit.OK
    assert daemon.asked[0] == "POST /api/feed"
    assert json.loads(daemon.sent[0]) == {"capacity_w": 60.0}
    assert "shares out 60 W" in capsys.readouterr().err


def test_capacity_below_the_floors_says_that_no_flexible_load_gets_power(
    capsys: pytest.CaptureFixture[str],
) -> None:
    feed = state_of(replace(VIEW, feed=FeedView(20.0, 20.5, 0.0, 24.0)))
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
    assert "has not taken it" in err


@pytest.mark.parametrize("word", ["0", "-1", "nan", "many", "1e9"])
def test_capacity_that_is_none_is_refused(word: str) -> None:
    assert main(["capacity", "--", word]) == Exit.USAGE
