"""The log: a line per transition, in the shape that a terminal or journald wants."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator

import pytest
from tests.unit.controller.adapters.story import judged

from rackgrid.adapters import journal
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
from rackgrid.identity import BootId, NodeId, Pair, Term
from rackgrid.wire.message import Leave
from rackgrid.wire.vocabulary import Role, Why

PAIR = Pair(Term(7), NodeId(0xBB), BootId(1))
log = logging.getLogger("rackgrid.test")


@pytest.fixture
def stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[], str]]:
    """What stderr was told, and the logging of the tests put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    root.setLevel(level)


def test_journal_in_a_terminal_begins_with_the_time(stderr: Callable[[], str]) -> None:
    journal.configure()
    log.info("a line")
    log.debug("not this one")
    assert re.fullmatch(r"\d\d:\d\d:\d\d a line\n", stderr())


def test_journal_configured_twice_says_each_line_once(stderr: Callable[[], str]) -> None:
    journal.configure()
    journal.configure()
    log.info("a line")
    assert stderr().count("a line") == 1


def test_journal_under_systemd_begins_with_the_priority_and_is_one_line(
    stderr: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    journal.configure()
    log.error("first\nsecond")
    log.warning("careful")
    log.critical("worse")
    lines = stderr().splitlines()
    assert lines == ["<3>first | second", "<4>careful", "<2>worse"]


@pytest.mark.parametrize(
    ("action", "level", "text"),
    [
        (
            RoleChanged(Role.BROKER, PAIR, "elected"),
            logging.INFO,
            f"broker, authority 7/{0xBB:016x}: elected",
        ),
        (
            LoadDecided(Decision("lamp", True, False, Why.MIN_OFF, 250_000, 400_000, 0, PAIR, 1)),
            logging.INFO,
            "load lamp off: kept off: inside its minimum off-time",
        ),
        (
            LoadDecided(Decision("fan", False, True, Why.REQUIRED, None, None, 0, PAIR, 1)),
            logging.INFO,
            "load fan on: required: always on",
        ),
        (PriceLost(), logging.WARNING, "the price has expired and is unknown"),
        (
            judged(1, 1500),
            logging.WARNING,
            "pi-2 drew 9.0 W of 6.0 W granted",
        ),
        (
            judged(3, 1500),
            logging.WARNING,
            "pi-2 drew 9.0 W of 6.0 W granted, again: its bids count 1.50 times",
        ),
        (
            judged(0, 1000, drawn_mw=0),
            logging.WARNING,
            "pi-2 has kept to its grants for long: nothing is held against it",
        ),
        (Noted("look here"), logging.WARNING, "look here"),
        (Left(), logging.INFO, "left"),
    ],
)
def test_journal_action_that_people_want_to_read_is_a_line(
    action: Action, level: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        journal.publish(action)
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [(level, text)]


@pytest.mark.parametrize(
    "action",
    [
        Multicast(Leave(1)),
        PriceApplied(PAIR, 1, 1, 1, scarce=False),
        PriceSent(PAIR, 1, 1, 1),
        judged(is_news=False),
    ],
)
def test_journal_action_of_every_round_is_none(
    action: Action, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        journal.publish(action)
    assert caplog.records == []
