"""A tariff that somebody publishes: fetched now and then, beside the loop, and kept on the disk.

Day-ahead prices come once a day, for the next one. What is known ahead is kept, so that neither a
restart nor a server that is down loses it: the slots hold until they end, and the configuration's
price after that. Answers differ, so the configuration says where in one the slots are:

    http = { url = "https://...", items = "data.prices", start = "from", value = "price",
             scale = 0.001 }     # EUR/MWh

Times are RFC 3339 or Unix time in s or ms. Without `end` a slot lasts until the next one begins,
and the last one as long as the one before it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from itertools import pairwise
from pathlib import Path
from typing import Final, cast

from rackgrid.adapters.redaction import without_query
from rackgrid.adapters.store import write_whole
from rackgrid.adapters.tariff_file import (
    INTERVALS_MAX,
    PRICE_MAX,
    Value,
    moment_ns,
    number,
    parse_tariff,
)
from rackgrid.config import HttpTariffConfig
from rackgrid.config_units import UC, microcurrency
from rackgrid.market.tariff import DAY_S, SECOND_NS, Interval, Slots, slots

ANSWER_MAX: Final = 4 * 1024 * 1024
"""Longest answer that is read, bytes."""
TIMEOUT_S: Final = 20.0
RETRY_S: Final = 60.0
"""After a failure it is tried again so soon, then after twice as long each time."""
KEEP_NS: Final = DAY_S * SECOND_NS
"""Slots that ended so long ago are dropped."""
_MS_FROM: Final = 10**11
"""A number above it is Unix time in ms: as seconds it would be the year 5138."""

_log = logging.getLogger("rackgrid.tariff")


class HttpTariff:
    """Fetches one source's tariff, in a thread of its own.

    Args:
        name: of the source.
        config: where the prices are.
        cache: the file that keeps them; None keeps none.
        wall_ns: Unix time, ns.
    """

    def __init__(
        self,
        name: str,
        config: HttpTariffConfig,
        cache: Path | None,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._name = name
        self._config = config
        self._cache = cache
        self._wall_ns = wall_ns
        self._complaint = ""
        self._stopping = threading.Event()
        self.slots = kept_slots(name, cache)
        """What is known; replaced as a whole, so that it may be read from any thread."""
        self._thread = threading.Thread(target=self._run, name=f"tariff {name}", daemon=True)

    def start(self) -> None:
        """Begin to fetch."""
        self._thread.start()

    def stop(self) -> None:
        """Fetch no more; a request that is under way ends with the process."""
        self._stopping.set()

    def fetch(self) -> None:
        """Ask once, and keep what is said.

        Raises:
            OSError: no answer, or it could not be kept.
            ValueError: the answer is not what the configuration says.
        """
        fresh = parse_answer(_ask(self._config), self._config)
        self.slots = merged(self.slots, fresh, self._wall_ns() - KEEP_NS)
        if self._cache is not None:
            write_whole(self._cache, written(self.slots), durable=False)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self.fetch()
            except (OSError, ValueError, HTTPException, RecursionError) as fault:
                self._complain(str(fault) or type(fault).__name__)
                wait_s = min(RETRY_S * 2 ** min(failures, 10), self._config.every_s)
                failures += 1
            else:
                self._complain("")
                wait_s, failures = self._config.every_s, 0
            self._stopping.wait(wait_s)

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            if complaint:
                _log.warning(
                    "source %s: no prices from %s: %s; those known until now hold until they end",
                    self._name,
                    without_query(self._config.url),
                    complaint,
                )
            else:
                _log.info(
                    "source %s: prices come from %s again",
                    self._name,
                    without_query(self._config.url),
                )


def kept_slots(name: str, cache: Path | None) -> Slots:
    """Read the prices of a source that were kept; none, and said, if they cannot be read."""
    if cache is None:
        return Slots(())
    try:
        prices = parse_tariff(cache.read_bytes()).prices
    except FileNotFoundError:
        return Slots(())
    except (OSError, ValueError) as fault:
        _log.warning("source %s: kept prices are not used: %s", name, fault)
        return Slots(())
    return prices if isinstance(prices, Slots) else Slots(())


def parse_answer(text: bytes, config: HttpTariffConfig) -> Slots:
    """Find the slots in an answer.

    Raises:
        ValueError: they are not where the configuration says; says which key is missing.
    """
    items = _inside(cast("Value", json.loads(text)), config.items, "the answer")
    if not isinstance(items, list) or not items:
        raise ValueError(f"items = {config.items!r} is no list of slots in the answer")
    if len(items) > INTERVALS_MAX:
        raise ValueError(f"{len(items)} slots; at most {INTERVALS_MAX} are read")
    found: list[tuple[int, int | None, int]] = []
    for at, item in enumerate(items):
        where = f"slot {at}"
        value = number(_inside(item, config.value, where), 1e12, f"{where}: {config.value}")
        price = number(value * config.scale, PRICE_MAX, f"{where}: {config.value}, scaled,")
        end = _moment_ns(item, config.end, where) if config.end else None
        found.append((_moment_ns(item, config.start, where), end, microcurrency(price)))
    return slots(_ended(sorted(found, key=lambda slot: slot[0])))


def merged(known: Slots, fresh: Slots, since_ns: int) -> Slots:
    """Put what was known and what is said now together; where both speak, the newer word counts.

    Args:
        since_ns: what ended before is dropped, Unix time in ns.
    """
    kept = [
        old
        for old in known.intervals
        if old.end_ns > since_ns
        and not any(
            old.start_ns < new.end_ns and new.start_ns < old.end_ns for new in fresh.intervals
        )
    ]
    return slots([*kept, *fresh.intervals])


def written(known: Slots) -> bytes:
    """Write slots as a tariff file."""
    rows = [
        {
            "start": _rfc3339(each.start_ns),
            "end": _rfc3339(each.end_ns),
            "value": each.price_uc / UC,
        }
        for each in known.intervals
    ]
    return json.dumps(rows).encode()


def _ended(found: list[tuple[int, int | None, int]]) -> list[Interval]:
    """Give an end to the slots that have none."""
    spans = [later[0] - earlier[0] for earlier, later in pairwise(found)]
    if len(found) == 1 and found[0][1] is None:
        raise ValueError("there is one slot, and nothing says when it ends; set `end`")
    if 0 in spans:
        raise ValueError("two slots start at the same time")
    ends = [*(later[0] for later in found[1:]), found[-1][0] + (spans[-1] if spans else 0)]
    return [
        Interval(start, own_end if own_end is not None else end, price)
        for (start, own_end, price), end in zip(found, ends, strict=True)
    ]


def _inside(value: Value, path: str, where: str) -> Value:
    """Follow a path of keys, such as `data.prices`; "" is the value itself."""
    for key in path.split(".") if path else ():
        if not isinstance(value, dict) or key not in value:
            known = ", ".join(sorted(value)[:10]) if isinstance(value, dict) else "no object"
            raise ValueError(f"{where} has no {key!r} (it has {known})")
        value = value[key]
    return value


def _moment_ns(item: Value, path: str, where: str) -> int:
    value = _inside(item, path, where)
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if abs(value) >= _MS_FROM else value
        return round(number(seconds, 1e11, f"{where}: {path}") * SECOND_NS)
    return moment_ns(value, f"{where}: {path}")


def _rfc3339(wall_ns: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_ns // SECOND_NS))


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirect within the host only: the header may hold a secret."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if urllib.parse.urlsplit(newurl).netloc != urllib.parse.urlsplit(req.full_url).netloc:
            raise urllib.error.URLError(
                f"it redirects to {without_query(newurl)[:200]}: set `url` to that"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _ask(config: HttpTariffConfig) -> bytes:
    headers = {"Accept": "application/json", "User-Agent": "rackgrid"}
    if config.header_file is not None:
        name, _, value = config.header_file.read_text(encoding="utf-8").strip().partition(":")
        headers[name.strip()] = value.strip()
    request = urllib.request.Request(config.url, headers=headers)  # noqa: S310  # checked: http(s)
    opener = urllib.request.build_opener(_SameHost)
    with opener.open(request, timeout=TIMEOUT_S) as answer:
        text = cast("bytes", answer.read(ANSWER_MAX + 1))
    if len(text) > ANSWER_MAX:
        raise ValueError(f"the answer is longer than {ANSWER_MAX} bytes")
    return text
