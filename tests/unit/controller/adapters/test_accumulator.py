"""A battery that trades: what it offers, what it is charged for, and what a restart knows of it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from rackgrid.adapters.accumulator import KEEP_NS, STALE_NS, Accumulator, pack_of, sight_of
from rackgrid.config import BatteryConfig
from rackgrid.market.offer import Offer
from rackgrid.market.tariff import Interval
from rackgrid_firmware.device import Accuracy, Quality, Reading

S = 10**9
WH = 3_600_000
CONFIG = BatteryConfig(100.0, 20.0, 100.0, 80.0, 0.02, 0.10, 0.40, 14.4, 11.5)
"""Sells at 0.40 while it is nearly empty, and full at 0.145: 0.10 / 80 % + 0.02."""
EXACT = Accuracy(0, 0, 0, 0)


class Bench:
    """A battery with its meter and both clocks."""

    def __init__(self, folder: Path, kernel: str = "k1", wall_ns: int | None = 10**18) -> None:
        self.folder = folder
        self.wall_ns = wall_ns
        self.now_ns = S
        self.begin(kernel)

    def begin(self, kernel: str) -> None:
        shelf = self.folder / "battery.json"
        self.it = Accumulator("pack", CONFIG, 30.0, shelf, kernel, lambda: self.wall_ns)

    def see(
        self,
        watts: float,
        volts: float = 12.8,
        counter_mj: int = 0,
        after_s: float = 0.1,
        quality: Quality = Quality.FRESH,
    ) -> Offer:
        self.now_ns += round(after_s * S)
        reading = Reading("m", self.now_ns, volts, watts / volts, counter_mj, quality)
        self.it.take(reading, EXACT)
        self.it.look(self.now_ns, ())
        return self.it.offer()

    def kept(self) -> None:
        self.it.close()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_battery_never_seen_gives_nothing_and_is_charged_at_any_price_that_pays(
    bench: Bench,
) -> None:
    assert bench.see(0.0).power_mw == 0
    assert bench.it.share == 0
    assert bench.it.buys_uc == (400_000 - 20_000) * 8 // 10


def test_battery_that_is_full_offers_its_power_and_buys_nothing(bench: Bench) -> None:
    assert bench.see(0.0, volts=14.4) == Offer("pack", 145_000, 30_000)
    assert (bench.it.buys_uc, bench.it.share) == (None, 1.0)
    # It waits until a twentieth is missing: 4 Wh of 80.
    bench.see(20.0, counter_mj=3 * WH)
    assert bench.it.buys_uc is None
    bench.see(20.0, counter_mj=4 * WH)
    assert bench.it.buys_uc is not None


def test_battery_offers_no_more_than_it_can_hold_for_ten_minutes(bench: Bench) -> None:
    bench.see(0.0, volts=14.4)
    # 4 Wh above its low bound last ten minutes at 24 W.
    offer = bench.see(20.0, counter_mj=76 * WH)
    assert 22_500 <= offer.power_mw <= 24_000
    assert bench.see(20.0, counter_mj=80 * WH).power_mw == 0


@pytest.mark.parametrize(
    ("watts", "volts", "quality"),
    [
        (-5.0, 12.8, Quality.FRESH),
        (5.0, 11.5, Quality.FRESH),
        (5.0, 12.8, Quality.STALE),
        (5.0, 12.8, Quality.SATURATED),
        (float("nan"), 12.8, Quality.FRESH),
    ],
)
def test_battery_that_takes_is_down_or_cannot_be_seen_offers_nothing_at_once(
    bench: Bench, watts: float, volts: float, quality: Quality
) -> None:
    assert bench.see(0.0, volts=14.4).power_mw
    bench.it.take(Reading("m", bench.now_ns, volts, watts / volts, 0, quality), EXACT)
    assert bench.it.offer().power_mw == 0


def test_battery_whose_meter_is_silent_offers_nothing(bench: Bench) -> None:
    bench.see(0.0, volts=14.4)
    bench.it.look(bench.now_ns + STALE_NS - 1, ())
    assert bench.it.offer().power_mw
    bench.it.look(bench.now_ns + STALE_NS, ())
    assert bench.it.offer().power_mw == 0


def test_time_at_the_meters_end_stop_may_have_taken_all_that_it_gives(bench: Bench) -> None:
    bench.see(0.0, volts=14.4)
    bench.see(30.0, quality=Quality.SATURATED, after_s=5)
    bench.see(0.0, after_s=5)
    assert bench.it.share == pytest.approx(1 - 300_000 / (100 * WH))


def test_prices_known_ahead_stand_for_the_range(bench: Bench) -> None:
    bench.see(0.0, volts=14.4)
    bench.it.look(bench.now_ns, [Interval(0, 1, 200_000), Interval(1, 2, 900_000)])
    assert bench.it.offer().price_uc == 200_000 * 10 // 8 + 20_000


def test_range_that_losses_eat_up_trades_nothing(bench: Bench) -> None:
    bench.see(0.0, volts=14.4)
    bench.it.look(bench.now_ns, [Interval(0, 1, 300_000), Interval(1, 2, 310_000)])
    assert (bench.it.offer().power_mw, bench.it.buys_uc) == (0, None)


def test_price_stands_until_it_is_a_fiftieth_off(bench: Bench) -> None:
    first = bench.see(0.0, volts=14.4)
    assert bench.see(20.0, counter_mj=WH // 2) == first
    assert bench.see(20.0, counter_mj=2 * WH).price_uc > first.price_uc * 1.02


def test_restart_of_the_controller_goes_by_the_counter(bench: Bench) -> None:
    bench.see(0.0, volts=14.4)
    bench.kept()
    bench.begin("k1")
    bench.see(10.0, counter_mj=10 * WH, after_s=20)
    assert bench.it.share == pytest.approx(0.9)


def test_restart_of_the_machine_takes_off_all_that_it_may_have_given(bench: Bench) -> None:
    bench.see(0.0, volts=14.4)
    bench.kept()
    bench.begin("k2")
    assert bench.wall_ns is not None
    kept_ns, bench.wall_ns = bench.wall_ns, None
    bench.see(0.0)
    assert bench.it.share == 0, "nobody knows how long it was off"
    bench.wall_ns = kept_ns + 3600 * S
    bench.see(0.0)
    assert bench.it.share == pytest.approx(0.7), "an hour at 30 W"


def test_clock_that_has_gone_back_proves_nothing(bench: Bench) -> None:
    bench.see(0.0, volts=14.4)
    bench.kept()
    assert bench.wall_ns is not None
    bench.wall_ns -= S
    bench.begin("k2")
    bench.see(0.0)
    assert bench.it.share == 0


def test_what_is_in_it_is_kept_once_a_minute(bench: Bench) -> None:
    def kept_ns() -> int:
        bench.it.settle()
        return json.loads((bench.folder / "battery.json").read_text())["seen_ns"]

    bench.see(0.0, volts=14.4)
    first_ns = bench.now_ns
    assert kept_ns() == first_ns
    bench.see(0.0, after_s=1)
    assert kept_ns() == first_ns
    bench.see(0.0, after_s=KEEP_NS / S)
    assert kept_ns() == bench.now_ns


@pytest.mark.parametrize("content", ["{", "[]", '{"kernel": "k1"}', '{"least_mj": -1}'])
def test_file_that_says_nothing_leaves_it_empty_and_is_named(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "battery.json").write_text(content)
    with caplog.at_level(logging.WARNING):
        bench = Bench(tmp_path)
    assert "counts as empty until it is full" in caplog.text
    bench.see(0.0)
    assert bench.it.share == 0


def test_file_that_cannot_be_written_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path / "gone")
    bench.see(0.0)
    bench.it.settle()
    assert "would count as emptier after a restart" in caplog.text


def test_integers_of_a_battery_round_against_it() -> None:
    pack = pack_of(CONFIG, 30.0009)
    battery = pack.battery
    assert (battery.low_mj, battery.high_mj, battery.sells_mw) == (20 * WH, 100 * WH, 30_000)
    assert (battery.efficiency_permille, battery.wear_uc) == (800, 20_000)
    assert (pack.full_mv, pack.empty_mv) == (14_400, 11_500)


def test_meter_without_a_known_accuracy_is_doubted() -> None:
    reading = Reading("m", 5, 10.0, -1.0, 3, Quality.FRESH)
    assert sight_of(reading, None).doubt_mw == 100 + 500
    assert sight_of(reading, Accuracy(0.01, 0, 0, 0)).doubt_mw == 101
    assert sight_of(reading, EXACT).power_mw == -10_000
