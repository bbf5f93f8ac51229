"""The node's own record: which action makes which line, and what a full disk does."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from rackgrid.adapters.trace import Trace
from rackgrid.core.action import (
    Action,
    Left,
    LoadDecided,
    Multicast,
    Noted,
    PriceApplied,
    PriceLost,
    PriceSent,
    RoleChanged,
)
from rackgrid.core.reason import Decision
from rackgrid.errors import ConfigError
from rackgrid.identity import NO_PAIR, BootId, NodeId, Pair, Term
from rackgrid.wire.message import Leave
from rackgrid.wire.vocabulary import Role, Why

PAIR = Pair(Term(7), NodeId(0xBB), BootId(1))


def decision(was_on: bool, on: bool) -> LoadDecided:
    return LoadDecided(Decision("lamp", was_on, on, Why.WORTH_IT, 250_000, 400_000, 6000, PAIR, 3))


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Trace]:
    made = Trace(tmp_path / "trace", "pi-1")
    yield made
    made.close()


def lines(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (tmp_path / "trace.pi-1").read_text().splitlines()]


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        (
            RoleChanged(Role.BROKER, PAIR, "elected"),
            {"event": "role", "role": "broker", "term": 7, "broker": f"{0xBB:016x}"}
            | {"cause": "elected"},
        ),
        (
            PriceApplied(PAIR, 3, 250_000, 2_000_000_000, scarce=False),
            {"event": "price", "term": 7, "round": 3, "value": 0.25},
        ),
        (
            PriceApplied(PAIR, 4, -50_000, 2_000_000_000, scarce=False),
            {"event": "price", "term": 7, "round": 4, "value": -0.05},
        ),
        (
            PriceSent(PAIR, 3, 250_000, 2_000_000_000),
            {"event": "price_sent", "term": 7, "round": 3, "value": 0.25},
        ),
        (PriceLost(), {"event": "price", "term": 0, "round": 0, "value": None}),
        (
            decision(was_on=False, on=True),
            {"event": "switch", "load": "lamp", "on": True, "why": "WORTH_IT"},
        ),
    ],
)
def test_trace_action_makes_its_line_at_once(
    trace: Trace, tmp_path: Path, action: Action, fields: dict[str, object]
) -> None:
    trace.publish(action, 42)
    assert lines(tmp_path) == [{"t_ns": 42, "node": "pi-1", **fields}], "read before it is closed"


@pytest.mark.parametrize(
    "action",
    [decision(was_on=True, on=True), Noted("a note"), Left(), Multicast(Leave(1))],
)
def test_trace_action_that_changes_no_role_price_or_switch_makes_none(
    trace: Trace, tmp_path: Path, action: Action
) -> None:
    trace.publish(action, 42)
    assert lines(tmp_path) == []


def test_trace_of_a_node_that_restarts_goes_on_in_its_file(trace: Trace, tmp_path: Path) -> None:
    trace.publish(PriceLost(), 42)
    trace.close()
    again = Trace(tmp_path / "trace", "pi-1")
    again.publish(RoleChanged(Role.JOINING, NO_PAIR, "started"), 43)
    again.close()
    assert [line["t_ns"] for line in lines(tmp_path)] == [42, 43]


def test_trace_that_cannot_be_opened_is_a_finding_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[mock\] trace: cannot write .*trace.pi-1"):
        Trace(tmp_path / "no" / "trace", "pi-1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_trace_on_a_full_disk_is_said_once_and_does_not_raise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "trace.pi-1").symlink_to("/dev/full")
    trace = Trace(tmp_path / "trace", "pi-1")
    trace.publish(PriceLost(), 42)
    trace.publish(PriceLost(), 42)
    (line,) = [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert "lines are missing from here on" in line
    trace.close()
