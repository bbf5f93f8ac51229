"""Yesterday: how the feed stood in each quarter of an hour of the last day, for `market.forecast`.

Every ten seconds this node looks at what it knows of the rack anyway: the price in force, what the
broker announced of the feed, which loads are on and what they are worth by their nodes' beacons,
and the offers that it knows. From that comes what a kWh would have cost each load of its own that
has a deadline. A quarter of an hour that was seen for less than half of its time (a start, a gap
without a price, a clock that was set) is not remembered, and what is older than a day is forgotten.

What is remembered is one small file, written as a whole beside the loop, four times an hour. One
that is damaged is set aside; then, as on a new rack and while the clock is not set, nothing is
expected, and loads plan by the tariff alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from rackgrid.adapters.aside import Aside
from rackgrid.adapters.store import set_aside
from rackgrid.core.settings import SECOND_NS
from rackgrid.core.view import View
from rackgrid.market.forecast import (
    DAY_NS,
    SLOT_NS,
    Glance,
    Slot,
    Taker,
    cost_uc,
    enough_uc,
    expected,
)
from rackgrid.market.offer import Offer
from rackgrid.market.tariff import Interval

YESTERDAY: Final = "yesterday.json"
"""The file below the node's `state_dir`."""
EVERY_NS: Final = 10 * SECOND_NS
"""Between two looks at the rack, ns."""
LOOKS_MIN: Final = SLOT_NS // EVERY_NS // 2
"""A slot with fewer looks is not remembered."""
SLOTS_MAX: Final = DAY_NS // SLOT_NS + 1
"""A day of them, and the one that has just begun a day ago."""
BYTES_MAX: Final = 256 * 1024
"""Longest file that is read, bytes: sixteen loads make a tenth of it."""
WAITS: Final = frozenset({"flexible", "modulating", "task", "charger"})
"""Kinds that give way at their worth; the others come back dearer, or never left."""
_FORMAT: Final = "rackgrid yesterday 1"

_log = logging.getLogger("rackgrid.plan")


