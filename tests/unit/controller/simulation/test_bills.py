"""Bills under faults (I8): they add up, and where a rule of bookkeeping is taken away, it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rackgrid.core import bookkeeper
from rackgrid.market import settlement
from rackgrid.market.row import MJ_UC_PER_NC, Row, Terms
from rackgrid.market.settlement import Account
from rackgrid.simulation.fault import Fault, Kill, PowerCycle, Restart, Revive
from rackgrid.simulation.mishap import FirmwareHang
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.run import run
from rackgrid.simulation.script import Script, Timed

Patch = pytest.MonkeyPatch


def script(*timed: tuple[float, Fault]) -> Script:
    faults = tuple(Timed(seconds(at_s), fault) for at_s, fault in timed)
    return Script(seed=1, nodes=3, seconds=30, capacity_mw=60_000, timed=faults)


DEATHS = script((8, Kill(2)), (10.5, Revive()), (13, Restart(2)), (14, Kill(1)), (15, Revive()))
"""Controllers die with rows in memory, and their heirs go on while the meters count."""
CUTS = script((8, PowerCycle(2, 20)), (11, Kill(2)), (13, Revive()), (14, FirmwareHang(3, 2000)))
"""Counters begin anew, with the machine and without it."""


@pytest.mark.parametrize("played", [DEATHS, CUTS])
def test_bills_add_up_whatever_dies(played: Script) -> None:
    assert run(played).violations == ()


def heir_forgets_the_meter(patch: Patch) -> None:
    """What was drawn between the last row and the heir's first look is booked by nobody."""
    opened = settlement.opened

    def forgetful(load: str, terms: Terms, now_ns: int, last: Row | None = None) -> Account:
        return replace(opened(load, terms, now_ns, last), seen_mj=None)

    patch.setattr(bookkeeper, "opened", forgetful)


def heir_books_again(patch: Patch) -> None:
    """An heir books the whole counter, rows or not."""
    opened = settlement.opened

    def greedy(load: str, terms: Terms, now_ns: int, last: Row | None = None) -> Account:
        account = opened(load, terms, now_ns, last)
        return account if last is None else replace(account, seen_mj=0)

    patch.setattr(bookkeeper, "opened", greedy)


def heir_begins_a_new_account(patch: Patch) -> None:
    """An heir does not take over where the account's counter stood."""
    opened = settlement.opened

    def fresh(load: str, terms: Terms, now_ns: int, last: Row | None = None) -> Account:
        return replace(opened(load, terms, now_ns, last), counter_mj=0)

    patch.setattr(bookkeeper, "opened", fresh)


def new_counter_counts_from_the_old(patch: Patch) -> None:
    """A counter that began anew is only believed once it has passed what it showed before."""

    def delta(before_mj: int | None, now_mj: int) -> int:
        return 0 if before_mj is None else max(0, now_mj - before_mj)

    patch.setattr(settlement, "gained_mj", delta)


def rest_is_dropped(patch: Patch) -> None:
    """What a division leaves over is not carried into the next row."""

    def money(
        amount: int, price_uc: int | None, _left: int, per_nc: int = MJ_UC_PER_NC
    ) -> tuple[int | None, int]:
        return (None, 0) if price_uc is None else (amount * price_uc // per_nc, 0)

    patch.setattr(settlement, "_money", money)


@pytest.mark.parametrize(
    ("weaken", "played"),
    [
        (heir_forgets_the_meter, DEATHS),
        (heir_books_again, DEATHS),
        (heir_begins_a_new_account, DEATHS),
        (new_counter_counts_from_the_old, CUTS),
        (rest_is_dropped, DEATHS),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_rule_of_bookkeeping_that_is_taken_away_is_missed(
    weaken: Callable[[Patch], None], played: Script, monkeypatch: Patch
) -> None:
    weaken(monkeypatch)
    violations = run(played).violations
    assert violations
    assert all(": I8 " in each for each in violations), violations
