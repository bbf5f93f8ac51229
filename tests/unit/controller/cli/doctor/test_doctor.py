"""Fails if the command hides a finding, ends with a wrong code, or speaks where data belongs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import put

from rackgrid.cli import main
from rackgrid.cli.doctor import aligned, as_json, exit_of, summary
from rackgrid.cli.doctor.examination import FAMILIES, checks
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.exit import Exit

ROOT = Path(__file__).parents[5]
CHECK = Check("a-check", "Is it so?", "Because.")
WELL, SOON, ILL = CHECK.ok("fine"), CHECK.warn("soon", "do"), CHECK.fail("bad", "do this")
MOCK = """
[rack]
name = "demo"
interface = "lo"
key_file = "rack.key"
expect = 3
[feed]
capacity_w = 60
[node]
name = "pi-1"
board = "board.toml"
state_dir = "state"
runtime_dir = "run"
[[source]]
name = "grid"
price = 0.3
[[load]]
name = "server"
kind = "required"
[[load]]
name = "fan"
worth = 0.4
[[load]]
name = "heater"
worth = 0.5
[web]
port = 0
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    put(tmp_path, "board.toml", (ROOT / "hardware/profiles/mock-demo.toml").read_bytes())
    put(tmp_path, "rack.key", "6b" * 32).chmod(0o600)
    return put(tmp_path, "rackgrid.toml", MOCK)


@pytest.mark.parametrize(
    ("findings", "is_bad_config", "code"),
    [
        ([WELL, SOON, CHECK.skip("no")], False, Exit.OK),
        ([WELL, ILL], False, Exit.FAILED),
        ([WELL], True, Exit.BAD_CONFIG),
        ([ILL], True, Exit.BAD_CONFIG),
        ([], False, Exit.OK),
    ],
)
def test_exit_is_of_the_worst(findings: list[Finding], is_bad_config: bool, code: Exit) -> None:
    assert exit_of(findings, is_bad_config=is_bad_config) == code


def test_json_has_code_grade_cause_fix_and_docs_of_each() -> None:
    family = Family("some", (CHECK,), lambda _: [])
    assert as_json([(family, [WELL, ILL])]) == {
        "ok": False,
        "counts": {"PASS": 1, "WARN": 0, "FAIL": 1, "SKIP": 0},
        "checks": [
            {
                "code": "a-check",
                "about": "some",
                "grade": "PASS",
                "cause": "fine",
                "fix": None,
                "docs": "hardware/doctor.md#a-check",
            },
            {
                "code": "a-check",
                "about": "some",
                "grade": "FAIL",
                "cause": "bad",
                "fix": "do this",
                "docs": "hardware/doctor.md#a-check",
            },
        ],
    }


def test_table_is_shown_where_something_is_wrong_or_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if the boot-state table is computed and nobody sees it."""
    text = (ROOT / "hardware/profiles/pi-relay4.toml").read_text()
    board = put(tmp_path, "board.toml", text)
    main(["doctor", "--profile", str(board)])
    assert "at power-on  " not in capsys.readouterr().out
    main(["doctor", "--profile", str(board), "--verbose"])
    lines = capsys.readouterr().out.splitlines()
    (head,) = [at for at, line in enumerate(lines) if "at power-on  " in line]
    assert [line.split()[0] for line in lines[head + 1 : head + 5]] == [
        *("server", "fan", "lamp", "pump")
    ]
    board.write_text(text.replace("gpio = 22 ", "gpio = 5 "))
    main(["doctor", "--profile", str(board)])
    assert "pulled up: on" in capsys.readouterr().out
    main(["doctor", "--profile", str(board), "--json"])
    found = json.loads(capsys.readouterr().out)["checks"]
    (table,) = [each["table"] for each in found if "table" in each]
    assert [row["at power-on"] for row in table][:2] == ["pulled down: off", "pulled up: on"]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = ({"a": "1", "name": "x"}, {"a": "22", "name": "longer"})
    assert aligned(rows) == ["a   name", "1   x", "22  longer"]


def test_summary_counts_each_grade() -> None:
    assert summary([WELL, ILL, ILL]).startswith("1 PASS, 0 WARN, 2 FAIL, 0 SKIP")


def test_sound_mock_node_fails_in_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", str(config), "--json"]) == Exit.OK
    out, err = capsys.readouterr()
    assert err == ""
    answer = json.loads(out)
    assert answer["ok"] is True
    assert [*dict.fromkeys(each["code"] for each in answer["checks"])] == [
        check.code for check in checks()
    ]
    grades = {each["code"]: each["grade"] for each in answer["checks"]}
    assert grades["config-sound"] == "PASS"
    assert grades["key-file"] == "PASS"
    assert grades["multicast"] == "PASS"
    assert grades["i2c-device"] == "SKIP"


def test_text_has_a_way_out_below_what_is_wrong(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "rack.key").unlink()
    assert main(["doctor", "--config", str(config)]) == Exit.FAILED
    out, err = capsys.readouterr()
    lines = out.splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith("  FAIL "))
    assert lines[at].startswith("  FAIL key-file: ")
    assert lines[at + 1].startswith("       do: ")
    assert lines[at + 2] == "       see hardware/doctor.md#key-file"
    assert all(family.name in lines for family in FAMILIES)
    assert "1 FAIL" in err


def test_bad_configuration_ends_with_78_and_the_rest_is_examined_all_the_same(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(MOCK.replace("capacity_w", "capacty_w"))
    assert main(["doctor", "--config", str(config), "--json"]) == Exit.BAD_CONFIG
    found = json.loads(capsys.readouterr().out)["checks"]
    (fault,) = [each for each in found if each["code"] == "config-sound"]
    assert fault["grade"] == "FAIL"
    assert "did you mean 'capacity_w'?" in fault["cause"]
    assert [each["grade"] for each in found if each["code"] == "shunt-range"] == ["PASS"]


def test_explain_says_what_a_check_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--explain", "gpio-boot-state"]) == Exit.OK
    out = capsys.readouterr().out
    assert out.startswith("gpio-boot-state: Does every flexible load stay off")
    assert "10 kOhm" in out


def test_explain_of_a_code_that_is_none_guesses_the_one_that_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--explain", "gpio-boot"]) == Exit.USAGE
    assert "did you mean 'gpio-boot-" in capsys.readouterr().err


def test_output_for_a_pipe_has_no_colours(config: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rackgrid", "doctor", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.OK, done.stdout
    assert "\x1b" not in done.stdout
