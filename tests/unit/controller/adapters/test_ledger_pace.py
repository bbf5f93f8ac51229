"""A row waits a minute and no longer, and what comes meanwhile is written with it."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.ledger_pace import WAIT_S, Pace

DAY_S = 86_400


def writes_of(moments: list[float], pace: Pace) -> list[tuple[float, list[float]]]:
    """Let rows come at these moments; when something was written, and which rows it was."""
    found: list[tuple[float, list[float]]] = []
    waiting: list[float] = []
    for moment in [*moments, float("inf")]:
        while waiting and (due_s := waiting[-1] + pace.rest_s(waiting[-1])) < moment:
            assert pace.is_due(due_s)
            found.append((due_s, waiting))
            waiting = []
            pace.tried(due_s, waits=False)
        if moment < float("inf"):
            pace.came(moment)
            waiting.append(moment)
    return found


@given(st.lists(st.floats(0.0, 5000.0), min_size=1, max_size=60))
def test_pace_writes_every_row_once_and_lets_none_wait_longer(moments: list[float]) -> None:
    """Fails if a power cut can take more than was promised."""
    found = writes_of(sorted(moments), Pace())
    assert [row for _, rows in found for row in rows] == sorted(moments)
    assert all(when - row < WAIT_S + 0.001 for when, rows in found for row in rows)


def test_pace_of_a_price_a_minute_writes_two_at_a_time() -> None:
    """Fails if a busy day costs a flash card a page for every minute of it."""
    chance = random.Random(1)
    minutes = [minute * 60 + chance.random() * 2 for minute in range(DAY_S // 60)]
    found = writes_of(minutes, Pace())
    assert len(found) == DAY_S // 120
    assert all(len(rows) == 2 for _, rows in found)


def test_pace_of_seldom_rows_writes_each_when_it_has_waited() -> None:
    assert writes_of([0.0, 900.0], Pace(60.0)) == [(60.0, [0.0]), (960.0, [900.0])]


def test_pace_after_a_disk_that_took_nothing_tries_again_no_sooner() -> None:
    """Fails if a full disk keeps a thread busy."""
    pace = Pace(60.0)
    pace.came(0.0)
    assert pace.is_due(60.0)
    pace.tried(61.0, waits=True)
    pace.came(70.0)
    assert not pace.is_due(120.0)
    assert (pace.rest_s(100.0), pace.rest_s(200.0)) == (21.0, 0.0)
    assert pace.is_due(121.0)


def test_pace_while_nothing_waits_looks_now_and_then() -> None:
    """A batch may have to be closed."""
    pace = Pace(60.0)
    assert (pace.rest_s(0.0), pace.is_due(0.0)) == (60.0, True)
