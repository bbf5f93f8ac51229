"""A battery that trades: what its meter shows becomes what it offers, and what its charger bids.

What is in it is counted at least (`market.charge`) and kept on the disk, so that a restart does not
begin with nothing: what it may have given while nobody looked is taken off. It offers no more than
it can hold for ten minutes, and nothing while it takes: a battery that is charged from the feed
gives that feed nothing. It offers nothing either while its meter is silent or its volts are down.

Its prices move with every joule; what was said stands until it is a fiftieth off, so that a battery
clears no market by trembling. Once full it buys again only when a twentieth is missing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import cast

from rackgrid.adapters.aside import Aside
from rackgrid.config import BatteryConfig
from rackgrid.config_units import microcurrency, milliwatts
from rackgrid.market.battery import NO_TRADE, WHOLE, Battery, Trade, traded
from rackgrid.market.charge import Charge, Pack, Sight, charged, unseen
from rackgrid.market.offer import Offer
from rackgrid.market.tariff import Interval
from rackgrid_firmware.device import Accuracy, Quality, Reading

HOLD_NS = 600_000_000_000
"""What is offered can be given for so long."""
KEEP_NS = 60_000_000_000
"""What is in it is kept this often."""
STALE_NS = 2_000_000_000
"""A meter that has said nothing for so long proves nothing, ns."""
MOVED = 50
"""A price that has moved by a fiftieth is news."""
STEPS = 20
"""The offered power goes in twentieths, rounded down; and once full it waits for as much."""
DOUBT_MW, DOUBT_SHARE = 100, 20
"""Of a meter whose accuracy nobody knows: so much, and a twentieth of what it shows."""
MJ_PER_WH = 3_600_000

_log = logging.getLogger("rackgrid.battery")


class Accumulator:
    """One battery of this node.

    Args:
        name: of its source.
        config: of the battery.
        power_w: the most that it gives, W.
        shelf: the file that keeps what is in it; None keeps nothing.
        kernel: boot id of the running kernel: its meter's counter and the monotonic clock are both
            its.
        wall_ns: Unix time, ns; None while the clock is not set.
    """

    def __init__(
        self,
        name: str,
        config: BatteryConfig,
        power_w: float,
        shelf: Path | None,
        kernel: str,
        wall_ns: Callable[[], int | None],
    ) -> None:
        self._name = name
        self._pack = pack_of(config, power_w)
        self._shelf = None if shelf is None else Aside(shelf, self._not_kept)
        self._kernel = kernel
        self._wall_ns = wall_ns
        self._charge: Charge | None = None
        self._kept: tuple[int, int] | None = None
        """What another kernel's boot knew, mJ, and when, Unix time; waits for the clock."""
        self._kept_ns: int | None = None
        self._gives = False
        self._is_blind = False
        """Its meter was at its end stop: what it gave meanwhile was that much or more."""
        self._fills = True
        self._offer = Offer(name, 0, 0)
        self._buys_uc: int | None = None
        if shelf is not None:
            self._read(shelf)

    def take(self, reading: Reading, accuracy: Accuracy | None) -> None:
        """See what its meter shows."""
        if reading.quality is not Quality.FRESH or not isfinite(reading.watts):
            self._gives = False
            self._is_blind |= reading.quality is Quality.SATURATED
            return
        sight = sight_of(reading, accuracy)
        before = self._charge
        if before is not None and sight.at_ns < before.seen_ns:
            return
        if before is not None and self._is_blind:
            left_mj = unseen(self._pack.battery, before.least_mj, sight.at_ns - before.seen_ns)
            before = replace(before, least_mj=left_mj, seen_ns=sight.at_ns)
        self._is_blind = False
        self._charge = charged(self._pack, before, sight)
        self._recall()
        takes = sight.power_mw < -sight.doubt_mw
        self._gives = not takes and sight.volts_mv > self._pack.empty_mv

    def look(self, now_ns: int, known: Sequence[Interval]) -> None:
        """Make what it offers and bids, and keep what is in it.

        Args:
            now_ns: CLOCK_MONOTONIC, ns.
            known: prices ahead.
        """
        charge = self._charge
        if charge is None or now_ns - charge.seen_ns >= STALE_NS:
            self._gives = False
        least_mj = 0 if charge is None else charge.least_mj
        trade = traded(self._pack.battery, least_mj, HOLD_NS, known)
        self._say(trade)
        self._buys_uc = self._purchase_uc(trade, least_mj)
        if charge is not None and (self._kept_ns is None or now_ns - self._kept_ns >= KEEP_NS):
            self._kept_ns = now_ns
            self.keep()

    def offer(self) -> Offer:
        """Say what it offers; nothing from one moment to the next if it no longer gives."""
        return self._offer if self._gives else Offer(self._name, self._offer.price_uc, 0)

    @property
    def buys_uc(self) -> int | None:
        """The highest price at which it is charged, uc per kWh; None: it wants nothing."""
        return self._buys_uc

    @property
    def share(self) -> float:
        """How full it is at least, of what it may hold, 0 to 1."""
        least_mj = 0 if self._charge is None else self._charge.least_mj
        return least_mj / self._pack.battery.high_mj

    def keep(self) -> None:
        """Keep what is in it, beside the loop."""
        charge = self._charge
        if self._shelf is None or charge is None:
            return
        kept = {
            "kernel": self._kernel,
            "least_mj": charge.least_mj,
            "counter_mj": charge.counter_mj,
            "seen_ns": charge.seen_ns,
            "wall_ns": self._wall_ns(),
        }
        self._shelf.write(json.dumps(kept).encode())

    def close(self) -> None:
        """Keep what is in it, and wait for that: the process is about to end."""
        self.keep()
        self.settle()

    def settle(self) -> None:
        """Wait until what was to be kept is kept."""
        if self._shelf is not None:
            self._shelf.settle()

    def _say(self, trade: Trade) -> None:
        step_mw = max(1, self._pack.battery.sells_mw // STEPS)
        sells_mw = trade.sells_mw // step_mw * step_mw
        said_uc, price_uc = self._offer.price_uc, trade.sells_uc
        if trade == NO_TRADE:
            sells_mw, price_uc = 0, said_uc
        if sells_mw == self._offer.power_mw and abs(price_uc - said_uc) * MOVED < abs(said_uc):
            return
        self._offer = Offer(self._name, price_uc, sells_mw)

    def _purchase_uc(self, trade: Trade, least_mj: int) -> int | None:
        battery = self._pack.battery
        missing_mj = battery.high_mj - least_mj
        if missing_mj <= 0:
            self._fills = False
        elif missing_mj * STEPS >= battery.high_mj - battery.low_mj:
            self._fills = True
        return trade.buys_uc if trade != NO_TRADE and self._fills else None

    def _recall(self) -> None:
        """Believe what another boot knew, as soon as it is known how long ago that was."""
        wall_ns = self._wall_ns()
        if self._kept is None or self._charge is None or wall_ns is None:
            return
        least_mj, then_ns = self._kept
        self._kept = None
        if wall_ns < then_ns:
            return
        left_mj = unseen(self._pack.battery, least_mj, wall_ns - then_ns)
        charge = self._charge
        left_mj = max(charge.least_mj, left_mj)
        self._charge = Charge(left_mj, charge.counter_mj, charge.seen_ns)

    def _read(self, shelf: Path) -> None:
        try:
            kept = _parsed(json.loads(shelf.read_bytes()))
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as fault:
            _log.warning(
                "%s: battery %s counts as empty until it is full: %s", *(shelf, self._name, fault)
            )
            return
        kernel, least_mj, counter_mj, seen_ns, wall_ns = kept
        least_mj = min(least_mj, self._pack.battery.high_mj)
        if kernel == self._kernel:
            self._charge = Charge(least_mj, counter_mj, seen_ns)
        elif wall_ns is not None:
            self._kept = least_mj, wall_ns

    def _not_kept(self, fault: str) -> None:
        _log.warning("battery %s would count as emptier after a restart: %s", self._name, fault)


def pack_of(config: BatteryConfig, power_w: float) -> Pack:
    """Put a battery into integers; what it can hold and give is rounded down."""
    whole_mj = round(config.capacity_wh * MJ_PER_WH)
    battery = Battery(
        low_mj=round(whole_mj * config.low_percent / 100),
        high_mj=round(whole_mj * config.high_percent / 100),
        buys_mw=milliwatts(power_w),
        sells_mw=milliwatts(power_w),
        efficiency_permille=int(config.efficiency_percent * WHOLE / 100),
        wear_uc=microcurrency(config.wear),
        range_uc=(microcurrency(config.price_low), microcurrency(config.price_high)),
    )
    return Pack(battery, round(config.full_v * 1000), round(config.empty_v * 1000))


def sight_of(reading: Reading, accuracy: Accuracy | None) -> Sight:
    """Read a meter: its power, and how far that may be off."""
    power_mw = round(reading.watts * 1000)
    doubt_mw = DOUBT_MW + abs(power_mw) // DOUBT_SHARE
    if accuracy is not None:
        doubt_mw = round(accuracy.of_watts(reading.volts, reading.amps) * 1000) + 1
    volts_mv = round(reading.volts * 1000)
    return Sight(reading.t_ns, reading.energy_mj, power_mw, volts_mv, doubt_mw)


def _parsed(kept: object) -> tuple[str, int, int, int, int | None]:
    if not isinstance(kept, dict):
        raise ValueError("no object")
    fields = cast("dict[str, object]", kept)
    names = ("kernel", "least_mj", "counter_mj", "seen_ns", "wall_ns")
    match [fields.get(name) for name in names]:
        case [str(kernel), int(least), int(counter), int(seen), int() | None as wall] if least >= 0:
            return kernel, least, counter, seen, wall
        case _:
            raise ValueError(f"needs {', '.join(names)}")
