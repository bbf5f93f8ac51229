import pytest
from tests.unit.controller.cli.daemon import Daemon, answering

from rackgrid.cli import main
from rackgrid.cli.exit import Exit


def test_leave_asks_the_daemon_once_and_says_what_happens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(Daemon(status=202, body=b'{"leaving": true}')) as daemon:
        assert main(["leave", "--api", daemon.api]) == Exit.OK
    out, err = capsys.readouterr()
    assert daemon.asked == ["POST /api/leave"]
    assert out == ""
    assert "leaving the rack" in err
    assert "Required loads stay on" in err


def test_leave_that_is_refused_fails_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(Daemon(status=403, body=b'{"error": "read-only: ask on the node"}')) as daemon:
        assert main(["leave", "--api", daemon.api]) == Exit.FAILED
    assert "403: read-only: ask on the node" in capsys.readouterr().err


def test_leave_of_a_daemon_that_is_not_there_ends_with_69() -> None:
    with answering(Daemon()) as daemon:
        pass
    assert main(["leave", "--api", daemon.api]) == Exit.UNREACHABLE
