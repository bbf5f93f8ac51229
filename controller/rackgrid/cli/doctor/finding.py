"""The words of `rackgrid doctor`: a check, and what it found.

Each check has a code that never changes (scripts and people refer to it), the question that it
asks, and why: the page `hardware/doctor.md` is made of these, so that an error leads to its remedy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from rackgrid.cli.doctor.unknown import Unknown

if TYPE_CHECKING:
    from rackgrid.cli.doctor.case import Case

PAGE = "hardware/doctor.md"
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Grade(Enum):
    """How a check came out."""

    PASS = "PASS"  # noqa: S105 - a grade
    WARN = "WARN"
    """It works, and will not always."""
    FAIL = "FAIL"
    """It does not work, or is not safe."""
    SKIP = "SKIP"
    """It could not be looked at, and says why: nothing is known."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        code: of the check.
        cause: what was seen; for a skipped check why nothing was. One line.
        fix: the next thing to do; "" where nothing is wrong. One line.
        rows: a table of what was looked at, cells by the names of their columns.
    """

    code: str
    grade: Grade
    cause: str
    fix: str = ""
    rows: tuple[dict[str, str], ...] = ()

    def __post_init__(self) -> None:
        assert self.cause, "a finding says what it saw"
        assert bool(self.fix) == (self.grade in {Grade.WARN, Grade.FAIL}), "what is wrong has a fix"
        assert "\n" not in self.cause + self.fix, "one line each"

    @property
    def anchor(self) -> str:
        """Where the check is explained."""
        return f"{PAGE}#{self.code}"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at.

    Attributes:
        code: its stable name.
        asks: the question, whose answer yes is a PASS.
        why: what goes wrong otherwise, and whence one knows it.
    """

    code: str
    asks: str
    why: str

    def __post_init__(self) -> None:
        assert _CODE.fullmatch(self.code), self.code
        assert self.asks.endswith("?"), self.asks

    def ok(self, cause: str) -> Finding:
        """All is well."""
        return Finding(self.code, Grade.PASS, one_line(cause))

    def warn(self, cause: str, fix: str) -> Finding:
        """It works, and will not always."""
        return Finding(self.code, Grade.WARN, one_line(cause), one_line(fix))

    def fail(self, cause: str, fix: str) -> Finding:
        """It does not work, or is not safe."""
        return Finding(self.code, Grade.FAIL, one_line(cause), one_line(fix))

    def skip(self, reason: str | Unknown) -> Finding:
        """It could not be looked at."""
        text = reason.reason if isinstance(reason, Unknown) else reason
        return Finding(self.code, Grade.SKIP, one_line(text))


@dataclass(frozen=True, slots=True)
class Family:
    """Checks that rest on the same facts.

    Attributes:
        name: what they are about.
        checks: all of them; an examination yields at least one finding for each.
        examine: looks at a node, and judges what it saw.
    """

    name: str
    checks: tuple[Check, ...]
    examine: Callable[[Case], Iterable[Finding]]


def one_line(text: str) -> str:
    """Bring foreign text onto one line, without what could steer a terminal."""
    words = " ".join(text.split())
    return "".join(each if each.isprintable() else "?" for each in words)
