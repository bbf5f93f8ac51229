"""Fails if a profile's demands can be put together so that the guard cannot keep them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rackgrid_firmware.guard_rules import LOCKED, OutputGuard, Rule, Rules
from rackgrid_firmware.link import FAULT_MAX


@pytest.mark.parametrize(
    "build",
    [
        lambda: Rule("a", False, -1, 0),
        lambda: Rule("a", False, 0, -1),
        lambda: Rule("a", False, 0, 0, hold_ns=-1),
        lambda: Rule("a", False, 0, 0, dead_ns=-1),
        lambda: Rule("a", False, 0, 0, switches_per_day=-1),
        lambda: Rule("a", True, 0, 0, not_with=("b",)),
        lambda: Rules((), 0, 0),
        lambda: Rules((), 1, -1),
        lambda: Rules((Rule("a", False, 0, 0), Rule("a", True, 0, 0)), 1, 0),
        lambda: Rules((Rule("a", False, 0, 0, not_with=("b",)), Rule("b", False, 0, 0)), 1, 0),
        lambda: OutputGuard(False, 0, 0, 0, "tripped", fault="x" * (FAULT_MAX + 1)),
    ],
)
def test_rules_that_make_no_sense_are_our_bug(build: Callable[[], object]) -> None:
    with pytest.raises(AssertionError):
        build()


def test_output_is_barred_by_its_lock_before_its_fault() -> None:
    tripped = OutputGuard(False, 0, 0, 0, "tripped", fault="3 A")
    assert tripped.barred == "3 A"
    assert OutputGuard(False, 0, 0, 0, "locked", fault="3 A", is_locked=True).barred == LOCKED
    assert not OutputGuard(False, 0, 0, 0, "boot").barred
