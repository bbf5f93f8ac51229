"""The guard's laws with every rule in force, over thousands of random histories."""

from __future__ import annotations

import pytest
from tests.unit.firmware.unruly import NAMES, play

from rackgrid_firmware import guard_turn, interlock


def _nothing(*_: object) -> None:
    """Do nothing, in the place of a rule."""


def _at_once(*_: object) -> int:
    return 0


def play_all(histories: int) -> None:
    for seed in range(histories):
        play(seed)


@pytest.mark.parametrize("block", range(8))
def test_guard_under_any_history_keeps_every_rule(block: int) -> None:
    """Fails if a trip, a lockout, a budget, a dwell, a calm, a deadline or a pair is broken."""
    reached: set[tuple[str, bool, bool, bool]] = set()
    for seed in range(block * 500, block * 500 + 500):
        for name, output in zip(NAMES, play(seed).outputs, strict=True):
            reached.add((name, output.on, bool(output.fault), output.is_locked))
    for name in NAMES[:4]:
        assert (name, True, False, False) in reached
        assert (name, False, True, False) in reached
        assert (name, False, False, True) in reached


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        ("bar", "tripped, and on|locked out, and on"),
        ("budget", "budget exceeded"),
        ("rival", "both of a pair are on|on beside a welded rival|inside the dead time"),
        ("deadline", "past its deadline|the loop would spin"),
    ],
)
def test_each_law_trips_when_its_rule_is_taken_away(
    broken: str, law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A judge that no sabotage trips is no judge."""
    match broken:
        case "bar":
            monkeypatch.setattr(guard_turn.Turn, "_bar", _nothing)
        case "budget":
            monkeypatch.setattr(interlock, "budget_ns", _at_once)
        case "rival":
            monkeypatch.setattr(interlock, "_clear_of_ns", _at_once)
        case _:
            monkeypatch.setattr(guard_turn.Turn, "expire", _nothing)
    with pytest.raises(AssertionError, match=law):
        play_all(2000)
