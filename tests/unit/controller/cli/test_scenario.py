"""`rackgrid sim --scenario`: figures in one line or in words, a picture if it can be had."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from rackgrid.cli import main
from rackgrid.cli.exit import Exit
from rackgrid.simulation.scenario import library, picture
from rackgrid.simulation.scenario.run import Run

DAY = ["sim", "--scenario", "price-spike", "--days", "1"]


def test_scenario_ends_with_one_line_of_figures_the_same_every_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines: list[str] = []
    for _ in range(2):
        assert main([*DAY, "--json", "--seed", "4"]) == Exit.OK
        lines += capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0] == lines[1]
    found = json.loads(lines[0])
    assert (found["scenario"], found["days"], found["seed"]) == ("price-spike", 1, 4)
    assert found["unserved_required_wh"] == 0


def test_scenario_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(DAY) == Exit.OK
    shown = capsys.readouterr().out
    assert shown.startswith("price-spike: 1 days of 12 nodes\n")
    assert "saved against all on, all day" in shown


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--scenario", "rainy-day"], "no scenario 'rainy-day'; there are: sunny-day"),
        (["--scenario", "sunny-day", "--days", "0"], "--days is between 1 and 60, not 0"),
        (["--picture", "day.svg"], "--picture goes with --scenario NAME"),
    ],
)
def test_scenario_with_wrong_words_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    assert main(["sim", *words]) == Exit.USAGE
    seen = capsys.readouterr()
    assert complaint in seen.err
    assert seen.out == ""


def test_scenario_that_leaves_a_required_load_short_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tariff = library.scenario("sunny-day").tariff
    small = library.Scenario("small", tariff, capacity_mw=25_000)

    def looked_up(name: str) -> library.Scenario:
        return small

    monkeypatch.setattr(library, "scenario", looked_up)
    assert main([*DAY, "--json"]) == Exit.FAILED
    assert json.loads(capsys.readouterr().out)["unserved_required_wh"] > 0


def test_picture_without_matplotlib_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(picture, "import_module", absent)
    assert main([*DAY, "--json", "--picture", str(tmp_path / "day.svg")]) == Exit.FAILED
    seen = capsys.readouterr()
    assert "pip install 'rackgrid[picture]'" in seen.err
    assert json.loads(seen.out)["scenario"] == "price-spike"


def test_picture_that_cannot_be_written_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(run: Run, day: int, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(picture, "drawn", full)
    assert main([*DAY, "--json", "--picture", str(tmp_path / "day.svg")]) == Exit.FAILED
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs the picture extra")
def test_picture_is_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "day.svg"
    assert main([*DAY, "--json", "--picture", str(path)]) == Exit.OK
    assert path.stat().st_size > 10_000
    assert f"drawn: {path}" in capsys.readouterr().err
