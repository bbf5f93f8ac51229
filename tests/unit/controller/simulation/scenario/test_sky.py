"""The sky and the prices: light by day, clouds by chance, and yesterday as a guide."""

from __future__ import annotations

import random
from itertools import pairwise

from rackgrid.market.tariff import Flat, Interval, Slots
from rackgrid.simulation.scenario.sky import (
    SLOTS,
    SUNRISE,
    SUNSET,
    expected,
    shades,
    sun_mw,
)
from rackgrid.simulation.scenario.work import DAY_MINUTES, MINUTE_NS


def test_sun_rises_to_its_peak_at_one_and_sets() -> None:
    curve = [sun_mw(100_000, minute, 0) for minute in range(DAY_MINUTES)]
    assert max(curve) == curve[(SUNRISE + SUNSET) // 2] == 100_000
    assert not any(curve[:SUNRISE])
    assert not any(curve[SUNSET:])
    assert curve == [sun_mw(100_000, DAY_MINUTES + minute, 0) for minute in range(DAY_MINUTES)]
    assert sun_mw(100_000, 13 * 60, 750) == 25_000


def test_shades_cover_as_much_as_is_asked() -> None:
    clear = shades(random.Random(1), 7, 0)
    cloudy = shades(random.Random(1), 7, 600)
    assert len(clear) == len(cloudy) == 7 * DAY_MINUTES
    assert max(clear) <= 80
    share = sum(shade >= 600 for shade in cloudy) / len(cloudy)
    assert 0.5 < share < 0.7


def test_expected_is_the_tariff_and_what_was_cheaper_yesterday() -> None:
    yesterday: list[int | None] = [None] * SLOTS
    yesterday[1], yesterday[2] = 10, 900
    known = expected(Flat(300), 0, 0, yesterday)
    assert [each.price_uc for each in known[:4]] == [300, 10, 300, 300]
    assert len(known) == SLOTS
    assert all(a.end_ns == b.start_ns for a, b in pairwise(known))


def test_expected_leaves_out_what_nobody_knows() -> None:
    slots = Slots((Interval(0, 15 * MINUTE_NS, 5),))
    assert expected(slots, 0, 0, [None] * SLOTS) == (Interval(0, 15 * MINUTE_NS, 5),)
    yesterday: list[int | None] = [None, 7, *[None] * (SLOTS - 2)]
    assert [each.price_uc for each in expected(slots, 0, 0, yesterday)] == [5, 7]
