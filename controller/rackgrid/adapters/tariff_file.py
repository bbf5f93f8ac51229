"""Reading a tariff, as people and their scripts write it down.

    {"price": 0.31, "power_w": null}                    from now on, until it changes

    [{"start": "2026-03-01T12:00:00Z",
      "end": "2026-03-01T12:15:00Z", "value": 0.31}]    RFC 3339, start included, end excluded

    {"day": "2026-03-01", "timezone": "Europe/Amsterdam",
     "values": [0.31, 0.29, ...]}                       equal slots from midnight; also in a list

    {"timezone": "Europe/Amsterdam", "price": 0.22,
     "zones": [{"days": "mon-fri", "from": "07:00",
                "to": "21:00", "price": 0.34}]}         time of use; `price` where no zone holds

    start,end,value                                     the second form, as CSV
    2026-03-01T12:00:00Z,2026-03-01T12:15:00Z,0.31

A day of values has as many as the day has hours, half hours or quarters: 96, and 92 or 100 where
the clocks are changed. Whoever lists 24 on such a day has lost or invented an hour, and is told.

Whatever cannot be understood is refused as a whole, with what is wrong and where.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rackgrid.config_units import microcurrency, milliwatts
from rackgrid.market.tariff import (
    DAY_S,
    SECOND_NS,
    Flat,
    Interval,
    Prices,
    Slots,
    TimeOfUse,
    Zone,
    day_span_ns,
    slots,
)

INTERVALS_MAX = 10_000
ZONES_MAX = 64
PRICE_MAX = 1e6
POWER_W_MAX = 1e6
_SLOTS_NS = (3600 * SECOND_NS, 1800 * SECOND_NS, 900 * SECOND_NS)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORMS = (
    'must be {"price": ...}, [{"start", "end", "value"}, ...], {"day", "timezone", "values"} '
    'or {"timezone", "zones"}'
)

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
"""What JSON can hold."""

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a tariff says.

    Attributes:
        prices: by time.
        power_mw: the most that the source gives now, mW; None if it does not say.
    """

    prices: Prices
    power_mw: int | None = None


def parse_tariff(text: bytes) -> Tariff:
    """Read a tariff's text, JSON or CSV.

    Raises:
        ValueError: it has none of the known forms; says what is wrong and where.
    """
    if text.lstrip()[:1] not in (b"{", b"["):
        return Tariff(_parse_csv(text))
    content: Value = json.loads(text, parse_constant=_refuse_constant)
    if isinstance(content, list):
        return Tariff(_parse_list(content))
    assert isinstance(content, dict), "it begins with a brace"
    if "zones" in content:
        return Tariff(_parse_zones(content))
    if "values" in content:
        return Tariff(slots(_parse_day(content, "the day")))
    if "price" in content:
        return _parse_now(content)
    raise ValueError(f"it {_FORMS}")


