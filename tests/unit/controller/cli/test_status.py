import json
from dataclasses import replace

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering

from rackgrid.adapters.view_json import rack_state
from rackgrid.cli import main
from rackgrid.cli.api import Record
from rackgrid.cli.exit import Exit
from rackgrid.cli.status import summary
from rackgrid.core.view import FeedView, RosterView, SupplyFlags, SupplyView, View

EMPTY = replace(
    VIEW,
    broker="",
    broker_id="",
    role="joining",
    term=0,
    members=(),
    loads=(),
    price=replace(VIEW.price, value=None, scarce=False),
)


def of(view: View) -> Daemon:
    return Daemon(body=json.dumps(rack_state(view)).encode())


def test_status_shows_rack_price_feed_nodes_and_loads_with_reasons(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(of(VIEW)) as daemon:
        assert main(["status", "--api", daemon.api]) == Exit.OK
    out, err = capsys.readouterr()
    assert err == ""
    assert daemon.asked == ["GET /api/state"]
    for words in (
        "rack demo, seen from pi-1 (member)",
        "broker pi-2, term 7",
        "price 0.420 EUR/kWh, scarce, round 31",
        "feed 20.5 W drawn, 6.0 W granted and 24.0 W of floors, of 60.0 W",
        "price 0.420 above worth",
        "worth it (fault: welded)",
        "0.1 s ago",
    ):
        assert words in out
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert rows["fan"].split()[1:4] == ["pi-1", "flexible", "off"]
    assert rows["server"].split()[1:4] == ["pi-1", "required", "on"]
    assert rows["grid"].split() == ["grid", "pi-1", "60.0", "W", "0.300"]
    assert rows["pack"].split() == ["pack", "pi-1", "30.0", "W", "-0.020", "76%"]
    assert "\x1b" not in out


def test_status_says_what_somebody_should_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    server, fan, pump = VIEW.loads
    dark = replace(fan, notice="it draws nothing", switches=81_000, life_percent=81.0)
    half = replace(server, switches=50_000, life_percent=80.0)
    with answering(of(replace(VIEW, loads=(half, dark, pump)))) as daemon:
        assert main(["status", "--api", daemon.api]) == Exit.OK
    out = " ".join(capsys.readouterr().out.split())
    remarks = "(note: it draws nothing; note: its contact has 81 % of its life behind it)"
    assert remarks in out
    assert out.count("of its life behind it") == 1


def test_status_begins_with_a_supply_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    ill = SupplyView(SupplyFlags(True, False, True, None), None)
    with answering(of(replace(VIEW, supply=ill))) as daemon:
        assert main(["status", "--api", daemon.api]) == Exit.OK
    first = capsys.readouterr().out.splitlines()[0]
    assert first == (
        "WARNING: pi-1 is under-supplied (below 4.63 V) and throttled: rackgrid doctor"
    )
    well = SupplyView(SupplyFlags(False, False, False, False), ill.now)
    with answering(of(replace(VIEW, supply=well))) as daemon:
        assert main(["status", "--api", daemon.api]) == Exit.OK
    assert "WARNING" not in capsys.readouterr().out


def test_status_of_a_feed_that_nobody_has_told_of_is_no_zero(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(of(replace(VIEW, feed=FeedView(60.0, None, None, 24.0)))) as daemon:
        assert main(["status", "--api", daemon.api]) == Exit.OK
    told = "feed ? drawn, ? granted and 24.0 W of floors, of 60.0 W"
    assert told in capsys.readouterr().out


def test_status_as_json_is_the_answer_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(of(VIEW)) as daemon:
        assert main(["status", "--json", "--api", daemon.api]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == rack_state(VIEW)


def test_status_without_a_broker_shows_what_there_is_and_ends_with_75(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(of(EMPTY)) as daemon:
        assert main(["status", "--api", daemon.api]) == Exit.NO_BROKER
    out, err = capsys.readouterr()
    assert "broker none" in out
    assert "price unknown" in out
    assert err.startswith("no broker yet")


def test_status_says_how_bright_a_dimmed_load_is(capsys: pytest.CaptureFixture[str]) -> None:
    dimmed = replace(VIEW.loads[2], kind="modulating", level=0.6)
    with answering(of(replace(VIEW, loads=(dimmed,)))) as daemon:
        assert main(["status", "--api", daemon.api]) == Exit.OK
    (row,) = (x for x in capsys.readouterr().out.splitlines() if x.strip().startswith("pump"))
    assert row.split()[1:6] == ["pi-2", "modulating", "on", "at", "60%"]


def test_status_shows_who_is_absent_and_how_many_votes_are_heard(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone = RosterView("00000000000000dd", "pi-4", 90, 6.5, 1, False, True)
    with answering(of(replace(VIEW, roster=(*VIEW.roster, gone)))) as daemon:
        assert main(["status", "--api", daemon.api]) == Exit.OK
    out = capsys.readouterr().out
    assert "term 7, 1 of 2 votes heard" in out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert rows["pi-4"] == ["pi-4", "absent", "1", "90", "?", "6.5", "W", "no"]
    assert rows["pi-1"][1:4] == ["member", "1", "100"]
    assert rows["pi-2"][1:3] == ["broker", "120"], "it is not on the roster, and has no vote"


def test_status_shows_who_is_expelled_heard_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    off = RosterView("00000000000000dd", "pi-4", 90, 6.5, 0, False, True, expelled=True)
    heard = replace(VIEW.roster[0], expelled=True, votes=0)
    with answering(of(replace(VIEW, roster=(heard, off)))) as daemon:
        assert main(["status", "--api", daemon.api]) == Exit.OK
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert [rows[name][1] for name in ("pi-1", "pi-2", "pi-4")] == [
        "expelled",
        "broker",
        "expelled",
    ]


def test_status_says_what_is_drawn_beyond_what_is_allowed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    thirsty = replace(VIEW.members[0], excess_w=1.25)
    with answering(of(replace(VIEW, members=(thirsty,)))) as daemon:
        main(["status", "--api", daemon.api])
    assert "11.5 W (1.2 W too much)" in capsys.readouterr().out


def test_status_of_a_daemon_that_is_not_there_ends_with_69(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(Daemon()) as daemon:
        pass
    assert main(["status", "--api", daemon.api]) == Exit.UNREACHABLE
    out, err = capsys.readouterr()
    assert out == ""
    assert "is the daemon running?" in err


def test_status_of_a_stranger_fails_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(Daemon(body=b"hello")) as daemon:
        assert main(["status", "--api", daemon.api]) == Exit.FAILED
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_status_of_names_that_are_markup_or_escapes_shows_them_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    load = replace(VIEW.loads[0], name="[red]x[/]", reason="\x1b]0;title\x07")
    with answering(of(replace(VIEW, loads=(load,), rack="[b]r"))) as daemon:
        main(["status", "--api", daemon.api])
    out = capsys.readouterr().out
    assert "[red]x[/]" in out
    assert "rack [b]r" in out
    assert "\x1b" not in out


def test_summary_of_an_answer_without_anything_is_question_marks() -> None:
    lines = summary(Record({}))
    assert lines[1] == "broker none, term ?"
    assert lines[2] == "price unknown, round ?"
    assert "?" in lines[3]


def test_status_says_who_takes_more_than_was_granted(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = VIEW.members
    liars = (replace(first, share=1.5, flagged=True, excess_w=2.0), replace(second, share=1.2))
    with answering(of(replace(VIEW, members=liars))) as daemon:
        assert main(["status", "--api", daemon.api]) == Exit.OK
    out = capsys.readouterr().out
    assert "11.5 W (2.0 W too much, takes 1.50 times its grants)" in out
    assert "1.20" not in out
