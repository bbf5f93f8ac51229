"""Tariffs as people write them: four forms of JSON, and CSV."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.tariff_file import INTERVALS_MAX, parse_tariff
from rackgrid.market.tariff import SECOND_NS, Flat, Slots, TimeOfUse

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def unix_ns(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND_NS


def price_at(text: str, moment: datetime) -> int | None:
    return parse_tariff(text.encode()).prices.price_at(unix_ns(moment))


def hour(value: float, at: int = 0) -> str:
    start, end = NOON + timedelta(hours=at), NOON + timedelta(hours=at + 1)
    return f'{{"start": "{start.isoformat()}", "end": "{end.isoformat()}", "value": {value}}}'


def day(count: int, date: str = "2026-03-02", zone: str = "Europe/Amsterdam") -> str:
    values = ", ".join(str(at / 100) for at in range(count))
    return f'{{"day": "{date}", "timezone": "{zone}", "values": [{values}]}}'


def test_price_of_now_may_be_zero_or_negative_and_bounds_the_power() -> None:
    tariff = parse_tariff(b'{"price": -0.05, "power_w": 42}')
    assert (tariff.prices, tariff.power_mw) == (Flat(-50_000), 42_000)
    assert parse_tariff(b'{"price": 0}').prices == Flat(0)
    assert parse_tariff(b'{"price": 0.1, "power_w": null}').power_mw is None


def test_interval_with_a_zone_means_the_same_moment() -> None:
    text = '[{"start": "2026-03-01T13:00:00+01:00", "end": "2026-03-01T12:30:00Z", "value": 1}]'
    assert price_at(text, NOON) == 1_000_000
    assert price_at(text, NOON - timedelta(seconds=1)) is None


@pytest.mark.parametrize("blank", ["", "\n\n", "\r\n"])
def test_csv_says_the_same_as_json(blank: str) -> None:
    rows = [f"{NOON.isoformat()}, {(NOON + timedelta(hours=1)).isoformat()}, 0.31"]
    text = "\ufeffstart,end,value\r\n" + "\r\n".join(rows) + blank
    assert parse_tariff(text.encode()) == parse_tariff(f"[{hour(0.31)}]".encode())


@pytest.mark.parametrize(
    ("date", "hours"), [("2026-03-02", 24), ("2026-03-29", 23), ("2026-10-25", 25)]
)
@pytest.mark.parametrize("per_hour", [1, 2, 4])
def test_day_of_values_has_as_many_slots_as_the_day_has(
    date: str, hours: int, per_hour: int
) -> None:
    """A day has 92, 96 or 100 quarters; the clocks of Amsterdam change on two of these."""
    count = hours * per_hour
    prices = parse_tariff(day(count, date).encode()).prices
    assert isinstance(prices, Slots)
    assert len(prices.intervals) == count
    midnight = datetime.fromisoformat(date).replace(tzinfo=AMSTERDAM)
    assert prices.intervals[0].start_ns == unix_ns(midnight)
    assert prices.intervals[-1].end_ns == unix_ns(midnight + timedelta(days=1))
    assert prices.price_at(unix_ns(midnight + timedelta(days=1)) - 1) == (count - 1) * 10_000


@pytest.mark.parametrize(("date", "allowed"), [("2026-03-29", "23, 46, 92"), ("2026-10-25", "100")])
def test_day_of_twenty_four_values_that_has_more_or_fewer_hours_is_refused(
    date: str, allowed: str
) -> None:
    """Fails if a lost or invented hour shifts the prices of all that follow it."""
    with pytest.raises(ValueError, match=allowed):
        parse_tariff(day(24, date).encode())


def test_days_and_intervals_may_stand_in_one_list() -> None:
    text = f"[{hour(7)}, {day(24)}, {day(96, '2026-03-03')}]"
    prices = parse_tariff(text.encode()).prices
    assert isinstance(prices, Slots)
    assert len(prices.intervals) == 1 + 24 + 96


def test_time_of_use_holds_by_days_and_over_midnight() -> None:
    zones = [
        {"days": "fri", "from": "23:00", "to": "01:30", "price": 0.1},
        {"days": "mon-fri", "from": "07:00", "to": "21:00", "price": 0.34},
        {"days": "sat,sun", "price": 0.2},
    ]
    text = json.dumps({"timezone": "Europe/Amsterdam", "zones": zones, "price": 0.25})

    def at(date: str) -> int | None:
        return price_at(text, datetime.fromisoformat(date).replace(tzinfo=AMSTERDAM))

    assert at("2026-03-06 06:59") == 250_000  # a Friday
    assert at("2026-03-06 07:00") == 340_000
    assert at("2026-03-06 21:00") == 250_000
    assert at("2026-03-06 23:00") == at("2026-03-07 01:29") == 100_000
    assert at("2026-03-07 01:30") == at("2026-03-08 23:59") == 200_000
    assert at("2026-03-09 00:30") == 250_000, "the night after Sunday is no Friday's"


def test_time_of_use_without_a_price_of_its_own_says_nothing_outside_its_zones() -> None:
    text = '{"timezone": "UTC", "zones": [{"from": "07:00", "to": "21:00", "price": 0}]}'
    prices = parse_tariff(text.encode()).prices
    assert isinstance(prices, TimeOfUse)
    assert price_at(text, NOON) == 0
    assert price_at(text, NOON - timedelta(hours=6)) is None


def zone(**keys: object) -> str:
    return json.dumps({"timezone": "UTC", "zones": [{"price": 1, **keys}]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "must be"),
        ("7", "must be"),
        ("{}", "must be"),
        ("{", "Expecting property name"),
        ('{"price": true}', "price must be a number"),
        ('{"price": "0.3"}', "price must be a number"),
        ('{"price": NaN}', "NaN"),
        ('{"price": 1e400}', "within"),
        ('{"price": 0.3, "power_w": -1}', "negative"),
        ('{"price": 0.3, "power": 1}', "unknown keys"),
        ("[1]", "interval 0 is not an object"),
        ('[{"start": 1, "end": 2, "value": 3}]', "interval 0: start must be an RFC 3339"),
        ('[{"start": "2026-03-01T12:00:00", "end": "", "value": 3}]', "needs a zone"),
        ('[{"start": "noon", "end": "", "value": 3}]', "RFC 3339"),
        (
            '[{"start": "2026-03-01T12:00:00Z", "end": "2026-03-01T12:00:00Z", "value": 3}]',
            "ends before it starts",
        ),
        ('[{"start": "2026-03-01T12:00:00Z", "end": "2026-03-01T13:00:00Z"}]', "value must be"),
        (f"[{hour(1)}, {hour(2)}]", "two prices hold at 2026-03-01T12:00:00"),
        (json.dumps([{}] * (INTERVALS_MAX + 1)), "at most"),
        ("start,value\n", "start,end,value"),
        ("start,end,value\na,b\n", "line 2 has 2 fields"),
        ("start,end,value\n\na,b,1\n", "line 3: start must be"),
        (f"start,end,value\n{NOON.isoformat()},2027-01-01T00:00:00Z,dear\n", "line 2: value"),
        (f"start,end,value\n{NOON.isoformat()},2027-01-01T00:00:00Z,nan\n", "line 2: value"),
        (day(24, "2026-02-30"), "a day is written"),
        (day(24, zone="Europe/Atlantis"), "knows no timezone 'Europe/Atlantis'"),
        (day(24, zone="../../etc/passwd"), "knows no timezone"),
        ('{"day": "2026-03-02", "values": []}', "needs a timezone"),
        ('{"zones": [], "timezone": "UTC"}', "list of 1 to"),
        (zone(days="mon-someday"), "days are written"),
        (zone(days=""), "days are written"),
        (zone(**{"from": "7 am"}), "zone 0: from must be a time"),
        (zone(to="24:01"), "zone 0: to must be a time"),
        (zone(to="07:75"), "zone 0: to must be a time"),
        (zone(**{"from": "07:00", "to": "07:00"}), "begins and ends at the same time"),
        (zone(until="07:00"), "zone 0 has unknown keys"),
    ],
)
def test_tariff_that_is_wrong_says_what_and_where(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_tariff(text.encode())


KEYS = ["price", "power_w", "start", "end", "value", "day", "values", "timezone", "zones", "from"]


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30)
    | st.sampled_from(["UTC", "2026-03-02", "2026-03-02T00:00:00Z", "mon-fri", "07:00"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=10,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_tariff_of_any_content_is_read_or_refused(content: bytes) -> None:
    try:
        prices = parse_tariff(content).prices
    except ValueError:
        return
    assert isinstance(prices, Flat) or prices.price_at(None) is None
