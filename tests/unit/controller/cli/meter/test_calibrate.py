"""Fails if a calibration is wrong, is written without a yes, or spoils its profile."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from tests.unit.controller.cli.meter.bench import Bench, Hands, bench

from rackgrid.cli import main
from rackgrid.cli.exit import Exit
from rackgrid_firmware.profile_file import load_profile

POINTS = ["--point", "0.7", "--point", "1.4", "--samples", "12"]
WORDS = [*POINTS, "--reference-accuracy", "0.2% + 1mA"]
CURRENTS = (0.0, 0.7, 1.4)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, ohms=0.104) as made:
        yield made


def calibrate(
    desk: Bench, monkeypatch: pytest.MonkeyPatch, hands: Hands | None = None, *words: str
) -> int:
    monkeypatch.setattr(sys, "stdin", hands or Hands(desk, list(CURRENTS)))
    return main(["meter", "calibrate", "load", *desk.words, *WORDS, *words])


def test_calibration_writes_gain_and_offset_with_their_day_and_uncertainty(
    desk: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = desk.profile.read_text()
    assert calibrate(desk, monkeypatch, None, "--yes", "--json") == Exit.OK
    result = json.loads(capsys.readouterr().out)
    (meter,) = load_profile(desk.profile).meters
    assert meter.gain == result["gain"] == pytest.approx(1.04, abs=0.002)
    assert abs(meter.offset_a) < 0.001
    assert date.fromisoformat(meter.calibrated) <= date.today()
    assert 0.2 < meter.uncertainty_percent < 0.5
    assert 0.0005 < meter.uncertainty_a < 0.003
    assert result["written"]
    assert Path(result["backup"]).read_text() == before
    text = desk.profile.read_text()
    assert "shunt_ohms = 0.104 # R100, they say\n" in text, "what the owner wrote stays"


def test_calibrated_meter_reads_what_the_reference_says(
    desk: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verify = ["meter", "verify", "load", *desk.words, "--reference", "1.0", "--samples", "12"]
    desk.set(1.0)
    assert main(verify) == Exit.FAILED, "4 % is more than datasheet and a shunt of 1 % allow"
    assert calibrate(desk, monkeypatch, None, "--yes") == Exit.OK
    desk.set(1.0)
    capsys.readouterr()
    assert main(verify) == Exit.OK
    assert capsys.readouterr().out.startswith("PASS load: ")


def test_change_is_shown_and_nothing_written_without_a_yes(
    desk: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = desk.profile.read_bytes()
    assert calibrate(desk, monkeypatch) == Exit.FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert "+gain = 1.0" in err
    assert f'+calibrated = "{date.today().isoformat()}"' in err
    assert "nothing written; --yes writes without asking" in err
    assert desk.profile.read_bytes() == before
    assert [each.name for each in desk.profile.parent.glob("*.bak")] == []


@pytest.mark.parametrize(
    ("amps_max", "said"),
    [("", "set amps_max first"), ("amps_max = 3.0", "goes on to 3 A"), ("amps_max = 1.5", "")],
)
def test_what_was_not_compared_is_said(
    desk: Bench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    amps_max: str,
    said: str,
) -> None:
    desk.profile.write_text(desk.profile.read_text().replace("amps_max = 1.5", amps_max))
    calibrate(desk, monkeypatch)
    err = capsys.readouterr().err
    assert said in err
    assert ("beyond the points" in err) == ("goes on" in said)


def test_yes_of_a_person_writes(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands(desk, list(CURRENTS), more=["y\n"])
    assert calibrate(desk, monkeypatch, hands) == Exit.OK
    assert load_profile(desk.profile).meters[0].calibrated


def test_rig_is_told_each_step_and_gets_the_result(
    desk: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hands = Hands(desk, list(CURRENTS), script=True)
    assert calibrate(desk, monkeypatch, hands, "--script", "--yes") == Exit.OK
    orders = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert orders[:3] == [
        {"step": "zero"},
        {"step": "point", "amps": 0.7},
        {"step": "point", "amps": 1.4},
    ]
    assert orders[3]["step"] == "result"
    assert [point["reference_a"] for point in orders[3]["points"]] == list(CURRENTS)


@pytest.mark.parametrize(
    ("hands", "said"),
    [
        ({"currents": [0.5, 0.7, 1.4]}, "something still flows"),
        ({"currents": [0.0, 0.7, 2.5]}, "at its end stop"),
        ({"currents": [0.0, 0.7, 1.4], "says": {0.7: "0.07"}}, "too near"),
        ({"currents": [0.0, 0.7, 1.4], "says": {0.7: "0.77"}}, "not on a line"),
        ({"currents": [0.0, 0.7]}, "the input ended"),
    ],
)
def test_bad_data_is_refused_and_the_profile_untouched(
    desk: Bench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    hands: dict[str, object],
    said: str,
) -> None:
    before = desk.profile.read_bytes()
    made = Hands(desk, **hands)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert calibrate(desk, monkeypatch, made, "--yes") == Exit.FAILED
    assert said in capsys.readouterr().err
    assert desk.profile.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--point", "1", "--reference-accuracy", "1%"], "two currents or more"),
        ([*POINTS, "--reference-accuracy", "good"], "'good' is no accuracy"),
        ([*POINTS], "--reference-accuracy"),
        (["--point", "0", "--reference-accuracy", "1%"], "--point"),
        ([*WORDS, "--samples", "0"], "--samples"),
    ],
)
def test_words_that_make_no_calibration_are_a_usage_error(
    desk: Bench, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["meter", "calibrate", "load", *desk.words, *words]) == Exit.USAGE
    assert said in capsys.readouterr().err


def test_meter_that_the_board_does_not_have_is_named_with_those_it_has(
    desk: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["meter", "calibrate", "laod", *desk.words, *WORDS]) == Exit.FAILED
    assert "has no meter 'laod'; it has: load" in capsys.readouterr().err


def test_profile_that_is_not_there_ends_before_anything_is_asked(
    desk: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.profile.unlink()
    assert main(["meter", "calibrate", "load", *desk.words, *WORDS]) == Exit.FAILED
    assert "cannot be read: No such file" in capsys.readouterr().err
