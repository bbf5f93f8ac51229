"""Sources: fixed, by a file and by a meter."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.sources import (
    FILE_MAX,
    LIST_NS,
    POLL_NS,
    QUANTUM_MW,
    RISE_MW,
    RISE_PERCENT,
    STALE_NS,
    Sources,
)
from rackgrid.config import BatteryConfig, SourceConfig
from rackgrid.market.offer import Offer
from rackgrid_firmware.device import Accuracy, Quality, Reading

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GRID = SourceConfig("grid", 0.3, 60.0, "", None)
PANEL = SourceConfig("panel", 0.01, 0.0, "pv", None)


def unix_ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


class Clock:
    """A wall clock that is set by hand, or not set at all."""

    def __init__(self, moment: datetime | None = NOON) -> None:
        self.moment = moment

    def __call__(self) -> int | None:
        return None if self.moment is None else unix_ns(self.moment)


def reading(watts: float, t_ns: int = 0, quality: Quality = Quality.FRESH) -> Reading:
    return Reading("pv", t_ns, 12.0, watts / 12.0, 0, quality)


def by_file(path: Path) -> SourceConfig:
    return SourceConfig("grid", 0.3, 60.0, "", path)


def hours(*values: float) -> str:
    """Write a tariff with one value per hour from noon."""
    return json.dumps(
        [
            {
                "start": (NOON + timedelta(hours=at)).isoformat(),
                "end": (NOON + timedelta(hours=at + 1)).isoformat(),
                "value": value,
            }
            for at, value in enumerate(values)
        ]
    )


def price_of(offers: tuple[Offer, ...] | None) -> int:
    assert offers is not None, "the offers did not change"
    return offers[0].price_uc


def test_fixed_source_is_offered_once_and_then_unchanged() -> None:
    sources = Sources([GRID], 100.0)
    assert sources.poll(0) == (Offer("grid", 300_000, 60_000),)
    assert sources.poll(POLL_NS) is None


def test_source_without_a_limit_gives_what_the_feed_carries() -> None:
    unlimited = SourceConfig("grid", 0.3, 0.0, "", None)
    assert Sources([unlimited], 100.0).poll(0) == (Offer("grid", 300_000, 100_000),)


def test_sources_none_offer_nothing() -> None:
    assert Sources([], 100.0).poll(0) == ()


def test_poll_too_soon_looks_at_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tariff.json"
    path.write_text('{"price": 0.1}')
    sources = Sources([by_file(path)], 100.0)
    sources.poll(0)
    path.write_text('{"price": 0.25}')
    assert sources.poll(POLL_NS - 1) is None
    assert price_of(sources.poll(POLL_NS)) == 250_000


def test_file_with_a_price_holds_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "tariff.json"
    path.write_text('{"price": -0.05, "power_w": 42}')
    sources = Sources([by_file(path)], 100.0, Clock(None))
    assert sources.poll(0) == (Offer("grid", -50_000, 42_000),)
    path.write_text('{"price": 0.125, "power_w": null}')
    assert sources.poll(POLL_NS) == (Offer("grid", 125_000, 60_000),)


def test_file_replaced_by_one_of_equal_size_and_time_is_seen(tmp_path: Path) -> None:
    path, other = tmp_path / "tariff.json", tmp_path / "new.json"
    path.write_text('{"price": 0.1}')
    other.write_text('{"price": 0.2}')
    os.utime(path, ns=(1, 1))
    os.utime(other, ns=(1, 1))
    sources = Sources([by_file(path)], 100.0)
    assert price_of(sources.poll(0)) == 100_000
    other.rename(path)
    assert price_of(sources.poll(POLL_NS)) == 200_000


def test_interval_holds_from_its_start_to_just_before_its_end(tmp_path: Path) -> None:
    path = tmp_path / "tariff.json"
    path.write_text(hours(0.1, 0.2))
    clock = Clock(NOON - timedelta(seconds=1))
    sources = Sources([by_file(path)], 100.0, clock)
    prices = [price_of(sources.poll(0))]
    for at, second in enumerate([0, 3600, 7200], start=1):
        clock.moment = NOON + timedelta(seconds=second)
        prices.append(price_of(sources.poll(at * POLL_NS)))
        clock.moment += timedelta(seconds=3599)
        assert sources.poll(at * POLL_NS + POLL_NS // 2) is None
    # Before and after, the configuration's price: never the last one.
    assert prices == [300_000, 100_000, 200_000, 300_000]


def test_clock_not_set_leaves_prices_by_time_unknown(tmp_path: Path) -> None:
    path = tmp_path / "tariff.json"
    path.write_text(hours(0.1))
    clock = Clock(None)
    sources = Sources([by_file(path)], 100.0, clock)
    assert price_of(sources.poll(0)) == 300_000
    clock.moment = NOON
    assert price_of(sources.poll(POLL_NS)) == 100_000


def test_file_broken_keeps_the_last_good_price_until_its_end_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, clock = tmp_path / "tariff.json", Clock()
    path.write_text(hours(0.1))
    sources = Sources([by_file(path)], 100.0, clock)
    assert price_of(sources.poll(0)) == 100_000
    path.write_text('{"price": 0.')
    for at in range(1, 10):
        assert sources.poll(at * POLL_NS) is None
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert str(path) in warnings[0].getMessage()
    clock.moment = NOON + timedelta(hours=1)
    assert price_of(sources.poll(10 * POLL_NS)) == 300_000
    path.write_text('{"price": 0.5}')
    assert price_of(sources.poll(11 * POLL_NS)) == 500_000


def test_file_missing_offers_at_the_configured_price_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sources = Sources([by_file(tmp_path / "gone.json")], 100.0)
    assert price_of(sources.poll(0)) == 300_000
    sources.poll(POLL_NS)
    assert len(caplog.records) == 1
    assert "gone.json" in caplog.text


def test_file_too_long_or_too_deep_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "tariff.json"
    path.write_text("[" * 100_000)
    sources = Sources([by_file(path)], 100.0)
    assert price_of(sources.poll(0)) == 300_000
    path.write_text(" " * FILE_MAX + "7")
    assert sources.poll(POLL_NS) is None
    assert "longer than" in caplog.text


def test_metered_source_offers_nothing_before_its_meter_spoke() -> None:
    assert Sources([PANEL], 100.0).poll(0) == (Offer("panel", 10_000, 0),)


def test_metered_source_that_falls_is_offered_less_at_once() -> None:
    sources = Sources([PANEL], 100.0)
    assert sources.metered([reading(30.02)]) == (Offer("panel", 10_000, 30_000),)
    assert sources.metered([reading(29.96)]) == (Offer("panel", 10_000, 29_950),)


def test_metered_source_that_rises_a_little_is_not_offered_anew() -> None:
    sources = Sources([PANEL], 100.0)
    sources.metered([reading(30.0)])
    assert sources.metered([reading(30.6)]) is None
    assert sources.metered([reading(30.7)]) == (Offer("panel", 10_000, 30_700),)


def test_metered_source_is_never_offered_above_its_configured_power() -> None:
    limited = SourceConfig("panel", 0.01, 20.0, "pv", None)
    sources = Sources([limited], 100.0)
    assert sources.metered([reading(30.0)]) == (Offer("panel", 10_000, 20_000),)


@pytest.mark.parametrize(
    "bad", [reading(30.0, quality=Quality.STALE), reading(float("nan")), reading(-4.0)]
)
def test_metered_source_that_cannot_be_believed_offers_nothing(bad: Reading) -> None:
    sources = Sources([PANEL], 100.0)
    sources.metered([reading(30.0)])
    assert sources.metered([bad]) == (Offer("panel", 10_000, 0),)


def test_meter_gone_silent_ends_the_offer() -> None:
    sources = Sources([PANEL], 100.0)
    sources.metered([reading(30.0, t_ns=1000)])
    assert sources.poll(STALE_NS) is None
    assert sources.poll(STALE_NS + POLL_NS) == (Offer("panel", 10_000, 0),)


def test_reading_of_another_meter_changes_nothing() -> None:
    sources = Sources([GRID, PANEL], 100.0)
    sources.poll(0)
    assert sources.metered([Reading("feed", 0, 12.0, 5.0, 0, Quality.FRESH)]) is None


def test_metered_source_with_a_tariff_takes_price_from_one_and_power_from_the_other(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tariff.json"
    path.write_text('{"price": 0.02, "power_w": 25}')
    sources = Sources([SourceConfig("panel", 0.01, 0.0, "pv", path)], 100.0)
    sources.poll(0)
    assert sources.metered([reading(20.0)]) == (Offer("panel", 20_000, 20_000),)
    assert sources.metered([reading(40.0)]) == (Offer("panel", 20_000, 25_000),)


@given(st.lists(st.floats(0, 200, allow_nan=False), min_size=1, max_size=60))
def test_metered_offer_never_exceeds_the_meter_and_never_lags_far_behind(
    watts: list[float],
) -> None:
    sources = Sources([PANEL], 1000.0)
    offered = 0
    for value in watts:
        offers = sources.metered([reading(value)])
        offered = offered if offers is None else offers[0].power_mw
        given_mw = value * 1000
        assert offered <= given_mw + 1
        slack = max(RISE_MW, offered * RISE_PERCENT / 100) + QUANTUM_MW
        assert given_mw - offered <= slack + 1


@given(st.lists(st.floats(-0.1, 0.1), min_size=50, max_size=200))
def test_metered_offer_under_noise_only_ever_settles_downwards(noise: list[float]) -> None:
    sources = Sources([PANEL], 1000.0)
    offers = [sources.metered([reading(30.0 + value)]) for value in noise]
    powers = [changed[0].power_mw for changed in offers if changed is not None]
    assert all(later < earlier for earlier, later in pairwise(powers))
    # ±0.1 W spans four quanta: no more changes than that, however many samples.
    assert len(powers) <= 200 // QUANTUM_MW + 1


PACK = SourceConfig(
    *("pack", 0.0, 30.0, "pv", None, None, "", False),
    BatteryConfig(100.0, 20.0, 100.0, 80.0, 0.02, 0.10, 0.40, 14.4, 11.5),
)
EXACT = {"pv": Accuracy(0, 0, 0, 0)}


def test_battery_offers_and_buys_by_the_tariff_that_is_known_ahead(tmp_path: Path) -> None:
    path = tmp_path / "tariff.json"
    path.write_text(hours(0.20, 0.60))
    sources = Sources([by_file(path), PACK], 100.0, Clock(), tmp_path)
    sources.poll(0)
    sources.metered([Reading("pv", 1000, 14.4, 0.0, 0, Quality.FRESH)], EXACT)
    offers = sources.poll(POLL_NS)
    assert offers == (Offer("grid", 200_000, 60_000), Offer("pack", 270_000, 30_000))
    assert (sources.charges(), sources.buys_uc("pack")) == ({"pack": 1.0}, None)
    # Half of what it may give is gone: it sells half way between 0.27 and the dearest hour.
    later = Reading("pv", LIST_NS, 12.8, 1.0, 40 * 3_600_000, Quality.FRESH)
    sources.metered([later], EXACT)
    assert price_of(sources.poll(LIST_NS)) == 200_000
    sold_uc = 435_000 + 1  # in the battery's favour
    assert sources.metered([]) is None
    assert sources.buys_uc("pack") == (sold_uc - 20_000) * 8 // 10
    sources.close()
    assert (tmp_path / "battery.pack.json").exists()


def test_battery_that_nobody_has_charges_nothing() -> None:
    assert Sources([GRID], 100.0).buys_uc("pack") is None
