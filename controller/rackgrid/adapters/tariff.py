"""From the sources that a node speaks for to the offers that it makes.

A source's price is fixed, or stands in a file that something else writes (a script that fetches the
day-ahead prices, a line in crontab). Its power is fixed, or is what a meter sees it give. The file
is looked at by its modification time, inode and size, four times a second and without a thread; it
is read only when they changed, and it is small.

The file is one of two things:

    {"price": 0.31, "power_w": null}                    from now on, until it changes
    [{"start": "2026-03-01T12:00:00Z",
      "end": "2026-03-01T12:15:00Z", "value": 0.31}]    RFC 3339, start included, end excluded

A file that cannot be understood changes nothing: what was read before holds until its end, and one
line says so. Where the file says nothing about now (before its first reading, in a gap, while the
clock is not set), the price of the configuration holds: the operator stands for that one, while a
price that has ended is nobody's.

A metered source must never be offered for more than it gives, and a noisy meter must not move the
market at each sample: the offer follows the meter down at once, and up only when the difference is
worth a round.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

from rackgrid.config import SourceConfig
from rackgrid.config_units import microcurrency, milliwatts
from rackgrid.market.offer import Offer
from rackgrid.wire.message import OFFERS_MAX
from rackgrid_firmware.device import Quality, Reading

POLL_NS = 250_000_000
"""Files are looked at no more often, ns."""
FILE_MAX = 1024 * 1024
"""Longest tariff file, bytes: a year of quarter hours is three times that, a month a quarter."""
INTERVALS_MAX = 10_000
PRICE_MAX = 1e6
POWER_W_MAX = 1e6
STALE_NS = 2_000_000_000
"""A meter that has said nothing for this long sees nothing, ns."""
QUANTUM_MW = 50
"""Metered offers are multiples of this, rounded down, mW."""
RISE_MW = 250
RISE_PERCENT = 2
"""A metered offer rises when the meter shows this much more, in mW and in per cent of the offer."""

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
"""What JSON can hold."""

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_log = logging.getLogger("rackgrid.tariff")


@dataclass(frozen=True, slots=True)
class Interval:
    """A price with a beginning and an end, in ns of Unix time; the end is excluded."""

    start_ns: int
    end_ns: int
    price_uc: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a tariff file says.

    Attributes:
        price_uc: the price at any time; None if it depends on the time.
        power_mw: the most that the source gives now; None if the file does not say.
        intervals: the prices by time, in order and apart.
    """

    price_uc: int | None
    power_mw: int | None
    intervals: tuple[Interval, ...]

    def price_at(self, wall_ns: int | None) -> int | None:
        """Give the price at a wall time; None where the file does not say, or the time is unknown.

        Args:
            wall_ns: Unix time, ns; None while the clock is not set.
        """
        if self.price_uc is not None or wall_ns is None:
            return self.price_uc
        at = bisect_right(self.intervals, wall_ns, key=lambda interval: interval.start_ns) - 1
        if at < 0 or wall_ns >= self.intervals[at].end_ns:
            return None
        return self.intervals[at].price_uc


class Sources:
    """Every source that this node speaks for, and what they offer together."""

    def __init__(
        self,
        configs: Sequence[SourceConfig],
        capacity_w: float,
        wall_ns: Callable[[], int | None] = time.time_ns,
    ) -> None:
        """Prepare; nothing is read before the first `poll`.

        Args:
            configs: of the sources.
            capacity_w: of the feed: what a source without a limit of its own gives, W.
            wall_ns: Unix time, ns; None while the clock is not set.
        """
        assert len(configs) <= OFFERS_MAX, "a node speaks for a limited number of sources"
        self._sources = [_Source(config, milliwatts(capacity_w)) for config in configs]
        self._wall_ns = wall_ns
        self._looked_ns: int | None = None
        self._offers: tuple[Offer, ...] | None = None

    def poll(self, now_ns: int) -> tuple[Offer, ...] | None:
        """Look at files, clock and meters; give all offers if any of them changed, else None.

        Cheap between two looks (`POLL_NS`); call it as often as is convenient.

        Args:
            now_ns: CLOCK_MONOTONIC, ns.
        """
        if self._looked_ns is not None and now_ns - self._looked_ns < POLL_NS:
            return None
        self._looked_ns = now_ns
        for source in self._sources:
            source.look(now_ns)
        return self._changed()

    def metered(self, readings: Iterable[Reading]) -> tuple[Offer, ...] | None:
        """Take the newest readings; give all offers if any of them changed, else None."""
        by_meter = {reading.meter: reading for reading in readings}
        for source in self._sources:
            reading = by_meter.get(source.meter)
            if reading is not None:
                source.take(reading)
        return self._changed()

    def _changed(self) -> tuple[Offer, ...] | None:
        wall_ns = self._wall_ns()
        offers = tuple(source.offer(wall_ns) for source in self._sources)
        if offers == self._offers:
            return None
        self._offers = offers
        return offers


