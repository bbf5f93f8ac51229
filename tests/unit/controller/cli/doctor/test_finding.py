"""Fails if a finding can be made that leaves its reader alone."""

from __future__ import annotations

import pytest

from rackgrid.cli.doctor.finding import Check, Finding, Grade, one_line
from rackgrid.cli.doctor.unknown import Unknown

CHECK = Check("some-check", "Is it so?", "Because.")


def test_check_makes_findings_of_each_grade_under_its_code() -> None:
    made = [CHECK.ok("fine"), CHECK.warn("soon", "do"), CHECK.fail("bad", "do"), CHECK.skip("no")]
    assert [finding.grade for finding in made] == list(Grade)
    assert {finding.anchor for finding in made} == {"hardware/doctor.md#some-check"}
    assert CHECK.skip(Unknown("why not")).cause == "why not"


@pytest.mark.parametrize(
    ("grade", "cause", "fix"),
    [
        (Grade.WARN, "wrong", ""),
        (Grade.FAIL, "wrong", ""),
        (Grade.PASS, "well", "do something"),
        (Grade.SKIP, "", ""),
        (Grade.PASS, "two\nlines", ""),
    ],
)
def test_finding_without_a_way_out_cannot_be_made(grade: Grade, cause: str, fix: str) -> None:
    with pytest.raises(AssertionError):
        Finding("x", grade, cause, fix)


@pytest.mark.parametrize(("code", "asks"), [("Some", "Is it?"), ("a--b", "Is it?"), ("a", "It is")])
def test_check_needs_a_code_and_a_question(code: str, asks: str) -> None:
    with pytest.raises(AssertionError):
        Check(code, asks, "Because.")


def test_foreign_text_becomes_one_line_that_steers_no_terminal() -> None:
    assert one_line("a\n  b\x1b[2J\tc") == "a b?[2J c"
