"""Deadlines: a load that needs so much energy by a time, and does not care when.

Where prices are known ahead it takes the cheapest time that is enough: its worth is the price of
the dearest slot that it needs. Time whose price nobody knows is not counted on. Where nothing is
known its worth climbs as the slack runs out, slowly first: somebody who can wait waits for a cheap
hour, and does not wait too long.

Who also knows how the feed stood yesterday (`forecast`) takes the cheapest time by what it will
probably cost; a guess is no price to the last cent, and whoever displaces another has to be worth
more by an eighth, so it bids an eighth more than it guesses. If all that is likely to be had is not
enough it climbs, and bids no less than by the tariff alone. A forecast may be wrong, so it keeps
nobody from hurrying: in the rush nobody bids less than without one.

In all cases the last of the slack is for what nobody foresees (a shortage, a refusal, a cut): from
`RUSH` of the running time that is left its worth climbs to the price cap, which it bids when there
is no slack any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rackgrid.market.tariff import Interval

MJ_NS_PER_MW = 1_000_000_000
"""A mW needs 10⁹ ns for a mJ."""
RUSH = 4
"""The rush begins when the slack is a quarter of the running time that is left."""
RUSH_MIN_NS = 300_000_000_000
"""And no later than five minutes before the slack is gone."""
GUESS = 8
"""What is guessed may be dearer by an eighth: so much more is bid, up to what is known."""
_FINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be done by when.

    Attributes:
        left_mj: energy that it still needs, mJ.
        power_mw: what it takes while it runs, mW; more than nothing.
        begins_ns, ends_ns: since when it may run, and when it must be done; of any one clock.
        worth_uc: the least that it is worth at any time, uc per kWh.
    """

    left_mj: int
    power_mw: int
    begins_ns: int
    ends_ns: int
    worth_uc: int

    @property
    def need_ns(self) -> int:
        """How long it still has to run, ns."""
        return -(-max(0, self.left_mj) * MJ_NS_PER_MW // self.power_mw)


def slack_ns(goal: Goal, now_ns: int) -> int:
    """How long it may still wait, ns; below zero it comes too late."""
    return goal.ends_ns - now_ns - goal.need_ns


def deadline_worth_uc(
    goal: Goal,
    now_ns: int,
    known: Sequence[Interval],
    price_cap_uc: int,
    expected: Sequence[Interval] | None = None,
) -> int | None:
    """What it bids now, uc per kWh; None once it has what it needs.

    Args:
        goal: what is to be done.
        now_ns: of the clock that the goal and `known` are of.
        known: prices ahead, in order and apart.
        price_cap_uc: what it bids when it may not wait any more.
        expected: what it will probably cost, in order and apart, without what is not to be had;
            None: nobody remembers yesterday.
    """
    assert goal.power_mw > 0, "what takes no power needs no market"
    if goal.left_mj <= 0:
        return None
    slack = slack_ns(goal, now_ns)
    if slack <= 0:
        return price_cap_uc
    climb_uc = _climb_uc(goal, slack, price_cap_uc)
    dearest_uc = _dearest_needed_uc(goal, now_ns, known)
    known_uc = calm_uc = climb_uc if dearest_uc is None else dearest_uc
    if expected is not None:
        likely_uc = _dearest_needed_uc(goal, now_ns, expected)
        calm_uc = max(climb_uc, known_uc) if likely_uc is None else _bid_uc(likely_uc, dearest_uc)
    rush_ns = max(goal.need_ns // RUSH, RUSH_MIN_NS)
    if slack < rush_ns:
        calm_uc = max(calm_uc, known_uc)
    calm_uc = min(max(calm_uc, goal.worth_uc), price_cap_uc)
    if slack >= rush_ns:
        return calm_uc
    return price_cap_uc - (price_cap_uc - calm_uc) * slack // rush_ns


def _dearest_needed_uc(goal: Goal, now_ns: int, known: Sequence[Interval]) -> int | None:
    """The price of the dearest slot that is needed; None if what is known is not enough."""
    spans: list[tuple[int, int]] = []
    for each in known:
        span_ns = min(each.end_ns, goal.ends_ns) - max(each.start_ns, now_ns)
        if span_ns > 0:
            spans.append((each.price_uc, span_ns))
    need_ns = goal.need_ns
    for price_uc, span_ns in sorted(spans):
        need_ns -= span_ns
        if need_ns <= 0:
            return price_uc
    return None


def _bid_uc(likely_uc: int, known_uc: int | None) -> int:
    """What is bid on a guess: an eighth more, but where the tariff is right no more than that."""
    bid_uc = likely_uc + abs(likely_uc) // GUESS
    return bid_uc if known_uc is None or likely_uc > known_uc else min(bid_uc, known_uc)


def _climb_uc(goal: Goal, slack: int, price_cap_uc: int) -> int:
    """Climb with the cube of the slack that is used up, uc per kWh."""
    whole_ns = max(1, goal.ends_ns - goal.begins_ns - goal.need_ns)
    used = _FINE - min(slack, whole_ns) * _FINE // whole_ns
    return goal.worth_uc + (price_cap_uc - goal.worth_uc) * used**3 // _FINE**3
