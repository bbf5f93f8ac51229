"""The library: seven days in the life of a rack of twelve, each with 36 loads.

| scenario | what it shows |
|---|---|
| sunny-day | a panel that gives more at noon than anybody asks for, a tariff by the hour |
| cloudy-day | the same under clouds: prices that jump from minute to minute |
| evening-peak | no sun, a battery, and an evening that costs three times the night |
| price-spike | prices by the hour, and 90 minutes in the evening at many times the usual |
| negative-noon | at noon somebody pays to be relieved; waste is capped |
| black-start | a small feed is lost each evening, and comes back with everybody waiting |
| greedy-node | one node takes more than it bids, and now and then what it was refused |
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime

from rackgrid.market.battery import Battery
from rackgrid.market.modulating import Level, ladder
from rackgrid.market.tariff import Interval, Prices, Slots, TimeOfUse, Zone
from rackgrid.market.temperature import Model
from rackgrid.market.thermal import Bounds
from rackgrid.simulation.scenario.load import Load
from rackgrid.simulation.scenario.work import (
    DAY_MINUTES,
    MINUTE_NS,
    PRICE_CAP_UC,
    Dimmed,
    Due,
    Kept,
    Steady,
    Task,
    Work,
)

NODES = 12
EPOCH_NS = int(datetime(2026, 6, 15, tzinfo=UTC).timestamp()) * 1_000_000_000
"""A Monday."""
HOUR_NS = 60 * MINUTE_NS
WEEK = frozenset(range(7))
SUN_UC = 20_000
"""Wear of the panel's converter, per kWh."""
BASE_MW = 1_500
"""A small board's own electronics."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a rack lives through.

    Attributes:
        capacity_mw, reserve_mw: of the feed, and what the market leaves of it.
        tariff: of the grid; reference_uc: of a plain contract, per kWh.
        sun_mw, cover_permille: a panel's peak, and how often there is a cloud.
        battery: None without one.
        lost: minutes of the day without a feed.
        greedy: number of the node that takes more than it bids; 0: none.
        burn_max_mw: the most that a node may take only because it is paid for.
    """

    name: str
    tariff: Prices
    reference_uc: int = 300_000
    capacity_mw: int = 300_000
    reserve_mw: int = 20_000
    sun_mw: int = 0
    cover_permille: int = 0
    battery: Battery | None = None
    lost: range = range(0)
    greedy: int = 0
    burn_max_mw: int = 10_000


@dataclass(slots=True)
class Node:
    """A node with its loads.

    Attributes:
        number: from 1.
        required_mw: nameplate of its required load.
        counter_mj: what the board and the required load have taken.
    """

    number: int
    required_mw: int
    loads: list[Load]
    counter_mj: int = 0

    @property
    def name(self) -> str:
        """Its name."""
        return f"node-{self.number:02}"

    @property
    def floor_mw(self) -> int:
        """What it may draw unconditionally."""
        return BASE_MW + self.required_mw


def names() -> tuple[str, ...]:
    """List the scenarios."""
    return tuple(_LIBRARY)


