"""Fails if a recorded day is not told in words, or a lie in one ends well."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.adapters.story import STARTING
from tests.unit.controller.audit.judging import lying
from tests.unit.controller.audit.lines import (
    Line,
    changed,
    line,
    load,
    no_price,
    price,
    round_,
    start,
    texts,
)

from rackgrid.audit.record import KINDS
from rackgrid.cli import main
from rackgrid.cli.exit import Exit
from rackgrid.cli.replay import told
from rackgrid.wire.vocabulary import Why

ON = replace(STARTING, on=True, why=Why.WORTH_IT)
STORY = [start(), round_(), price(), load(), load(ON, 2)]


def written(folder: Path, *lines: Line, rest: str = "") -> str:
    path = folder / "day.jsonl"
    path.write_text("".join(f"{text}\n" for text in texts(*lines)) + rest)
    return str(path)


def test_replay_tells_the_story(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", written(tmp_path, *STORY)]) == Exit.OK
    of = "in term 7 of 00000000000000bb"
    assert capsys.readouterr().out.splitlines() == [
        "t=0.000  pi-1  starts: boot 0a, rackgrid 0",
        f"t=1.000  pi-1  round 3 {of}: price 0.250, 1 of 2 steps served with 40.0 W, 1 do not fit",
        f"t=1.000  pi-1  price 0.250 {of}",
        "t=1.000  pi-1  lamp still off, to be on: switched on, not yet confirmed",
        "t=2.000  pi-1  lamp off -> on: worth 0.400 at price 0.250, granted 9.0 W",
    ]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (no_price(), "the price is unknown"),
        (changed(price(), "scarce", True), "price 0.250, scarce in term 7"),
        (line("trust", {"reason": "pi-2 drew 9.0 W"}), "pi-2 drew 9.0 W"),
        (line("note", {"text": "care\x1bful"}), "note: care?ful"),
        (
            line("role", {"role": "member", "term": 7, "broker": "0b", "cause": "hears it"}),
            "is member in term 7 of 0b: hears it",
        ),
        (
            line("role", {"role": "islanded", "term": 0, "broker": "", "cause": "alone"}),
            "is islanded: alone",
        ),
        (line("left", {}), "has left"),
        (line("lost", {"count": 9}), "9 events are missing here"),
        (line("full", {"count": 9}), "the record of this day is full"),
        (line("flood", {}), "(flood)"),
        (load(replace(ON, was_on=True)), "lamp still on: worth"),
        ({**price(), "time": "2026-03-01T12:00:00.000Z"}, "2026-03-01T12:00:00.000Z  pi-1  price"),
    ],
)
def test_replay_has_words_for_each_event(event: Line, words: str) -> None:
    assert words in told(json.dumps(event))


def test_replay_has_words_for_every_kind_that_a_record_has() -> None:
    assert not any("(" in told(json.dumps(line(kind, {})))[-9:] for kind in KINDS)


@pytest.mark.parametrize(
    ("text", "words"), [("{x\x1b", "(not JSON: {x?)"), ("[]", "(no event: [])")]
)
def test_replay_of_what_is_no_event_shows_it(text: str, words: str) -> None:
    assert told(text) == words


def test_verify_of_a_sound_record_ends_well_and_says_what_was_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = [changed(STORY[0], "t_ns", 0), *STORY[2:]]
    assert main(["replay", "--verify", written(tmp_path, *story)]) == Exit.OK
    out, err = capsys.readouterr()
    assert out == ""
    assert "0 deviations in 4 lines: 0 rounds (0 proven the best), 2 decisions, 1 switches" in err


def test_verify_of_a_lie_names_its_line_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, *STORY[2:4], changed(STORY[4], "worth_uc", 1))
    assert main(["replay", path, "--verify"]) == Exit.FAILED
    out, err = capsys.readouterr()
    assert f"{path}: line 3: lamp: " in out
    assert "deviations" in err


def test_verify_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, *STORY[2:4], changed(STORY[4], "wanted", False))
    assert main(["replay", path, "--verify", "--json"]) == Exit.FAILED
    done = json.loads(capsys.readouterr().out)
    assert done["findings"][0]["line"] == 3
    assert (done["lines"], done["decisions"], done["gaps"], done["cut"]) == (3, 2, 0, [])


def test_verify_says_how_often_trust_was_judged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = lying().lines
    assert main(["replay", "--verify", written(tmp_path, *day)]) == Exit.OK
    assert "0 switches, 5 judgements of trust\n" in capsys.readouterr().err
    day[-2]["share_permille"] += 1
    assert main(["replay", "--verify", "--json", written(tmp_path, *day)]) == Exit.FAILED
    done = json.loads(capsys.readouterr().out)
    assert "share_permille 2435, and by what was recorded it is 2434" in done["findings"][0]["text"]
    assert (done["judgements"], done["trust_unchecked"]) == (5, 0)


def test_verify_of_an_older_record_says_that_trust_was_not_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = [line("trust", {"of": "0a", "lies": 3, "flagged": True}), round_()]
    del day[1]["looks"]
    assert main(["replay", "--verify", written(tmp_path, *day)]) == Exit.OK
    assert "trust was not checked in 2 lines: the rackgrid that wrote" in capsys.readouterr().err


def test_verify_of_a_record_that_a_power_cut_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, *STORY[2:], line("lost", {"count": 3}, 3), rest='{"t_ns": ')
    assert main(["replay", path, "--verify"]) == Exit.OK
    err = capsys.readouterr().err
    assert "line 5 is cut off: the power was lost there" in err
    assert "; 1 gaps" in err


def test_verify_of_nothing_proves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", "--verify", written(tmp_path)]) == Exit.FAILED
    assert "nothing is recorded" in capsys.readouterr().err


def test_replay_of_a_file_that_is_not_there_says_where_records_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([], ["--verify"]):
        assert main(["replay", str(tmp_path / "none"), *words]) == Exit.FAILED
        assert "folder `record` of its state_dir" in capsys.readouterr().err


def test_json_without_verify_is_a_usage_error(tmp_path: Path) -> None:
    assert main(["replay", "--json", written(tmp_path)]) == Exit.USAGE
