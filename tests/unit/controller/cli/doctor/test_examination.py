"""Fails if a check can be left out, keep the others waiting, or take the examination with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import case_in

from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.examination import FAMILIES, checks, examine
from rackgrid.cli.doctor.finding import Check, Family, Finding, Grade

ONE = Check("one", "Is it one?", "Because.")
TWO = Check("two", "Is it two?", "Because.")


def family(name: str, examine: object) -> Family:
    return Family(name, (ONE, TWO), examine)  # type: ignore[arg-type]


def well(_: Case) -> Iterator[Finding]:
    yield TWO.ok("fine")
    yield ONE.ok("fine")


def test_findings_come_in_the_order_of_the_checks(tmp_path: Path) -> None:
    ((_, found),) = examine(case_in(tmp_path), [family("well", well)])
    assert [finding.code for finding in found] == ["one", "two"]


def test_family_that_hangs_is_left_behind_and_says_so(tmp_path: Path) -> None:
    release = threading.Event()

    def hang(_: Case) -> list[Finding]:
        release.wait(60)
        return []

    families = [family("hung", hang), family("well", well)]
    try:
        (_, hung), (_, others) = examine(case_in(tmp_path), families, patience_s=0.1)
    finally:
        release.set()
    assert [finding.grade for finding in hung] == [Grade.WARN, Grade.WARN]
    assert "hangs" in hung[0].cause
    assert [finding.grade for finding in others] == [Grade.PASS, Grade.PASS]


def test_family_that_fails_is_a_finding_and_not_the_end(tmp_path: Path) -> None:
    def fail(_: Case) -> list[Finding]:
        raise ZeroDivisionError("so")

    (_, failed), (_, others) = examine(
        case_in(tmp_path), [family("failed", fail), family("well", well)]
    )
    assert [finding.grade for finding in failed] == [Grade.FAIL, Grade.FAIL]
    assert "ZeroDivisionError('so') at fail:" in failed[0].cause
    assert all(finding.grade is Grade.PASS for finding in others)


def test_machine_that_gives_no_more_threads_is_examined_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    ((_, found), (_, others)) = examine(
        case_in(tmp_path), [family("well", well), family("well too", well)]
    )
    assert {finding.grade for finding in (*found, *others)} == {Grade.PASS}


def test_check_that_says_nothing_is_no_pass(tmp_path: Path) -> None:
    def half(_: Case) -> list[Finding]:
        return [ONE.ok("fine")]

    ((_, found),) = examine(case_in(tmp_path), [family("half", half)])
    assert [finding.grade for finding in found] == [Grade.PASS, Grade.FAIL]


def test_every_check_has_a_finding_on_a_machine_of_which_nothing_is_known(tmp_path: Path) -> None:
    found = [finding for _, each in examine(case_in(tmp_path)) for finding in each]
    assert [*dict.fromkeys(finding.code for finding in found)] == [each.code for each in checks()]
    assert not [finding for finding in found if "said nothing" in finding.cause]
    assert not [finding for finding in found if "itself failed" in finding.cause]


def test_nothing_known_is_never_a_pass_but_for_this_process(tmp_path: Path) -> None:
    """What cannot be looked at is skipped: here only Python itself is there to be looked at."""
    found = [finding for _, each in examine(case_in(tmp_path)) for finding in each]
    passed = {finding.code for finding in found if finding.grade is Grade.PASS}
    assert passed == {"python-version"}


def test_codes_and_family_names_are_their_own() -> None:
    codes = [check.code for check in checks()]
    assert len(codes) == len(set(codes)) > 45
    names = [family.name for family in FAMILIES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.code)
def test_each_check_says_why(check: Check) -> None:
    assert len(check.why.split()) >= 10
