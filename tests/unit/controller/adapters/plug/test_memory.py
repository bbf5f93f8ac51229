"""What a bank remembers; with a bank in `test_bank_restarts` and `test_bank_lockout`."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid.adapters.plug.memory import Memory
from rackgrid.adapters.plug.remote import BROKEN
from rackgrid_firmware.dwell import DwellFile
from rackgrid_firmware.guard import GuardState, OutputGuard, Rule, Rules
from rackgrid_firmware.logbook import Logbook

RULES = Rules((Rule("lamp", False, 0, 0),), 1_000_000_000, 0)
NAMES = frozenset({"lamp"})


def refuse_to_fail(fault: OSError) -> None:
    raise AssertionError from fault


def memory(folder: Path, names: frozenset[str] = NAMES) -> Memory:
    logbook = Logbook(folder, "this-boot", refuse_to_fail, lambda _: None, name="plugs.json")
    return Memory(names, DwellFile(folder / "dwell.json", "this-boot"), logbook)


def state(fault: str) -> GuardState:
    return GuardState((OutputGuard(False, 0, 0, 0, "boot", fault=fault),), last_start_ns=0)


@pytest.mark.parametrize("fault", [BROKEN, f"welded: 9 W flow; {BROKEN}"])
def test_timer_that_has_failed_is_remembered_whatever_else_is_latched(
    tmp_path: Path, fault: str
) -> None:
    first = memory(tmp_path)
    first.note(RULES, state(fault))
    first.close(None)
    again = memory(tmp_path)
    assert list(again.broken()) == ["lamp"]
    again.note(RULES, state("welded: 9 W flow"))
    again.close(None)
    assert list(memory(tmp_path).broken()) == []


def test_lamp_that_is_out_of_the_configuration_for_a_while_is_remembered(tmp_path: Path) -> None:
    first = memory(tmp_path)
    first.note(RULES, state(BROKEN))
    first.close(None)
    without = memory(tmp_path, frozenset())
    assert list(without.broken()) == []
    without.note(Rules((), 1_000_000_000, 0), GuardState((), last_start_ns=0))
    without.close(None)
    again = memory(tmp_path)
    assert list(again.broken()) == ["lamp"]
    again.close(None)


def test_no_memory_remembers_nothing() -> None:
    none = Memory(NAMES, None, None)
    none.note(RULES, state(BROKEN))
    none.close(())
    assert none.kept == {}
    assert none.take_dwelt() is None
