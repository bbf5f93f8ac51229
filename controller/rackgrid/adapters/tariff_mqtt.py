"""A tariff that somebody publishes over MQTT: the forms of a tariff file, or a number alone.

A list of slots is kept on the disk, as one over HTTP is, so that neither a restart nor a server
that is down loses what is known ahead. A price without an end is true when it is said; how long it
stays so nobody says, so it holds until the next one, and a day at most.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rackgrid.adapters.aside import Aside
from rackgrid.adapters.tariff_file import PRICE_MAX, number, parse_tariff
from rackgrid.adapters.tariff_http import KEEP_NS, kept_slots, merged, written
from rackgrid.config_units import microcurrency
from rackgrid.market.tariff import DAY_S, SECOND_NS, Flat, Prices, Slots

PAYLOAD_MAX: Final = 1024 * 1024
LAST_NS: Final = DAY_S * SECOND_NS
"""So long a price without an end holds, ns."""
_NUMBER = re.compile(rb"\s*[-+]?[0-9]{1,9}(?:\.[0-9]{0,12})?\s*")

_log = logging.getLogger("rackgrid.tariff")


class MqttTariff:
    """What is known of one source's prices.

    Args:
        name: of the source.
        cache: the file that keeps slots; None keeps none.
        wall_ns: Unix time, ns; None while the clock is not set.
        clock: CLOCK_MONOTONIC, ns.
    """

    def __init__(
        self,
        name: str,
        cache: Path | None,
        wall_ns: Callable[[], int | None],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._name = name
        self._cache = None if cache is None else Aside(cache, self._complain)
        self._wall_ns = wall_ns
        self._clock = clock
        self._complaint = ""
        self._said_ns = 0
        self._prices: Prices = kept_slots(name, cache)

    @property
    def prices(self) -> Prices:
        """What is known now."""
        if isinstance(self._prices, Flat) and self._clock() - self._said_ns >= LAST_NS:
            self._prices = Slots(())
        return self._prices

    def hear(self, topic: str, payload: bytes) -> bool:
        """Take what was published; what cannot be understood changes nothing, and is said once.

        Returns:
            Whether it was understood.
        """
        try:
            prices = _parsed(payload)
        except (ValueError, RecursionError) as fault:
            self._complain(f"what is published under {topic} is no tariff: {fault}")
            return False
        self._complain("")
        self._said_ns = self._clock()
        if not isinstance(prices, Slots):
            self._prices = prices
            return True
        known = self._prices if isinstance(self._prices, Slots) else Slots(())
        wall_ns = self._wall_ns()
        since_ns = 0 if wall_ns is None else wall_ns - KEEP_NS
        self._prices = merged(known, prices, since_ns)
        self._keep(self._prices)
        return True

    def close(self) -> None:
        """Wait until what was heard is kept: the process is about to end."""
        if self._cache is not None:
            self._cache.settle()

    def _keep(self, known: Slots) -> None:
        if self._cache is not None:
            self._cache.write(written(known))

    def _complain(self, complaint: str) -> None:
        if complaint and complaint != self._complaint:
            _log.warning("source %s: %s", self._name, complaint)
        self._complaint = complaint


def _parsed(payload: bytes) -> Prices:
    if len(payload) > PAYLOAD_MAX:
        raise ValueError(f"longer than {PAYLOAD_MAX} bytes")
    if _NUMBER.fullmatch(payload):
        price = number(float(payload), PRICE_MAX, "the price")
        return Flat(microcurrency(price))
    return parse_tariff(payload).prices
