"""Fails if a person's word on a load is not passed on, or called done before it is."""

import json
from dataclasses import replace

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering, state_of

from rackgrid.cli import load, main
from rackgrid.cli.exit import Exit

ASKED = (202, b'{"load": "fan", "asked": "x"}')


def with_fault(fault: str | None) -> bytes:
    """What a daemon answers whose fan has this fault; the pump is another node's."""
    loads = [replace(each, fault=fault) if each.name == "fan" else each for each in VIEW.loads]
    return state_of(replace(VIEW, loads=tuple(loads)))


@pytest.mark.parametrize(
    ("deed", "before", "after"),
    [
        ("clear", "overcurrent: 2.5 A", None),
        ("clear", "welded", "locked out"),
        ("clear", None, None),
        ("lock", None, "locked out"),
        ("lock", "welded", "locked out"),
        ("lock", "unavailable", "locked out, and unavailable"),
        ("unlock", "locked out", None),
        ("unlock", "locked out", "welded"),
    ],
)
def test_load_waits_until_the_node_shows_it(
    capsys: pytest.CaptureFixture[str], deed: str, before: str | None, after: str | None
) -> None:
    still = (200, with_fault(before))
    with answering(Daemon(first=[still, ASKED, still], body=with_fault(after))) as daemon:
        assert main(["load", deed, "fan", "--api", daemon.api, "--json"]) == Exit.OK
    assert daemon.asked[1] == f"POST /api/loads/fan/{deed}"
    out, err = capsys.readouterr()
    assert json.loads(out) == {"load": "fan", deed: True, "fault": after}
    assert f"fan: {deed} is done" in err
    assert (after or "fan") in err


@pytest.mark.parametrize(
    ("deed", "fault"), [("clear", "welded"), ("lock", None), ("unlock", "locked out")]
)
def test_load_that_stays_as_it_was_fails(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    deed: str,
    fault: str | None,
) -> None:
    monkeypatch.setattr(load, "PATIENCE_S", 0.0)
    still = (200, with_fault(fault))
    with answering(Daemon(first=[still, ASKED], body=with_fault(fault))) as daemon:
        assert main(["load", deed, "fan", "--api", daemon.api]) == Exit.FAILED
    said = capsys.readouterr().err
    assert f"fan: no {deed} within" in said
    assert "-u rackgrid -u rackgrid-firmware" in said


def test_lock_of_what_is_out_of_reach_says_that_nobody_has_seen_it_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Fails if somebody is told that a load is off which nobody can see."""
    still, after = (200, with_fault("unavailable")), with_fault("locked out, and unavailable")
    with answering(Daemon(first=[still, ASKED], body=after)) as daemon:
        assert main(["load", "lock", "fan", "--api", daemon.api]) == Exit.OK
    said = capsys.readouterr().err
    assert "lock is done" in said
    assert "nobody has seen that it is off, so pull its plug" in said
    assert "it is off:" not in said


def test_load_that_is_refused_fails_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    refusal = (404, b'{"error": "pi-1 has no load \'a/b\' (it has fan, server)"}')
    with answering(Daemon(first=[(200, state_of(VIEW)), refusal])) as daemon:
        assert main(["load", "clear", "a/b", "--api", daemon.api]) == Exit.FAILED
    assert daemon.asked[1] == "POST /api/loads/a%2Fb/clear"
    assert "it has fan, server" in capsys.readouterr().err


def test_load_without_a_deed_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load"]) == Exit.USAGE
    assert "DEED" in capsys.readouterr().err


def test_load_of_a_daemon_that_is_not_there_ends_with_69() -> None:
    with answering(Daemon()) as daemon:
        pass
    assert main(["load", "lock", "fan", "--api", daemon.api]) == Exit.UNREACHABLE
