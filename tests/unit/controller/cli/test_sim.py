import json
from collections.abc import Iterator

import pytest

from rackgrid.cli import main
from rackgrid.cli.exit import Exit
from rackgrid.simulation.checker import Checker

SMALL = ["sim", "--nodes", "3", "--seconds", "18"]


@pytest.fixture
def _accused(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A checker that holds a feed of half the size against the rack."""
    judge = Checker.draw

    def stern(checker: Checker, now_ns: int, total_mw: int) -> None:
        judge(checker, now_ns, 2 * total_mw)

    with monkeypatch.context() as patch:
        patch.setattr(Checker, "draw", stern)
        yield


def test_sim_ends_with_one_line_of_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--seeds", "2", "--json"]) == Exit.OK
    (line,) = capsys.readouterr().out.splitlines()
    figures = json.loads(line)
    assert (figures["seeds"], figures["seconds"], figures["nodes"]) == (2, 18, 3)
    assert figures["violations"] == []
    assert figures["speed"] > 0
    assert sum(figures["faults"].values()) > 0
    assert "capacity nearly reached" in figures["sometimes"]


def test_sim_same_arguments_give_the_same_digest(capsys: pytest.CaptureFixture[str]) -> None:
    digests: list[str] = []
    for _ in range(2):
        assert main([*SMALL, "--seeds", "1", "--seed-from", "7", "--json"]) == Exit.OK
        digests.append(json.loads(capsys.readouterr().out)["digest"])
    assert digests[0] == digests[1]


def test_sim_more_processes_give_the_same_digest(capsys: pytest.CaptureFixture[str]) -> None:
    digests: list[str] = []
    for jobs in ("1", "2"):
        assert main([*SMALL, "--seeds", "3", "--jobs", jobs, "--json"]) == Exit.OK
        digests.append(json.loads(capsys.readouterr().out)["digest"])
    assert digests[0] == digests[1]


def test_sim_result_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--seeds", "1"]) == Exit.OK
    shown = capsys.readouterr().out
    assert "digest " in shown
    assert shown.rstrip().endswith("no violation")


def test_sim_replay_shows_the_transcript(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--replay", "3", "--keep", ",", "--transcript"]) == Exit.OK
    shown = capsys.readouterr().out
    assert "is broker" in shown
    assert "none any more" in shown


@pytest.mark.usefixtures("_accused")
def test_sim_violation_comes_with_a_small_script_and_a_command_that_replays_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*SMALL, "--seeds", "1", "--json"]) == Exit.FAILED
    (finding,) = json.loads(capsys.readouterr().out)["violations"]
    assert "I1 draw" in finding["what"]
    assert finding["script"] == []  # it takes no fault at all
    assert finding["seed"] == 0
    words = finding["replay"].split()
    assert words[0] == "rackgrid"
    assert main(words[1:]) == Exit.FAILED
    shown = capsys.readouterr().out
    assert finding["what"] in shown
    assert "1 of 1 seeds failed" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--nodes", "1"],
        ["--seconds", "3"],
        ["--seeds", "0"],
        ["--jobs", "0"],
        ["--transcript"],
        ["--replay", "1", "--keep", "999"],
        ["--replay", "1", "--keep", "x"],
    ],
)
def test_sim_bad_argument_is_a_usage_error(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", *words]) == Exit.USAGE
    assert "rackgrid sim: " in capsys.readouterr().err