@dataclass(slots=True)
class _Open:
    """The slot that is being looked at."""

    start_ns: int
    tariffs_uc: list[int | None] = field(default_factory=list[int | None])
    rooms_mw: list[int] = field(default_factory=list[int])
    costs_uc: dict[str, list[int | None]] = field(default_factory=dict[str, list[int | None]])

    def closed(self) -> Slot | None:
        """What is remembered of it; None if it was not seen for long enough."""
        if len(self.rooms_mw) < LOOKS_MIN:
            return None
        costs = {
            load: enough_uc(seen) for load, seen in self.costs_uc.items() if len(seen) >= LOOKS_MIN
        }
        tariff_uc = None if None in self.tariffs_uc else enough_uc(self.tariffs_uc)
        rooms = sorted(self.rooms_mw, reverse=True)
        return Slot(self.start_ns, tariff_uc, rooms[-(-3 * len(rooms) // 4) - 1], costs)


class Yesterday:
    """What is remembered, and what follows from it for today.

    Args:
        rack: how this node sees the rack now.
        price_cap_uc: what a load bids that has to run, uc per kWh.
        shelf: the file that keeps it over a restart.
    """

    def __init__(self, rack: Callable[[], View], price_cap_uc: int, shelf: Path) -> None:
        self._rack = rack
        self._cap_uc = price_cap_uc
        self._shelf = Aside(shelf, _not_kept)
        self._slots = _read(shelf)
        self._open: _Open | None = None
        self._looked_ns: int | None = None

    def look(
        self,
        now_ns: int,
        wall_ns: int | None,
        known: Sequence[Interval],
        powers_mw: Mapping[str, int],
        running: frozenset[str],
    ) -> None:
        """See how the feed stands; cheap between two looks (`EVERY_NS`).

        Args:
            now_ns: CLOCK_MONOTONIC, ns.
            wall_ns: Unix time, ns; None while the clock is not set.
            known: prices by the tariff, in order and apart.
            powers_mw: what each load with a deadline takes, mW.
            running: those that are on.
        """
        if self._looked_ns is not None and now_ns - self._looked_ns < EVERY_NS:
            return
        self._looked_ns = now_ns
        if wall_ns is None:
            self._open = None
            return
        start_ns = wall_ns // SLOT_NS * SLOT_NS
        if self._open is not None and self._open.start_ns != start_ns:
            self._close(self._open, wall_ns)
            self._open = None
        glance = glance_at(self._rack())
        if glance is None:
            return
        if self._open is None:
            self._open = _Open(start_ns)
        said = (each.price_uc for each in known if each.start_ns <= wall_ns < each.end_ns)
        self._open.tariffs_uc.append(next(said, None))
        self._open.rooms_mw.append(glance.room_mw)
        for load, power_mw in powers_mw.items():
            cost = cost_uc(glance, power_mw, self._cap_uc, running=load in running)
            self._open.costs_uc.setdefault(load, []).append(cost)

    def expected(
        self, load: str, from_ns: int, until_ns: int, known: Sequence[Interval]
    ) -> tuple[Interval, ...] | None:
        """As `market.forecast.expected`."""
        return expected(known, self._slots, load, from_ns, until_ns)

    def close(self) -> None:
        """Wait until what is to be kept is kept: the process is about to end."""
        self._shelf.settle()

    def _close(self, was: _Open, wall_ns: int) -> None:
        slot = was.closed()
        if slot is not None:
            self._slots[slot.start_ns] = slot
        # A clock that was put back leaves slots behind that are still to come: they go, too.
        oldest_ns = wall_ns - DAY_NS - SLOT_NS
        self._slots = {at: each for at, each in self._slots.items() if oldest_ns < at < wall_ns}
        assert len(self._slots) <= SLOTS_MAX, "a day has so many slots"
        if slot is not None:
            self._shelf.write(_text(self._slots))


def glance_at(view: View) -> Glance | None:
    """See how the feed stands; None while no price is in force, or it is an older broker's."""
    price, feed = view.price, view.feed
    drawn_w, granted_w = feed.drawn_w, feed.granted_w
    if price.value is None or price.term != view.term or drawn_w is None or granted_w is None:
        return None
    takers = [
        Taker(round(load.worth * 1e6), _milli(max(load.grant_w, load.watts)))
        for load in view.loads
        if load.on and load.worth is not None and load.kind in WAITS
    ]
    offers = [
        Offer(each.name, round(each.price * 1e6), _milli(each.power_w)) for each in view.sources
    ]
    return Glance(
        price_uc=round(price.value * 1e6),
        drawn_mw=_milli(drawn_w),
        taken_mw=_milli(max(drawn_w, feed.floors_w + granted_w)),
        capacity_mw=_milli(feed.capacity_w),
        takers=tuple(takers),
        offers=tuple(offers),
    )


def _milli(whole: float) -> int:
    return round(whole * 1000)


def _not_kept(fault: str) -> None:
    _log.warning("a restart would forget how the feed stood yesterday: %s", fault)


def _text(slots: Mapping[int, Slot]) -> bytes:
    kept = [
        [each.start_ns // SECOND_NS, each.tariff_uc, each.room_mw, each.costs_uc]
        for _, each in sorted(slots.items())
    ]
    return json.dumps({"format": _FORMAT, "slots": kept}, separators=(",", ":")).encode()


def _read(shelf: Path) -> dict[int, Slot]:
    """Read what is remembered; what cannot be read is forgotten, and said."""
    try:
        with shelf.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        return {}
    except OSError as fault:
        _log.warning("cannot read %s: %s: loads plan by the tariff alone", shelf, fault.strerror)
        return {}
    try:
        return _parsed(cast("object", json.loads(data)))
    except (ValueError, RecursionError) as fault:
        _log.warning("%s: %s: loads plan by the tariff alone for a day", shelf, fault)
        set_aside(shelf)
        return {}


def _parsed(kept: object) -> dict[int, Slot]:
    fields = cast("dict[str, object]", kept) if isinstance(kept, dict) else {}
    slots = fields.get("slots")
    if fields.get("format") != _FORMAT or not isinstance(slots, list):
        raise ValueError(f"not {_FORMAT}")
    found = [_parsed_slot(each) for each in cast("list[object]", slots)]
    if len(found) > SLOTS_MAX:
        raise ValueError(f"{len(found)} slots; a day has {SLOTS_MAX - 1}")
    return {slot.start_ns: slot for slot in found}


def _parsed_slot(kept: object) -> Slot:
    fields = cast("list[object]", kept) if isinstance(kept, list) else []
    match fields:
        case [int(start_s), int() | None as tariff_uc, int(room_mw), costs]:
            return Slot(start_s * SECOND_NS, tariff_uc, room_mw, _parsed_costs(costs))
        case _:
            raise ValueError("a slot has a start, a tariff, its room and costs")


def _parsed_costs(kept: object) -> dict[str, int | None]:
    if not isinstance(kept, dict):
        raise ValueError("costs are an object")
    costs: dict[str, int | None] = {}
    for load, cost in cast("dict[str, object]", kept).items():
        if cost is not None and not isinstance(cost, int):
            raise ValueError(f"the cost of {load[:40]!r} is no whole number")
        costs[load] = cost
    return costs
