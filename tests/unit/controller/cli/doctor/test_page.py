"""Fails if the page that explains the checks is not what the checks say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rackgrid.cli.doctor.examination import checks
from rackgrid.cli.doctor.page import page

ROOT = Path(__file__).parents[5]
PAGE = ROOT / "hardware" / "doctor.md"
NAMED = {"traps.md": 45, "safety.md": 10}
"""The pages that say what is held by what, and how many of their lines do at least."""


def test_page_is_as_the_checks_write_it() -> None:
    assert PAGE.read_text() == page(), (
        "python -m rackgrid.cli.doctor.page > hardware/doctor.md brings it up to date"
    )


def test_page_has_an_anchor_for_each_code() -> None:
    headings = re.findall(r"^### (.*)$", page(), re.MULTILINE)
    assert headings == [check.code for check in checks()]


@pytest.mark.parametrize("name", NAMED)
def test_what_a_page_says_is_held_is_held(name: str) -> None:
    """Every test and every check that the pages name is there."""
    text = (ROOT / "hardware" / name).read_text()
    codes = set(re.findall(r"doctor `([^`]+)`", text))
    assert codes <= {check.code for check in checks()}
    tests = re.findall(r"test `([^`:]+)::([^`]+)`", text)
    assert len(tests) + len(codes) > 10
    for path, test in tests:
        assert f"def {test}(" in (ROOT / path).read_text(), f"{path}::{test}"
    assert text.count("test `") == len(tests)
    rows = [line for line in text.splitlines() if line.startswith("| ") and "held by" not in line]
    assert len(rows) >= NAMED[name]


def test_traps_that_nothing_holds_say_that_they_are_only_written_down() -> None:
    text = (ROOT / "hardware" / "traps.md").read_text()
    for line in text.splitlines():
        if line.startswith("| ") and "held by" not in line:
            assert re.search(r"doctor `|test `|written down", line), line


def test_every_check_but_of_the_rack_itself_stands_for_a_trap_or_a_rung() -> None:
    """A check that no page mentions would be one that nobody knows the reason for."""
    text = "".join((ROOT / "hardware" / name).read_text() for name in NAMED)
    named = set(re.findall(r"doctor `([^`]+)`", text))
    assert {"gpio-boot-state", "fail-safe-helper", "hardware-watchdog", "i2c-load"} <= named
    assert len(named) >= 30
