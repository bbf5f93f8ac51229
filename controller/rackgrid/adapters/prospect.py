"""What a load with a deadline has ahead of it, and what that rests on: for `rackgrid why`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rackgrid.adapters.event_json import rfc3339
from rackgrid.adapters.view_json import Json
from rackgrid.market.deadline import Goal, slack_ns
from rackgrid.market.tariff import SECOND_NS, Interval

MJ_PER_WH = 3_600_000
AHEAD_MAX = 128
"""Intervals that are listed: a day of quarters, and some."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is to be done, and what was known of the time until then.

    Attributes:
        wall_ns: when, Unix time, ns.
        known: prices by the tariff.
        expected: what a kWh will probably cost it; None: nobody remembers yesterday.
    """

    goal: Goal
    wall_ns: int
    known: Sequence[Interval]
    expected: Sequence[Interval] | None


def prospect_json(said: Prospect) -> Json:
    """Make what the API says of it.

    `ahead` is what it counts on, equal prices next to each other as one; `taken_s` is how much of
    the time for which there is a tariff it does not count on, because the feed was full at that
    time yesterday.
    """
    goal = said.goal
    counted = said.known if said.expected is None else said.expected
    ahead = _joined(counted, said.wall_ns, goal.ends_ns)
    taken_ns = 0
    if said.expected is not None:
        known = _joined(said.known, said.wall_ns, goal.ends_ns)
        taken_ns = _span_ns(known) - _common_ns(known, ahead)
    return {
        "by": rfc3339(goal.ends_ns),
        "left_wh": max(0, goal.left_mj) / MJ_PER_WH,
        "slack_s": slack_ns(goal, said.wall_ns) // SECOND_NS,
        "tariff": bool(said.known),
        "yesterday": said.expected is not None,
        "taken_s": taken_ns // SECOND_NS,
        "ahead": [
            {
                "start": rfc3339(each.start_ns),
                "end": rfc3339(each.end_ns),
                "price_uc": each.price_uc,
            }
            for each in ahead[:AHEAD_MAX]
        ],
    }


def _joined(known: Sequence[Interval], from_ns: int, until_ns: int) -> list[Interval]:
    """Cut to a span of time, and put together what costs the same."""
    found: list[Interval] = []
    for each in known:
        start_ns, end_ns = max(each.start_ns, from_ns), min(each.end_ns, until_ns)
        if start_ns >= end_ns:
            continue
        if found and found[-1].end_ns == start_ns and found[-1].price_uc == each.price_uc:
            start_ns = found.pop().start_ns
        found.append(Interval(start_ns, end_ns, each.price_uc))
    return found


def _span_ns(intervals: Sequence[Interval]) -> int:
    return sum(each.end_ns - each.start_ns for each in intervals)


def _common_ns(ones: Sequence[Interval], others: Sequence[Interval]) -> int:
    """Say for how long there is one of both; each are apart."""
    return sum(
        max(0, min(one.end_ns, other.end_ns) - max(one.start_ns, other.start_ns))
        for one in ones
        for other in others
    )
