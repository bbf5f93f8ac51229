"""The verb: its arguments, its audience, and an interruption before the curtain rises."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rackgrid import cli
from rackgrid.cli import demo
from rackgrid.cli.demo.rack import DemoRack
from rackgrid.cli.demo.stage import Stage


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def parsed(*words: str) -> argparse.Namespace:
    return cli._parser("demo").parse_args(["demo", *words])


def test_demo_by_default_is_five_nodes_without_an_end() -> None:
    args = parsed()
    assert (args.nodes, args.seconds, args.script, args.json) == (5, 0.0, None, False)


@pytest.mark.parametrize("count", ["0", "13", "-1", "many"])
def test_demo_number_of_nodes_is_limited(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--nodes", count]) == 2
    assert f"--nodes: '{count}'; allowed: 1 to 12" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "long"])
def test_demo_length_is_a_time(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", f"--seconds={seconds}"]) == 2
    assert f"--seconds: '{seconds}'; allowed:" in capsys.readouterr().err


def test_demo_audience_is_a_program_a_person_or_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert demo._audience(parsed("--json")) == "json"
    assert demo._audience(parsed()) == "screen"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert demo._audience(parsed()) == "lines"


def test_demo_script_with_a_mistake_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.toml"
    script.write_text('[[event]]\nat_s = 1\ndo = "explode"\n')
    assert cli.main(["demo", "--script", str(script)]) == 78
    assert "explode" in capsys.readouterr().err


def test_demo_interrupted_while_the_rack_is_made_ends_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[DemoRack] = []

    def interrupted(self: DemoRack, _undo: object) -> None:
        made.append(self)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(DemoRack, "_start", interrupted)
    assert cli.main(["demo", "--nodes", "1"]) == 0
    assert not made[0].folder.exists()


def unstarted(_rack: DemoRack, _undo: object) -> None:
    """Files and ports, and no process."""


def test_demo_plays_its_script_on_its_rack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rack is not started: that is for tests/rack."""
    stages: list[Stage] = []

    def play(self: Stage) -> int:
        stages.append(self)
        return 0

    monkeypatch.setattr(DemoRack, "_start", unstarted)
    monkeypatch.setattr(Stage, "run", play)
    assert cli.main(["demo", "--nodes", "2", "--seconds", "3", "--json"]) == 0
    (stage,) = stages
    assert (stage._audience, stage._seconds, len(stage._rack.nodes)) == ("json", 3.0, 2)
    assert stage._deeds[0].say == "a cloud moves over the panel"