class _Source:
    """One source: its configuration, what its file says and what its meter sees."""

    def __init__(self, config: SourceConfig, capacity_mw: int) -> None:
        self.meter = config.meter
        self._name = config.name
        self._price_uc = microcurrency(config.price)
        self._power_mw = milliwatts(config.power_w) or capacity_mw
        self._path = config.tariff_file
        self._signature: tuple[int, int, int] | None = None
        self._tariff: Tariff | None = None
        self._complaint = ""
        self._by_file = False
        self._metered_mw = 0
        self._read_ns: int | None = None

    def look(self, now_ns: int) -> None:
        """Read the file if it changed, and notice a meter that has gone silent."""
        if self._path is not None:
            self._look_at(self._path)
        if self._read_ns is not None and now_ns - self._read_ns >= STALE_NS:
            self._metered_mw = 0

    def take(self, reading: Reading) -> None:
        """Let the offer follow the meter: down at once, up by a step that matters."""
        self._read_ns = reading.t_ns
        gives_mw = 0
        if reading.quality is not Quality.STALE and math.isfinite(reading.watts):
            gives_mw = max(0, milliwatts(reading.watts)) // QUANTUM_MW * QUANTUM_MW
        rise_mw = max(RISE_MW, self._metered_mw * RISE_PERCENT // 100)
        if gives_mw < self._metered_mw or gives_mw > self._metered_mw + rise_mw:
            self._metered_mw = gives_mw

    def offer(self, wall_ns: int | None) -> Offer:
        """Say what the source offers at this wall time."""
        price_uc = None if self._tariff is None else self._tariff.price_at(wall_ns)
        self._say_whose_price(price_uc is not None)
        power_mw = self._power_mw
        if self._tariff is not None and self._tariff.power_mw is not None:
            power_mw = self._tariff.power_mw
        if self.meter:
            power_mw = min(power_mw, self._metered_mw)
        return Offer(self._name, self._price_uc if price_uc is None else price_uc, power_mw)

    def _look_at(self, path: Path) -> None:
        try:
            found = os.stat(path)
            signature = (found.st_mtime_ns, found.st_ino, found.st_size)
            if signature == self._signature:
                return
            # Noted before it is read: a file that changes meanwhile is read again.
            self._signature = signature
            self._tariff = parse_tariff(_read(path))
        except (OSError, ValueError, RecursionError) as error:
            self._complain(str(error))
            return
        self._complaint = ""

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            _log.warning(
                "source %s: tariff file %s is not used as it is now: %s",
                self._name,
                self._path,
                complaint,
            )

    def _say_whose_price(self, by_file: bool) -> None:
        if self._path is None or by_file == self._by_file:
            return
        self._by_file = by_file
        whose = "the file's" if by_file else "the configuration's: the file does not cover now"
        _log.info("source %s: the price is %s", self._name, whose)


def parse_tariff(text: bytes) -> Tariff:
    """Read a tariff file's content.

    Raises:
        ValueError: it is not one of the two forms; says what and where.
    """
    content: Value = json.loads(text, parse_constant=_refuse_constant)
    if isinstance(content, dict):
        return _parse_now(content)
    if isinstance(content, list):
        return Tariff(None, None, _parse_intervals(content))
    raise ValueError('must be {"price": ...} or [{"start": ..., "end": ..., "value": ...}, ...]')


def _parse_now(content: dict[str, Value]) -> Tariff:
    _only(content, {"price", "power_w"}, "the object")
    price = _number(content.get("price"), PRICE_MAX, "price")
    power = content.get("power_w")
    if power is None:
        return Tariff(microcurrency(price), None, ())
    power_w = _number(power, POWER_W_MAX, "power_w")
    if power_w < 0:
        raise ValueError("power_w must not be negative")
    return Tariff(microcurrency(price), milliwatts(power_w), ())


def _parse_intervals(content: list[Value]) -> tuple[Interval, ...]:
    if len(content) > INTERVALS_MAX:
        raise ValueError(f"{len(content)} intervals; at most {INTERVALS_MAX} are read")
    parsed = [_parse_interval(item, f"interval {at}") for at, item in enumerate(content)]
    parsed.sort(key=lambda interval: interval.start_ns)
    for earlier, later in pairwise(parsed):
        if later.start_ns < earlier.end_ns:
            raise ValueError(f"two intervals hold at {_written(later.start_ns)}")
    return tuple(parsed)


def _parse_interval(item: Value, where: str) -> Interval:
    if not isinstance(item, dict):
        raise ValueError(f"{where} is not an object")
    _only(item, {"start", "end", "value"}, where)
    start_ns = _moment_ns(item.get("start"), f"{where}: start")
    end_ns = _moment_ns(item.get("end"), f"{where}: end")
    if end_ns <= start_ns:
        raise ValueError(f"{where} ends before it starts")
    value = _number(item.get("value"), PRICE_MAX, f"{where}: value")
    return Interval(start_ns, end_ns, microcurrency(value))


def _only(item: dict[str, Value], keys: set[str], where: str) -> None:
    unknown = set(item) - keys
    if unknown:
        raise ValueError(f"{where} has unknown keys {sorted(unknown)}; known: {sorted(keys)}")


def _number(value: Value, limit: float, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where} must be a number, and is {value!r}")
    if abs(value) > limit:
        raise ValueError(f"{where} must be within ±{limit:g}, and is {str(value)[:20]}")
    return float(value)


def _moment_ns(value: Value, where: str) -> int:
    if not isinstance(value, str):
        raise ValueError(f"{where} must be an RFC 3339 time, and is {value!r}")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f'{where} needs a zone, such as "Z" or "+01:00": {value!r}')
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _written(wall_ns: int) -> str:
    return (_EPOCH + timedelta(microseconds=wall_ns // 1000)).isoformat()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON knows")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(FILE_MAX + 1)
    if len(content) > FILE_MAX:
        raise ValueError(f"longer than {FILE_MAX} bytes")
    return content
