"""Tasks: work that brings in money by the hour, and runs while its energy costs less than that.

A task that runs to completion earns nothing before its end. It is started only if the whole run
pays, as far as prices are known ahead, and once it runs it has to go on: it bids the price cap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rackgrid.market.tariff import Interval

MW_PER_KW = 1_000_000
RESTART_NS = 10_000_000_000
"""A run that follows another without a pause may be given up within so long after its start."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has to be complete.

    Attributes:
        span_ns: how long it takes.
        since_ns: when the load was switched on; None while it is off. Any clock of the node's.
    """

    span_ns: int
    since_ns: int | None


def task_worth_uc(revenue_uc_per_h: int, power_mw: int) -> int:
    """The price at which an hour's energy costs what the hour brings in, uc per kWh.

    Args:
        revenue_uc_per_h: micro-currency per hour of running.
        power_mw: what it takes, mW; more than nothing.
    """
    assert power_mw > 0, "what takes no power needs no market"
    return revenue_uc_per_h * MW_PER_KW // power_mw


def run_worth_uc(
    worth_uc: int, run: Run, now_ns: int, known: Sequence[Interval], price_cap_uc: int
) -> int:
    """What a task that runs to completion bids now, uc per kWh.

    A market clears one price, that of now; the run also pays those to come. If they are dearer on
    the average than now, by so much less may now cost. What nobody knows yet counts as now.

    Args:
        worth_uc: `task_worth_uc`, the most that it may cost on the average.
        run: how long it takes, and since when it runs by the clock of `now_ns`.
        now_ns: ns of the clock that `known` is of, too.
        known: prices ahead, in order and apart.
        price_cap_uc: what it bids while it must go on.
    """
    if run.since_ns is not None:
        done_ns = (now_ns - run.since_ns) % run.span_ns
        is_first = now_ns - run.since_ns < run.span_ns
        if is_first or done_ns >= RESTART_NS:
            return price_cap_uc
    return worth_uc - rise_uc(known, now_ns, now_ns + run.span_ns)


def rise_uc(known: Sequence[Interval], from_ns: int, until_ns: int) -> int:
    """How much dearer a span of time is on the average than its beginning, uc per kWh.

    Args:
        known: prices, in order and apart; what is not known counts as the beginning.
        from_ns, until_ns: the span, its end excluded.

    Returns:
        Rounded up; negative if it becomes cheaper; 0 if the price of the beginning is not known.
    """
    assert from_ns < until_ns, "a span has a length"
    begins = next((each for each in known if each.start_ns <= from_ns < each.end_ns), None)
    if begins is None:
        return 0
    more = 0
    for each in known:
        span_ns = min(each.end_ns, until_ns) - max(each.start_ns, from_ns)
        more += max(0, span_ns) * (each.price_uc - begins.price_uc)
    return -(-more // (until_ns - from_ns))
