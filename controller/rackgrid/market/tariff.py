"""Tariffs: what a kWh costs at a moment, and until when that is known.

A moment is Unix time in ns, and intervals are half open: the start belongs to one, its end to the
next. Zero and negative prices are prices like any other; "not known" is `None`, never zero.

Slots in time need no zone of their own. A time-of-use tariff speaks of the clock on the wall: each
moment has one local time, so the hour that a night in autumn has twice costs the same twice, and
the one that is missing in spring costs nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise

SECOND_NS = 1_000_000_000
DAY_S = 86_400
MINUTE_S = 60
_LOOK_DAYS = 8
"""A week's pattern repeats within so many days, a change of the clocks included."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A price with a beginning and an end, in ns of Unix time; the end is excluded."""

    start_ns: int
    end_ns: int
    price_uc: int


@dataclass(frozen=True, slots=True)
class Flat:
    """One price, at any time and even while the clock is not set."""

    price_uc: int

    def price_at(self, wall_ns: int | None) -> int | None:  # noqa: ARG002  # at any time
        """Give the price, micro-currency per kWh."""
        return self.price_uc


@dataclass(frozen=True, slots=True)
class Slots:
    """Prices by time, of any length, with gaps where nobody has said anything.

    Attributes:
        intervals: in order and apart.
    """

    intervals: tuple[Interval, ...]

    def price_at(self, wall_ns: int | None) -> int | None:
        """Give the price at a moment, micro-currency per kWh.

        Args:
            wall_ns: Unix time, ns; None while the clock is not set.

        Returns:
            None in a gap, and while the clock is not set.
        """
        if wall_ns is None:
            return None
        at = bisect_right(self.intervals, wall_ns, key=lambda interval: interval.start_ns) - 1
        if at < 0 or wall_ns >= self.intervals[at].end_ns:
            return None
        return self.intervals[at].price_uc


@dataclass(frozen=True, slots=True)
class Zone:
    """A span of the day on some days of the week.

    Attributes:
        days: 0 is Monday; the day on which the span begins.
        from_s, to_s: seconds since midnight on the clock; a span that does not end later than it
            begins ends on the next day, and one from midnight to midnight is the whole day.
    """

    days: frozenset[int]
    from_s: int
    to_s: int
    price_uc: int

    def holds(self, weekday: int, second: int) -> bool:
        """Whether it holds at this second of this day of the week."""
        if self.from_s < self.to_s:
            return weekday in self.days and self.from_s <= second < self.to_s
        begins_today = weekday in self.days and second >= self.from_s
        began_yesterday = (weekday - 1) % 7 in self.days and second < self.to_s
        return begins_today or began_yesterday