def scenario(name: str) -> Scenario:
    """Look up a scenario.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return _LIBRARY[name]
    except KeyError:
        known = ", ".join(_LIBRARY)
        raise ValueError(f"there is no scenario {name!r}; there are: {known}") from None


def nodes(chance: random.Random) -> list[Node]:
    """Build the rack: the same four kinds of nodes three times, each a little different."""
    return [
        Node(number, chance.randint(1_000, 2_000), _loads(number, chance))
        for number in range(1, NODES + 1)
    ]


def _loads(number: int, chance: random.Random) -> list[Load]:
    def about(value: int) -> int:
        return value * chance.randint(85, 115) // 100

    def load(name: str, power_mw: int, work: Work, min_on: int = 10, min_off: int = 10) -> Load:
        return Load(f"{name}-{number:02}", work, power_mw, min_on, min_off)

    match number % 4:
        case 0:
            power = about(12_000)
            levels = tuple(
                Level(power * part // 4, _HOURLY[part] * power // 12_000) for part in (1, 2, 4)
            )
            return [
                load("heater", nominal := about(14_000), _heater(nominal, chance), 30, 30),
                load("fan", power, Dimmed(ladder(levels, PRICE_CAP_UC))),
            ]
        case 1:
            return [
                load("fridge", nominal := about(9_000), _fridge(nominal, chance), 30, 30),
                load("charger", about(20_000), Due(about(60 * 3_600_000), 7 * 60, 19 * 60)),
            ]
        case 2:
            return [
                load("transcode", about(12_000), Task(about(2_000)), 20, 10),
                load("pump", about(16_000), Due(about(40 * 3_600_000), 6 * 60, 20 * 60)),
            ]
        case _:
            backup = Due(about(40 * 3_600_000), 20 * 60, 6 * 60)
            return [
                load("batch", about(15_000), Task(about(3_800), 45)),
                load("backup", about(16_000), backup)
                if number == BACKUP
                else load("lamp", about(10_000), Steady(about(120_000)), 20, 10)
                if number != DUMP
                else load("dump", about(9_000), Steady(-20_000), 20, 10),
            ]


BACKUP = 11
"""The node that makes backups at night."""
DUMP = 7
"""The node with a resistor that is of use only to who is paid for it."""
_HOURLY = {1: 1_500, 2: 2_200, 4: 2_600}
"""What an hour of a fan is worth at a quarter, a half and all of 12 W, uc."""


def _fridge(nominal_mw: int, chance: random.Random) -> Kept:
    bounds = Bounds(2_000, 8_000, cools=True, worth_uc=350_000)
    model = Model(24_000, -14_000, 24 * HOUR_NS, HOUR_NS)
    return Kept(bounds, model, nominal_mw, chance.randint(4_000, 7_000))


def _heater(nominal_mw: int, chance: random.Random) -> Kept:
    bounds = Bounds(36_000, 48_000, cools=False, worth_uc=350_000)
    model = Model(18_000, 75_000, 24 * HOUR_NS, HOUR_NS)
    return Kept(bounds, model, nominal_mw, chance.randint(38_000, 45_000))


def _by_hour(night_uc: int, day_uc: int, evening_uc: int) -> TimeOfUse:
    zones = (
        Zone(WEEK, 22 * 3600, 6 * 3600, night_uc),
        Zone(WEEK, 17 * 3600, 21 * 3600, evening_uc),
    )
    return TimeOfUse(zones, day_uc, UTC)


def _slots(*hours: tuple[int, int, int]) -> Slots:
    """Prices of sixty days by spans of the day: (from, until, price), in minutes and uc."""
    found = [
        Interval(
            EPOCH_NS + (day * DAY_MINUTES + begin) * MINUTE_NS,
            EPOCH_NS + (day * DAY_MINUTES + end) * MINUTE_NS,
            price_uc,
        )
        for day in range(DAYS_MAX + 1)
        for begin, end, price_uc in hours
    ]
    return Slots(tuple(found))


DAYS_MAX = 60

_BATTERY = Battery(
    low_mj=40 * 3_600_000,
    high_mj=400 * 3_600_000,
    buys_mw=80_000,
    sells_mw=80_000,
    efficiency_permille=900,
    wear_uc=30_000,
    range_uc=(180_000, 540_000),
)
_SPIKE = _slots(
    (0, 360, 180_000), (360, 1080, 300_000), (1080, 1170, 4_000_000), (1170, 1440, 320_000)
)
_NEGATIVE = _slots(
    (0, 420, 240_000), (420, 660, 200_000), (660, 840, -60_000), (840, 1440, 310_000)
)

_LIBRARY = {
    each.name: each
    for each in (
        Scenario("sunny-day", _by_hour(220_000, 310_000, 420_000), sun_mw=260_000),
        Scenario(
            "cloudy-day", _by_hour(220_000, 310_000, 420_000), sun_mw=200_000, cover_permille=600
        ),
        Scenario("evening-peak", _by_hour(180_000, 280_000, 540_000), battery=_BATTERY),
        Scenario("price-spike", _SPIKE),
        Scenario("negative-noon", _NEGATIVE, sun_mw=100_000),
        Scenario(
            "black-start",
            _by_hour(220_000, 300_000, 380_000),
            capacity_mw=170_000,
            reserve_mw=16_000,
            lost=range(22 * 60, 22 * 60 + 25),
        ),
        Scenario(
            "greedy-node",
            _by_hour(220_000, 310_000, 420_000),
            sun_mw=200_000,
            capacity_mw=220_000,
            reserve_mw=40_000,
            greedy=2,
        ),
    )
}