def number(value: Value, limit: float, where: str) -> float:
    """Take a number.

    Raises:
        ValueError: it is none, or beyond the limit.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where} must be a number, and is {str(value)[:40]!r}")
    if not abs(value) <= limit:
        raise ValueError(f"{where} must be within ±{limit:g}, and is {str(value)[:20]}")
    return float(value)


def moment_ns(value: Value, where: str) -> int:
    """Take an RFC 3339 time.

    Returns:
        Unix time, ns.

    Raises:
        ValueError: it is none, or has no zone.
    """
    if not isinstance(value, str):
        raise ValueError(f"{where} must be an RFC 3339 time, and is {str(value)[:40]!r}")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as fault:
        raise ValueError(f"{where} must be an RFC 3339 time, and is {value[:40]!r}") from fault
    if moment.tzinfo is None:
        raise ValueError(f'{where} needs a zone, such as "Z" or "+01:00": {value!r}')
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _parse_now(content: dict[str, Value]) -> Tariff:
    _only(content, {"price", "power_w"}, "the object")
    price = number(content.get("price"), PRICE_MAX, "price")
    power = content.get("power_w")
    if power is None:
        return Tariff(Flat(microcurrency(price)))
    power_w = number(power, POWER_W_MAX, "power_w")
    if power_w < 0:
        raise ValueError("power_w must not be negative")
    return Tariff(Flat(microcurrency(price)), milliwatts(power_w))


# --- by time --------------------------------------------------------------------------------------


def _parse_list(content: list[Value]) -> Slots:
    if len(content) > INTERVALS_MAX:
        raise ValueError(f"{len(content)} intervals; at most {INTERVALS_MAX} are read")
    found: list[Interval] = []
    for at, item in enumerate(content):
        where = f"interval {at}"
        if not isinstance(item, dict):
            raise ValueError(f"{where} is not an object")
        found += _parse_day(item, where) if "values" in item else [_parse_interval(item, where)]
    return slots(found)


def _parse_interval(item: dict[str, Value], where: str) -> Interval:
    _only(item, {"start", "end", "value"}, where)
    return _interval(item.get("start"), item.get("end"), item.get("value"), where)


def _interval(start: Value, end: Value, value: Value, where: str) -> Interval:
    start_ns, end_ns = moment_ns(start, f"{where}: start"), moment_ns(end, f"{where}: end")
    if end_ns <= start_ns:
        raise ValueError(f"{where} ends before it starts")
    return Interval(start_ns, end_ns, microcurrency(number(value, PRICE_MAX, f"{where}: value")))


def _parse_csv(text: bytes) -> Slots:
    try:
        lines = io.StringIO(text.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as fault:
        raise ValueError(f"it is neither JSON nor UTF-8 text: byte {fault.start}") from fault
    rows = csv.reader(lines)
    first: list[str] = next(rows, [""])
    if [word.strip() for word in first] != ["start", "end", "value"]:
        raise ValueError(f'it {_FORMS}, or CSV with the first line "start,end,value"')
    found: list[Interval] = []
    for row in rows:
        where = f"line {rows.line_num}"
        if not row:
            continue
        if len(row) != 3:
            raise ValueError(f"{where} has {len(row)} fields instead of start, end and value")
        if len(found) >= INTERVALS_MAX:
            raise ValueError(f"more than {INTERVALS_MAX} intervals")
        start, end, value = (word.strip() for word in row)
        found.append(_interval(start, end, _written_number(value, where), where))
    return slots(found)


def _written_number(word: str, where: str) -> float:
    try:
        return float(word)
    except ValueError as fault:
        raise ValueError(f"{where}: value must be a number, and is {word[:40]!r}") from fault


def _parse_day(item: dict[str, Value], where: str) -> list[Interval]:
    _only(item, {"day", "timezone", "values"}, where)
    day, values = item.get("day"), item.get("values")
    if not isinstance(day, str) or not isinstance(values, list):
        raise ValueError(f'{where} needs a day, "2026-03-01", and a list of values')
    try:
        that = date.fromisoformat(day)
    except ValueError as fault:
        raise ValueError(f'{where}: a day is written "2026-03-01", and not {day[:40]!r}') from fault
    zone = _timezone(item.get("timezone"), where)
    start_ns, end_ns = day_span_ns(that.year, that.month, that.day, zone)
    lengths = {(end_ns - start_ns) // each: each for each in _SLOTS_NS}
    if len(values) not in lengths:
        allowed = ", ".join(str(count) for count in sorted(lengths))
        raise ValueError(f"{where}: {day} has {allowed} slots there, and not {len(values)}")
    slot_ns = lengths[len(values)]
    return [
        Interval(
            start_ns + at * slot_ns,
            start_ns + (at + 1) * slot_ns,
            microcurrency(number(value, PRICE_MAX, f"{where}: value {at}")),
        )
        for at, value in enumerate(values)
    ]


# --- by the clock on the wall ---------------------------------------------------------------------


def _parse_zones(content: dict[str, Value]) -> TimeOfUse:
    _only(content, {"timezone", "zones", "price"}, "the object")
    zones, price = content["zones"], content.get("price")
    if not isinstance(zones, list) or not 1 <= len(zones) <= ZONES_MAX:
        raise ValueError(f"zones must be a list of 1 to {ZONES_MAX} objects")
    otherwise = None if price is None else microcurrency(number(price, PRICE_MAX, "price"))
    parsed = tuple(_parse_zone(item, f"zone {at}") for at, item in enumerate(zones))
    return TimeOfUse(parsed, otherwise, _timezone(content.get("timezone"), "the object"))


def _parse_zone(item: Value, where: str) -> Zone:
    if not isinstance(item, dict):
        raise ValueError(f"{where} is not an object")
    _only(item, {"days", "from", "to", "price"}, where)
    from_s = _second(item.get("from", "00:00"), f"{where}: from")
    to_s = _second(item.get("to", "24:00"), f"{where}: to")
    price = number(item.get("price"), PRICE_MAX, f"{where}: price")
    if from_s == to_s:
        raise ValueError(f"{where} begins and ends at the same time; leave both out for all day")
    return Zone(
        _days(item.get("days", "mon-sun"), where), from_s % DAY_S, to_s, microcurrency(price)
    )


def _days(value: Value, where: str) -> frozenset[int]:
    """Read "mon-fri", "sat,sun", "fri-mon"."""
    words = value.lower().split(",") if isinstance(value, str) else []
    found: set[int] = set()
    for word in words:
        first, _, last = (part.strip() for part in word.partition("-"))
        if first not in _DAYS or (last or first) not in _DAYS:
            break
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    else:
        if found:
            return frozenset(found)
    raise ValueError(f'{where}: days are written "mon-fri" or "sat,sun", not {str(value)[:40]!r}')


def _second(value: Value, where: str) -> int:
    """Read "07:00", up to "24:00"."""
    hour, _, minute = value.partition(":") if isinstance(value, str) else ("", "", "")
    if hour.isdecimal() and minute.isdecimal() and len(hour) <= 2 and len(minute) == 2:
        second = int(hour) * 3600 + int(minute) * 60
        if int(minute) < 60 and second <= DAY_S:
            return second
    raise ValueError(f'{where} must be a time such as "07:00", and is {str(value)[:40]!r}')


def _timezone(value: Value, where: str) -> ZoneInfo:
    if not isinstance(value, str) or not value:
        raise ValueError(f'{where} needs a timezone, such as "Europe/Amsterdam" or "UTC"')
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as fault:
        raise ValueError(
            f"{where}: this machine knows no timezone {value[:60]!r}; `timedatectl list-timezones` "
            "lists those that it knows (package tzdata)"
        ) from fault


def _only(item: dict[str, Value], keys: set[str], where: str) -> None:
    unknown = set(item) - keys
    if unknown:
        raise ValueError(f"{where} has unknown keys {sorted(unknown)}; known: {sorted(keys)}")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON knows")
