"""Fails if a person is not told why, by what, since when, and what else there is to ask for."""

from __future__ import annotations

import json

import pytest
from tests.unit.controller.adapters.story import STARTING
from tests.unit.controller.cli.daemon import Daemon, answering

from rackgrid.adapters.event_json import decision
from rackgrid.cli import main
from rackgrid.cli.exit import Exit

LINE = decision(STARTING)
WHY: dict[str, object] = {
    "load": "lamp",
    "node": "pi-1",
    "on": False,
    "since": "2026-03-01T11:59:00.000Z",
    "since_s": 60.0,
    "reason_since": None,
    "reason_since_s": 4.0,
    "broker_name": "pi-2",
    "currency": "EUR",
    **{key: value for key, value in LINE.items() if key not in ("from", "to")},
    "changes": [
        {**LINE, "time": "2026-03-01T11:59:59.000Z", "from": True, "t_ns": 1},
        {**LINE, "time": None, "t_ns": 1_500_000_000},
    ],
}

AHEAD: dict[str, object] = {
    "by": "2026-03-02T07:00:00.000Z",
    "left_wh": 12.5,
    "slack_s": 9000,
    "tariff": True,
    "yesterday": False,
    "taken_s": 0,
    "ahead": [],
}
SLOTS = [
    {
        "start": f"2026-03-02T0{hour}:00:00.000Z",
        "end": f"2026-03-02T0{hour + 1}:00:00.000Z",
        "price_uc": price_uc,
    }
    for hour, price_uc in enumerate((300_000, 100_000, 300_000))
]


def said(capsys: pytest.CaptureFixture[str], answer: dict[str, object], *words: str) -> str:
    with answering(Daemon(body=json.dumps(answer).encode())) as daemon:
        assert main(["why", "lamp", *words, "--api", daemon.api]) == Exit.OK
    return capsys.readouterr().out


def test_why_says_the_reason_the_inputs_and_the_changes(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, WHY)
    assert out.splitlines() == [
        "lamp (pi-1) is off since 2026-03-01T11:59:00.000Z (60.0 s ago)",
        "  switched on, not yet confirmed, 4.0 s ago",
        "  price 0.250 EUR/kWh, of term 7, round 3 by pi-2",
        "  worth 0.400",
        "  grant 9.0 W for 2.1 s more; 9.0 W are needed for a start",
        "  draws 0.0 W",
        "last changes:",
        "  2026-03-01T11:59:59.000Z  on -> off  switched on, not yet confirmed",
        "  t=1.500 s  still off  switched on, not yet confirmed",
    ]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"price_uc": None}, "price unknown"),
        ({"share": 1.5}, "its node takes 1.50 times what it is granted: its bids count so much"),
        (
            {"learned_mw": 9000, "nominal_mw": 6000},
            "nameplate 6.0 W, and it took 9.0 W: it counts with that",
        ),
        ({"worth_uc": None, "bid_uc": None}, "worth none: required"),
        ({"bid_uc": 10_000_000}, "worth 0.400, bids 10.000 while it must run"),
        ({"grant": None}, "no grant"),
        ({"metered_mw": None}, "not metered by itself"),
        ({"guard_ms": 150_000}, "2 min left of its minimum off-time"),
        ({"guard_ms": 9_000_000, "on": True}, "2.5 h left of its minimum on-time"),
        ({"fault": "overcurrent: 2.5 A"}, "fault: overcurrent: 2.5 A"),
        (
            {"prospect": {**AHEAD, "tariff": False, "slack_s": 0}},
            "needs 12.5 Wh more by 2026-03-02T07:00:00.000Z: cannot wait any more\n"
            "  plans by the time that is left: no price ahead is known\n",
        ),
        (
            {"prospect": {**AHEAD, "yesterday": True, "taken_s": 10_800, "ahead": SLOTS}},
            "can wait for 2.5 h\n"
            "  plans by the tariff and how the feed stood yesterday\n"
            "  does not count on 3.0 h of it: yesterday others left no room then\n"
            "  cheapest ahead: 0.100 from 2026-03-02T01:00:00.000Z to 2026-03-02T02:00:00.000Z\n",
        ),
        ({"prospect": {**AHEAD, "tariff": False, "yesterday": True}}, "by how the feed stood"),
        ({"changes": []}, "nothing has changed since the node's start"),
        ({"since_s": None}, "lamp (pi-1) is off\n"),
    ],
)
def test_why_says_what_is_not_usual(
    capsys: pytest.CaptureFixture[str], changed: dict[str, object], words: str
) -> None:
    assert words in said(capsys, {**WHY, **changed})


def test_why_of_a_grant_for_others_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    grant = WHY["grant"]
    assert isinstance(grant, dict)
    out = said(capsys, {**WHY, "grant": {**grant, "serves": False}})
    assert "not for this load" in out


def test_why_in_json_is_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(said(capsys, WHY, "--json")) == WHY


def test_why_asks_for_as_many_changes_as_wished() -> None:
    with answering(Daemon(body=json.dumps(WHY).encode())) as daemon:
        assert main(["why", "a/b", "--last", "9", "--api", daemon.api]) == Exit.OK
    assert daemon.asked == ["GET /api/why/a%2Fb?last=9"]


def test_why_of_another_nodes_load_says_where_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"load": "pump", "node": "pi-2", "on": True, "reason": "worth it", "elsewhere": True}
    with answering(Daemon(body=json.dumps(answer).encode())) as daemon:
        assert main(["why", "pump", "--api", daemon.api]) == Exit.OK
    out, err = capsys.readouterr()
    assert out == "pump (pi-2) is on\n  worth it\n"
    assert "ask there" in err


def test_why_an_unknown_load_fails_with_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    refusal = b'{"error": "no load \'lapm\': there are lamp (pi-1)"}'
    with answering(Daemon(status=404, body=refusal)) as daemon:
        assert main(["why", "lapm", "--api", daemon.api]) == Exit.FAILED
    assert "there are lamp (pi-1)" in capsys.readouterr().err


@pytest.mark.parametrize("last", ["x", "-1", "51"])
def test_why_of_a_count_that_is_none_is_a_usage_error(last: str) -> None:
    assert main(["why", "lamp", "--last", last]) == Exit.USAGE


def test_why_of_a_daemon_that_is_not_there_ends_with_69() -> None:
    with answering(Daemon()) as daemon:
        pass
    assert main(["why", "lamp", "--api", daemon.api]) == Exit.UNREACHABLE