@dataclass(frozen=True, slots=True)
class TimeOfUse:
    """Prices by the clock on the wall.

    Attributes:
        zones: the first that holds is the one that counts.
        otherwise_uc: where none holds; None if the tariff says nothing then.
        zone: of the clock.
    """

    zones: tuple[Zone, ...]
    otherwise_uc: int | None
    zone: tzinfo

    def price_at(self, wall_ns: int | None) -> int | None:
        """Give the price at a moment, micro-currency per kWh; as `Slots.price_at`."""
        if wall_ns is None:
            return None
        local = datetime.fromtimestamp(wall_ns // SECOND_NS, self.zone)
        second = (local.hour * 60 + local.minute) * MINUTE_S + local.second
        for zone in self.zones:
            if zone.holds(local.weekday(), second):
                return zone.price_uc
        return self.otherwise_uc


Prices = Flat | Slots | TimeOfUse


def next_change_ns(prices: Prices, wall_ns: int) -> int | None:
    """Say when the price will be another one, or not known any more, after a moment.

    Args:
        wall_ns: Unix time, ns.

    Returns:
        Unix time, ns; None if it never will.
    """
    moments: list[int] = []
    match prices:
        case Flat():
            return None
        case Slots():
            moments = [ns for each in prices.intervals for ns in (each.start_ns, each.end_ns)]
        case TimeOfUse():
            moments = _edges_ns(prices, wall_ns)
    now = prices.price_at(wall_ns)
    return next((ns for ns in moments if ns > wall_ns and prices.price_at(ns) != now), None)


def ahead(prices: Prices, from_ns: int, until_ns: int) -> tuple[Interval, ...]:
    """List what is known of a span of time: intervals of one price each, in order, gaps left out.

    Args:
        from_ns, until_ns: Unix time, ns; the end is excluded.
    """
    found: list[Interval] = []
    at_ns = from_ns
    while at_ns < until_ns:
        change_ns = next_change_ns(prices, at_ns)
        end_ns = until_ns if change_ns is None else min(change_ns, until_ns)
        price_uc = prices.price_at(at_ns)
        if price_uc is not None:
            found.append(Interval(at_ns, end_ns, price_uc))
        at_ns = end_ns
    return tuple(found)


def slots(intervals: list[Interval]) -> Slots:
    """Put intervals in order.

    Raises:
        ValueError: two of them hold at one moment; says which.
    """
    ordered = sorted(intervals, key=lambda interval: interval.start_ns)
    for earlier, later in pairwise(ordered):
        if later.start_ns < earlier.end_ns:
            moment = datetime.fromtimestamp(later.start_ns // SECOND_NS, UTC)
            raise ValueError(f"two prices hold at {moment.isoformat()}")
    return Slots(tuple(ordered))


def day_span_ns(year: int, month: int, day: int, zone: tzinfo) -> tuple[int, int]:
    """Say when a day begins and ends, Unix time in ns: it has 23, 24 or 25 hours.

    Raises:
        ValueError: there is no such day.
    """
    begins = datetime(year, month, day, tzinfo=zone)
    try:
        ends = datetime.combine(begins.date() + timedelta(days=1), begins.timetz())
    except OverflowError:
        raise ValueError("the last day of the calendar has no end") from None
    return int(begins.timestamp()) * SECOND_NS, int(ends.timestamp()) * SECOND_NS


def _edges_ns(prices: TimeOfUse, wall_ns: int) -> list[int]:
    """List the moments of the coming week at which another price may begin."""
    seconds = {edge for zone in prices.zones for edge in (zone.from_s, zone.to_s)} | {0}
    today = datetime.fromtimestamp(wall_ns // SECOND_NS, prices.zone).date()
    found: set[int] = set()
    for offset in range(_LOOK_DAYS + 1):
        day = today + timedelta(days=offset)
        start_ns, end_ns = day_span_ns(day.year, day.month, day.day, prices.zone)
        found.update((start_ns, end_ns))
        for second in seconds:
            hour, rest = divmod(second % DAY_S, 3600)
            for fold in (0, 1):  # the hour that a night in autumn has twice
                local = datetime(
                    day.year,
                    day.month,
                    day.day,
                    hour,
                    rest // MINUTE_S,
                    rest % MINUTE_S,
                    tzinfo=prices.zone,
                    fold=fold,
                )
                found.add(int(local.timestamp()) * SECOND_NS)
        found.update(_jumps_ns(start_ns, end_ns, prices.zone))
    return sorted(found)


def _jumps_ns(start_ns: int, end_ns: int, zone: tzinfo) -> list[int]:
    """Find when the clocks are changed on a day: the price may jump with them."""

    def offset(ns: int) -> timedelta | None:
        return datetime.fromtimestamp(ns // SECOND_NS, zone).utcoffset()

    low_ns, high_ns = start_ns, end_ns
    if offset(low_ns) == offset(high_ns):
        return []
    while high_ns - low_ns > SECOND_NS:
        middle_ns = (low_ns + high_ns) // 2 // SECOND_NS * SECOND_NS
        if offset(middle_ns) == offset(start_ns):
            low_ns = middle_ns
        else:
            high_ns = middle_ns
    return [high_ns]
