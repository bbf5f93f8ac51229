"""A tariff over MQTT: what is published is understood or changes nothing, and slots are kept."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from rackgrid.adapters.tariff_mqtt import LAST_NS, MqttTariff
from rackgrid.market.tariff import Flat

NOON_NS = 1_772_366_400 * 10**9  # 2026-03-01T12:00:00Z
HOUR_NS = 3600 * 10**9


class Clock:
    def __init__(self) -> None:
        self.ns = 5

    def __call__(self) -> int:
        return self.ns


def tariff(cache: Path | None = None, clock: Clock | None = None) -> MqttTariff:
    return MqttTariff("grid", cache, lambda: NOON_NS, clock or Clock())


def slots(*hours: tuple[int, float]) -> bytes:
    """Write a list of hours: when each begins, and its price."""
    return json.dumps(
        [
            {
                "start": f"2026-03-01T{hour:02}:00:00Z",
                "end": f"2026-03-01T{hour + 1:02}:00:00Z",
                "value": price,
            }
            for hour, price in hours
        ]
    ).encode()


@pytest.mark.parametrize(
    ("payload", "price_uc"),
    [(b"0.31", 310_000), (b" -0.05\n", -50_000), (b"0", 0), (b'{"price": 0.2}', 200_000)],
)
def test_price_alone_holds_for_a_day_at_most(payload: bytes, price_uc: int) -> None:
    clock = Clock()
    heard = tariff(clock=clock)
    assert heard.prices.price_at(NOON_NS) is None
    heard.hear("prices", payload)
    assert heard.prices == Flat(price_uc)
    clock.ns += LAST_NS - 1
    assert heard.prices.price_at(None) == price_uc
    clock.ns += 1
    assert heard.prices.price_at(NOON_NS) is None


def test_slots_hold_in_their_time_and_newer_ones_replace_them() -> None:
    heard = tariff()
    heard.hear("prices", slots((12, 0.3), (13, 0.2)))
    heard.hear("prices", slots((13, 0.1), (14, 0.4)))
    prices = [heard.prices.price_at(NOON_NS + hour * HOUR_NS) for hour in range(4)]
    assert prices == [300_000, 100_000, 400_000, None]


def test_slots_are_kept_over_a_restart(tmp_path: Path) -> None:
    cache = tmp_path / "tariff.grid"
    heard = tariff(cache)
    heard.hear("prices", slots((12, 0.3)))
    heard.close()
    assert tariff(cache).prices.price_at(NOON_NS) == 300_000


def test_kept_slots_that_are_broken_are_said_and_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "tariff.grid"
    cache.write_bytes(b"[{")
    assert tariff(cache).prices.price_at(NOON_NS) is None
    assert "kept prices are not used" in caplog.text


@pytest.mark.parametrize("payload", [b"", b"dear", b"1e999", b"[1]", b"{}", b"9" * 12, b"[" * 9999])
def test_what_cannot_be_understood_changes_nothing_and_is_said_once(
    payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    heard = tariff()
    heard.hear("prices", slots((12, 0.3)))
    heard.hear("prices", payload)
    heard.hear("prices", payload)
    assert heard.prices.price_at(NOON_NS) == 300_000
    assert len(caplog.records) == 1
    assert "prices is no tariff" in caplog.text
