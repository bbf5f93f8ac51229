"""Work: what is left to do decides what is bid, and what was got is taken off."""

from __future__ import annotations

from rackgrid.market.temperature import Model
from rackgrid.market.thermal import Bounds
from rackgrid.simulation.scenario.work import (
    ALLOWED_MC,
    DAY_MINUTES,
    MARGIN,
    MINUTE_NS,
    MINUTE_S,
    PRICE_CAP_UC,
    Dimmed,
    Due,
    Kept,
    Moment,
    Stand,
    Steady,
    Task,
)

POWER = 10_000
OFF = Stand(POWER)
FRIDGE = Bounds(2_000, 8_000, cools=True, worth_uc=350_000)
MODEL = Model(24_000, -14_000, 600 * MINUTE_NS, MINUTE_NS)


def test_steady_and_dimmed_have_no_day() -> None:
    steady, dimmed = Steady(7), Dimmed()
    for work in (steady, dimmed):
        work.lived(Moment(0), POWER * MINUTE_S)
    assert steady.worth_uc(Moment(0), OFF) == 7
    assert dimmed.worth_uc(Moment(0), OFF) is None


def test_task_bids_its_revenue_and_a_whole_run_to_its_end() -> None:
    assert Task(2_000).worth_uc(Moment(0), OFF) == 200_000
    run = Task(2_000, run_minutes=45)
    assert run.worth_uc(Moment(0), OFF) == 200_000
    assert run.worth_uc(Moment(44), Stand(POWER, 0)) == PRICE_CAP_UC
    run.lived(Moment(44), 0)


def test_due_begins_at_its_time_and_ends_when_it_has_enough() -> None:
    due = Due(3 * POWER * MINUTE_S, 60, 180)
    assert due.worth_uc(Moment(59), OFF) is None
    for minute in range(60, 63):
        assert due.worth_uc(Moment(minute), OFF) is not None
        due.lived(Moment(minute), POWER * MINUTE_S)
    assert due.worth_uc(Moment(63), OFF) is None
    assert due.late_mj == 0


def test_due_bids_the_cap_a_guard_before_it_is_too_late() -> None:
    due = Due(3 * POWER * MINUTE_S, 60, 180)
    due.worth_uc(Moment(60), OFF)
    assert due.worth_uc(Moment(180 - MARGIN - 3), OFF) == PRICE_CAP_UC


def test_due_that_got_nothing_is_late_once_and_begins_anew_on_the_next_day() -> None:
    due = Due(600, 22 * 60, 6 * 60)
    assert due.span == 8 * 60
    for minute in range(22 * 60, DAY_MINUTES + 7 * 60):
        due.worth_uc(Moment(minute), OFF)
        due.lived(Moment(minute), 0)
    assert due.late_mj == 600
    assert due.worth_uc(Moment(DAY_MINUTES + 22 * 60), OFF) is not None


def test_kept_warms_while_it_is_off_and_cools_while_it_runs() -> None:
    kept = Kept(FRIDGE, MODEL, POWER, 5_000)
    assert kept.worth_uc(Moment(0), OFF) == 175_000
    kept.lived(Moment(0), 0)
    warm = kept.mc
    kept.lived(Moment(1), POWER * MINUTE_S)
    assert kept.mc < warm > 5_000


def test_kept_has_to_run_at_its_bound_and_counts_what_is_beyond() -> None:
    kept = Kept(FRIDGE, MODEL, POWER, FRIDGE.high_mc)
    assert kept.worth_uc(Moment(0), OFF) == PRICE_CAP_UC
    assert kept.had_to
    kept.lived(Moment(0), 0)
    assert kept.out_minutes == 0
    kept.mc = FRIDGE.high_mc + ALLOWED_MC
    kept.lived(Moment(1), 0)
    assert kept.out_minutes == 1
