"""Fails if a reading is shown that is none, or not shown as what it is worth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering
from tests.unit.controller.cli.meter.bench import Bench, bench

from rackgrid.adapters.view_json import meter_state, rack_state
from rackgrid.cli import main
from rackgrid.cli.api import Record
from rackgrid.cli.exit import Exit
from rackgrid.cli.meter import show
from rackgrid.core.view import MeterView

FEED = MeterView("feed", 12.0, 1.0, 12.0, 5.0, "fresh", 0.015, 0.2, 1.6, "2026-11-26")
FAN = MeterView("fan", 12.0, 3.2, 38.4, 7.0, "saturated")
KEYS = set(meter_state(FEED))


def of(*meters: MeterView, firmware: bool = True) -> Daemon:
    view = replace(VIEW, meters=meters, firmware=firmware)
    return Daemon(body=json.dumps(rack_state(view)).encode())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def test_read_shows_each_meter_with_what_it_is_worth(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(of(FEED, FAN)) as daemon:
        assert main(["meter", "read", "--api", daemon.api]) == Exit.OK
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    rows = {cells[0]: cells for cells in lines}
    assert rows["feed"] == [
        *("feed", "12.000", "1.0000", "12.000", "0.200", "1.6", "5.0", "J", "fresh", "2026-11-26")
    ]
    assert rows["fan"][4:6] == ["?", "?"]
    assert rows["fan"][-2:] == ["saturated", "no"]


def test_read_of_one_meter_as_json_is_that_of_the_api(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(of(FEED, FAN)) as daemon:
        assert main(["meter", "read", "fan", "--json", "--api", daemon.api]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == [meter_state(FAN)]


@pytest.mark.parametrize(
    ("daemon", "words", "said"),
    [
        (of(FEED), ["fan"], "no meter 'fan'; it has: feed"),
        (of(firmware=False), [], "the firmware does not answer"),
    ],
)
def test_read_of_what_is_not_there_fails_with_the_reason(
    capsys: pytest.CaptureFixture[str], daemon: Daemon, words: list[str], said: str
) -> None:
    with answering(daemon):
        assert main(["meter", "read", *words, "--api", daemon.api]) == Exit.FAILED
    assert said in capsys.readouterr().err


def test_read_of_a_daemon_that_is_not_there_ends_with_69() -> None:
    with answering(of(FEED)) as daemon:
        pass
    assert main(["meter", "read", "--api", daemon.api]) == Exit.UNREACHABLE


def test_read_from_the_chips_gives_the_same_keys(
    desk: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.set(1.0)
    assert main(["meter", "read", "--json", *desk.words]) == Exit.OK
    (meter,) = json.loads(capsys.readouterr().out)
    assert set(meter) == KEYS
    assert meter["volts"] == pytest.approx(12.0, abs=0.02)
    assert abs(meter["uncertainty_a"]) > 0


def test_read_of_a_chip_that_is_silent_fails_and_says_why(
    desk: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rackgrid.cli.meter.probe.PATIENCE_S", 0.2)
    desk.control.fault("n1", 1, "nack", count=-1)
    assert main(["meter", "read", *desk.words]) == Exit.FAILED
    assert "no chip answers at 0x40" in capsys.readouterr().err


def test_read_of_a_meter_that_the_board_does_not_have_fails(
    desk: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["meter", "read", "x", *desk.words]) == Exit.FAILED
    assert "no meter x; it has: load" in capsys.readouterr().err


def test_watch_writes_a_line_a_sample_and_ends_when_it_has_enough(
    desk: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.set(0.5)
    assert main(["meter", "watch", "--count", "5", *desk.words]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert all(" load " in line and line.endswith("fresh") for line in lines)
    assert "\x1b" not in "".join(lines)


def test_watch_as_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(of(FEED, FAN)) as daemon:
        words = ["meter", "watch", "--json", "--count", "4", "--api", daemon.api]
        assert main(words) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["feed", "fan"] * 2
    assert len(daemon.asked) == 2


def test_watch_ends_well_with_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(args: object) -> list[Record]:
        raise KeyboardInterrupt

    monkeypatch.setattr(show, "of_daemon", interrupted)
    assert main(["meter", "watch"]) == Exit.OK


def test_line_marks_what_may_not_be_believed() -> None:
    now = datetime(2026, 11, 26, 15, 4, 5, 678_000)
    good = show.line(Record(meter_state(FEED)), now)
    assert good.plain.split() == [
        *("15:04:05.6", "feed", "12.000", "V", "1.0000", "A", "12.000", "W"),
        *("±", "0.200", "W", "fresh"),
    ]
    bad = show.line(Record(meter_state(FAN)), now)
    assert bad.plain.endswith("± ?  saturated")
    assert any("red" in str(span.style) for span in bad.spans)
    assert not any("red" in str(span.style) for span in good.spans)
