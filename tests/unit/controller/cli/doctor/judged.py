"""How the tests of the doctor's families judge: a table of worlds, and what each must come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Finding, Grade
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.unknown import Unknown

ILL = {Grade.WARN, Grade.FAIL}


@dataclass(frozen=True)
class World:
    """A change to a family's sound facts, and the worst that a check must make of it."""

    code: str
    grade: Grade
    says: str
    change: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.code} {self.grade.value} {self.says}"


def world(code: str, grade: Grade, says: str, **change: Any) -> World:
    return World(code, grade, says, change)


def of(findings: Iterable[Finding], code: str) -> list[Finding]:
    return [finding for finding in findings if finding.code == code]


def hold(worlds: Sequence[World], judge: Callable[[World], Iterable[Finding]]) -> None:
    """Check each world; for use under parametrize with one, or with all."""
    for each in worlds:
        found = of(judge(each), each.code)
        grades = [finding.grade for finding in found]
        assert each.grade in grades, f"{each}: {found}"
        if each.grade in {Grade.PASS, Grade.SKIP}:
            assert not ILL & set(grades), f"{each}: {found}"
        texts = [f"{f.cause} {f.fix}" for f in found if f.grade is each.grade]
        assert any(each.says in text for text in texts), f"{each}: {texts}"


def uncovered(worlds: Sequence[World], checks: Sequence[Check]) -> list[str]:
    """Name what no world shows: each check is seen well, and ill."""
    seen = {(each.code, each.grade in ILL) for each in worlds if each.grade is not Grade.SKIP}
    return [
        f"{check.code}: never {'ill' if is_ill else 'well'}"
        for check in checks
        for is_ill in (False, True)
        if (check.code, is_ill) not in seen
    ]


def case_in(root: Path, **given: Any) -> Case:
    """Make a case of a machine below `root`, which nothing is known of but its files."""
    unknown = Unknown("not given")
    facts: dict[str, Any] = {
        "host": Host(root, lambda argv: Unknown(f"{argv[0]} is not installed")),
        "config": unknown,
        "profile": unknown,
        "profile_path": root / "board.toml",
        "faults": (),
        "notes": (),
        "state": unknown,
        "firmware_runs": False,
    }
    return Case(**{**facts, **given})


def put(root: Path, name: str, content: str | bytes) -> Path:
    """Lay a file below a root."""
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
