"""What comes from outside: the sun with its clouds, prices by the hour, and prices to expect."""

from __future__ import annotations

import random
from collections.abc import Sequence

from rackgrid.market.tariff import Interval, Prices
from rackgrid.simulation.scenario.work import DAY_MINUTES, MINUTE_NS

SUNRISE, SUNSET = 6 * 60, 20 * 60
SLOT = 15
SLOTS = DAY_MINUTES // SLOT
CLOUD = 12
"""A cloud stays for so many minutes."""


def sun_mw(peak_mw: int, minute: int, shade_permille: int) -> int:
    """What a panel gives in a minute: a parabola from six to eight, less what clouds take."""
    of_day = minute % DAY_MINUTES
    if not SUNRISE <= of_day < SUNSET:
        return 0
    half = (SUNSET - SUNRISE) // 2
    clear = peak_mw * (of_day - SUNRISE) * (SUNSET - of_day) // (half * half)
    return clear * (1000 - shade_permille) // 1000


def shades(chance: random.Random, days: int, cover_permille: int) -> tuple[int, ...]:
    """What clouds take of the sun, of 1000, for every minute of some days.

    Args:
        cover_permille: how often there is a cloud.
    """
    found: list[int] = []
    while len(found) < days * DAY_MINUTES:
        is_cloudy = chance.randrange(1000) < cover_permille
        shade = chance.randint(600, 900) if is_cloudy else chance.randint(0, 80)
        found += [shade] * chance.randint(CLOUD // 2, CLOUD * 2)
    return tuple(found[: days * DAY_MINUTES])


def expected(
    tariff: Prices, epoch_ns: int, minute: int, yesterday_uc: Sequence[int | None]
) -> tuple[Interval, ...]:
    """What a kWh will cost for a day ahead, by the quarter of an hour.

    The tariff is known; that the sun made it cheaper yesterday is the best guess that it will
    today. Nothing better than yesterday is asked of anybody.

    Args:
        epoch_ns: Unix time of the scenario's first midnight.
        minute: since then; a whole slot.
        yesterday_uc: mean price of each slot of the last 24 hours, by its place in the day.
    """
    found: list[Interval] = []
    for start in range(minute, minute + DAY_MINUTES, SLOT):
        price_uc = tariff.price_at(epoch_ns + start * MINUTE_NS)
        seen_uc = yesterday_uc[start % DAY_MINUTES // SLOT]
        if price_uc is None:
            price_uc = seen_uc
        elif seen_uc is not None:
            price_uc = min(price_uc, seen_uc)
        if price_uc is not None:
            found.append(Interval(start * MINUTE_NS, (start + SLOT) * MINUTE_NS, price_uc))
    return tuple(found)
