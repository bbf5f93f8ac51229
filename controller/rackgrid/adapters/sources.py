"""From the sources that a node speaks for to the offers that it makes.

A source's price is fixed, or stands in a tariff: in a file that something else writes (a script
that fetches the day-ahead prices, a line in crontab), at an address that is asked now and then, or
under a topic of the MQTT server.
Its power is fixed, or is what a meter sees it give. The file is looked at by its modification time,
inode and size, four times a second and without a thread; it is read only when they changed, and it
is small.

A tariff that cannot be understood changes nothing: what was read before holds until its end, and
one line says so. Where the tariff says nothing about now (before its first reading, in a gap, while
the clock is not set), the price of the configuration holds: the operator stands for that one, while
a price that has ended is nobody's.

A metered source must never be offered for more than it gives, and a noisy meter must not move the
market at each sample: the offer follows the meter down at once, and up only when the difference is
worth a round. What a battery offers is `accumulator`'s affair.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.adapters.accumulator import Accumulator
from rackgrid.adapters.tariff_file import Tariff, parse_tariff
from rackgrid.adapters.tariff_http import HttpTariff
from rackgrid.adapters.tariff_mqtt import MqttTariff
from rackgrid.config import SourceConfig
from rackgrid.config_units import microcurrency, milliwatts
from rackgrid.market.offer import Offer
from rackgrid.market.tariff import Interval, Prices, ahead
from rackgrid.wire.message import OFFERS_MAX
from rackgrid_firmware.boot_record import kernel_boot_id
from rackgrid_firmware.device import Accuracy, Quality, Reading

if TYPE_CHECKING:
    from rackgrid.adapters.ears import Ears

POLL_NS = 250_000_000
"""Files are looked at no more often, ns."""
FILE_MAX = 1024 * 1024
"""Longest tariff file, bytes: a year of quarter hours is three times that, a month a quarter."""
STALE_NS = 2_000_000_000
"""A meter that has said nothing for this long sees nothing, ns."""
QUANTUM_MW = 50
"""Metered offers are multiples of this, rounded down, mW."""
AHEAD_NS = 24 * 3600 * 1_000_000_000
"""So far ahead a battery looks at prices."""
LIST_NS = 30_000_000_000
"""Between two listings of prices ahead, ns: a pattern of a week takes ms to lay out."""
RISE_MW = 250
RISE_PERCENT = 2
"""A metered offer rises when the meter shows this much more, in mW and in per cent of the offer."""

_log = logging.getLogger("rackgrid.tariff")


class Sources:
    """Every source that this node speaks for, and what they offer together."""

    def __init__(
        self,
        configs: Sequence[SourceConfig],
        capacity_w: float,
        wall_ns: Callable[[], int | None] = time.time_ns,
        state_dir: Path | None = None,
    ) -> None:
        """Prepare; no file is read before the first `poll`, and no address asked before `start`.

        Args:
            configs: of the sources.
            capacity_w: of the feed: what a source without a limit of its own gives, W.
            wall_ns: Unix time, ns; None while the clock is not set.
            state_dir: where fetched prices are kept over a restart; None keeps none.
        """
        assert len(configs) <= OFFERS_MAX, "a node speaks for a limited number of sources"
        capacity_mw = milliwatts(capacity_w)
        self._sources = [_Source(config, capacity_mw, wall_ns, state_dir) for config in configs]
        self._wall_ns = wall_ns
        self._looked_ns: int | None = None
        self._listed_ns: int | None = None
        self._known: tuple[Interval, ...] = ()
        self._offers: tuple[Offer, ...] | None = None

    def start(self) -> None:
        """Begin to ask for what is published elsewhere."""
        for source in self._sources:
            if source.http is not None:
                source.http.start()

    def close(self) -> None:
        """Ask no more, and keep what was heard and what is in the batteries."""
        for source in self._sources:
            if source.http is not None:
                source.http.stop()
            if source.mqtt is not None:
                source.mqtt.close()
            if source.battery is not None:
                source.battery.close()

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
            source.look(now_ns, self._ahead)
        return self._changed()

    def metered(
        self, readings: Iterable[Reading], accuracy: Mapping[str, Accuracy] | None = None
    ) -> tuple[Offer, ...] | None:
        """Take the newest readings; give all offers if any of them changed, else None.

        Args:
            accuracy: how far each meter may be believed, where that is known.
        """
        by_meter = {reading.meter: reading for reading in readings}
        for source in self._sources:
            reading = by_meter.get(source.meter)
            if reading is not None:
                source.take(reading, (accuracy or {}).get(source.meter))
        return self._changed()

    def buys_uc(self, battery: str) -> int | None:
        """Say at which price a battery is charged at most, uc per kWh; None: it is not."""
        found = next((s.battery for s in self._sources if s.name == battery), None)
        return None if found is None else found.buys_uc

    def charges(self) -> dict[str, float]:
        """Say how full each battery is at least, 0 to 1."""
        batteries = ((source.name, source.battery) for source in self._sources)
        return {name: battery.share for name, battery in batteries if battery is not None}

    def ahead(self, from_ns: int, until_ns: int) -> tuple[Interval, ...]:
        """List what is known of prices to come: by the first source that has a tariff.

        Args:
            from_ns, until_ns: Unix time, ns; the end is excluded.
        """
        tariffs = [prices for source in self._sources if (prices := source.prices) is not None]
        return ahead(tariffs[0], from_ns, until_ns) if tariffs else ()

    def listen(self, ears: Ears) -> None:
        """Hear the tariffs that are published over MQTT."""
        for source in self._sources:
            if source.mqtt is not None:
                ears.listen(source.topic, source.mqtt.hear, retained=True)

    def _ahead(self, now_ns: int) -> tuple[Interval, ...]:
        """List prices ahead for the batteries, now and then."""
        wall_ns = self._wall_ns()
        if wall_ns is None:
            self._known, self._listed_ns = (), None
        elif self._listed_ns is None or now_ns - self._listed_ns >= LIST_NS:
            self._known, self._listed_ns = self.ahead(wall_ns, wall_ns + AHEAD_NS), now_ns
        return self._known

    def _changed(self) -> tuple[Offer, ...] | None:
        wall_ns = self._wall_ns()
        offers = tuple(source.offer(wall_ns) for source in self._sources)
        if offers == self._offers:
            return None
        self._offers = offers
        return offers


class _Source:
    """One source: its configuration, what its file says and what its meter sees."""

    def __init__(
        self,
        config: SourceConfig,
        capacity_mw: int,
        wall_ns: Callable[[], int | None],
        state_dir: Path | None,
    ) -> None:
        self.meter, self.topic = config.meter, config.tariff_topic
        cache = state_dir / f"tariff.{config.name}" if state_dir is not None else None
        self.http = None
        if config.http is not None:
            self.http = HttpTariff(config.name, config.http, cache)
        self.mqtt = MqttTariff(config.name, cache, wall_ns) if self.topic else None
        self.name = config.name
        self.battery = None
        if config.battery is not None:
            shelf = state_dir / f"battery.{config.name}.json" if state_dir is not None else None
            self.battery = Accumulator(
                *(config.name, config.battery, config.power_w, shelf, kernel_boot_id(), wall_ns)
            )
        self._price_uc = microcurrency(config.price)
        self._power_mw = milliwatts(config.power_w) or capacity_mw
        self._path = config.tariff_file
        self._signature: tuple[int, int, int] | None = None
        self._tariff: Tariff | None = None
        self._complaint = ""
        self._by_tariff = False
        self._metered_mw = 0
        self._read_ns: int | None = None

    def look(self, now_ns: int, ahead: Callable[[int], Sequence[Interval]]) -> None:
        """Read the file if it changed, and notice a meter that has gone silent."""
        if self.battery is not None:
            self.battery.look(now_ns, ahead(now_ns))
        if self._path is not None:
            self._look_at(self._path)
        if self._read_ns is not None and now_ns - self._read_ns >= STALE_NS:
            self._metered_mw = 0

    def take(self, reading: Reading, accuracy: Accuracy | None) -> None:
        """Let the offer follow the meter: down at once, up by a step that matters."""
        if self.battery is not None:
            self.battery.take(reading, accuracy)
        self._read_ns = reading.t_ns
        gives_mw = 0
        if reading.quality is not Quality.STALE and math.isfinite(reading.watts):
            gives_mw = max(0, milliwatts(reading.watts)) // QUANTUM_MW * QUANTUM_MW
        rise_mw = max(RISE_MW, self._metered_mw * RISE_PERCENT // 100)
        if gives_mw < self._metered_mw or gives_mw > self._metered_mw + rise_mw:
            self._metered_mw = gives_mw

    def offer(self, wall_ns: int | None) -> Offer:
        """Say what the source offers at this wall time."""
        if self.battery is not None:
            return self.battery.offer()
        price_uc = self._tariff_uc(wall_ns)
        self._say_whose_price(price_uc is not None)
        power_mw = self._power_mw
        if self._tariff is not None and self._tariff.power_mw is not None:
            power_mw = self._tariff.power_mw
        if self.meter:
            power_mw = min(power_mw, self._metered_mw)
        return Offer(self.name, self._price_uc if price_uc is None else price_uc, power_mw)

    def _tariff_uc(self, wall_ns: int | None) -> int | None:
        """Say what the tariff asks now; None where it says nothing."""
        return None if self.prices is None else self.prices.price_at(wall_ns)

    @property
    def prices(self) -> Prices | None:
        """What the tariff says, by time; None without one."""
        if self.http is not None:
            return self.http.slots
        if self.mqtt is not None:
            return self.mqtt.prices
        return None if self._tariff is None else self._tariff.prices

    def _look_at(self, path: Path) -> None:
        try:
            found = os.stat(path)
            signature = (found.st_mtime_ns, found.st_ino, found.st_size)
            if signature == self._signature:
                return
            # Noted before it is read: a file that changes meanwhile is read again.
            self._signature = signature
            self._tariff = read_tariff(path)
        except (OSError, ValueError, RecursionError) as error:
            self._complain(str(error))
            return
        self._complaint = ""

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            _log.warning(
                "source %s: tariff file %s is not used as it is now: %s",
                self.name,
                self._path,
                complaint,
            )

    def _say_whose_price(self, by_tariff: bool) -> None:
        has_tariff = self._path is not None or self.http is not None or self.mqtt is not None
        if not has_tariff or by_tariff == self._by_tariff:
            return
        self._by_tariff = by_tariff
        whose = (
            "the tariff's" if by_tariff else "the configuration's: the tariff does not cover now"
        )
        _log.info("source %s: the price is %s", self.name, whose)


def read_tariff(path: Path) -> Tariff:
    """Read a tariff file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too long, or no tariff.
    """
    with path.open("rb") as file:
        content = file.read(FILE_MAX + 1)
    if len(content) > FILE_MAX:
        raise ValueError(f"longer than {FILE_MAX} bytes")
    return parse_tariff(content)
