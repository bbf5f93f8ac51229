from dataclasses import replace

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering, state_of

from rackgrid.cli import patience
from rackgrid.cli.api import Record, RefusedError, UnreachableError
from rackgrid.cli.exit import Exit
from rackgrid.cli.patience import has_broker, missed, wait_until

LEADERLESS = state_of(replace(VIEW, broker="", broker_id=""))


def test_wait_until_it_is_so_returns_that_state() -> None:
    with answering(Daemon(first=[(200, LEADERLESS)])) as daemon:
        state, is_so = wait_until(daemon.api, has_broker, 5.0)
    assert is_so
    assert state.text("broker") == "pi-2"
    assert len(daemon.asked) == 2


def test_wait_without_patience_looks_once() -> None:
    with answering(Daemon(body=LEADERLESS)) as daemon:
        _, is_so = wait_until(daemon.api, has_broker, 0.0)
    assert not is_so
    assert len(daemon.asked) == 1


def test_wait_for_a_daemon_that_is_gone_says_so() -> None:
    with answering(Daemon()) as daemon:
        pass
    with pytest.raises(UnreachableError):
        wait_until(daemon.api, has_broker, 1.0)


def test_missed_without_a_broker_says_what_that_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert missed(Record({}), "it did not come", "try again") == Exit.NO_BROKER
    assert missed(Record({"broker": "pi-2"}), "it did not come", "try again") == Exit.FAILED
    err = capsys.readouterr().err
    assert "nothing is agreed on without one" in err
    assert "it did not come; try again" in err


def test_wait_that_is_in_vain_ends_when_patience_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LOOK_S", 0.01)
    with answering(Daemon(body=LEADERLESS)) as daemon:
        state, is_so = wait_until(daemon.api, has_broker, 0.05)
    assert not is_so
    assert state.text("rack") == "demo"
    assert len(daemon.asked) > 1
    assert set(daemon.asked) == {"GET /api/state"}


def test_wait_that_is_refused_on_the_way_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LOOK_S", 0.01)
    refusal = b'{"error": "stopping"}'
    leaving = Daemon(first=[(200, LEADERLESS)], status=503, body=refusal)
    with answering(leaving) as daemon, pytest.raises(RefusedError, match="503: stopping"):
        wait_until(daemon.api, has_broker, 5.0)
    assert len(leaving.asked) == 2


@pytest.mark.parametrize(
    ("fields", "is_led"),
    [({"broker": "pi-2"}, True), ({"broker_id": "00000000000000bb"}, True), ({}, False)],
)
def test_has_broker_with_a_name_or_an_id_is_true(fields: dict[str, object], is_led: bool) -> None:
    assert has_broker(Record(fields)) is is_led
