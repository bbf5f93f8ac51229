"""Fails if a Pi that is under-supplied is not told of, or one that was not asked counts as well."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import put

from rackgrid.adapters.supply import Supply, flags_of, look, parse_word
from rackgrid.core.view import SupplyFlags, SupplyView

WORD = "/sys/devices/platform/soc/soc:firmware/get_throttled"
WELL = SupplyFlags(False, False, False, False)


def wait_until(what: str, condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, f"not within 10 s: {what}"
        time.sleep(0.002)


@pytest.mark.parametrize(
    ("word", "now", "since"),
    [
        (0x0, WELL, WELL),
        (0x1, SupplyFlags(True, False, False, False), WELL),
        (0x50005, SupplyFlags(True, False, True, False), SupplyFlags(True, False, True, False)),
        (0xA0000, WELL, SupplyFlags(False, True, False, True)),
    ],
)
def test_word_says_what_is_and_what_was(word: int, now: SupplyFlags, since: SupplyFlags) -> None:
    assert flags_of(word) == SupplyView(now, since)


@pytest.mark.parametrize(
    ("text", "word"),
    [("0x50005", 0x50005), ("50005\n", 0x50005), ("0", 0), ("", None), ("x", None)],
)
def test_word_is_hexadecimal_either_way(text: str, word: int | None) -> None:
    assert parse_word(text) == word


def test_look_takes_the_word_before_the_alarm(tmp_path: Path) -> None:
    assert look(tmp_path) is None
    put(tmp_path, "/sys/class/hwmon/hwmon0/name", "rpi_volt\n")
    put(tmp_path, "/sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")
    assert look(tmp_path) == SupplyView(SupplyFlags(True, None, None, None), None)
    put(tmp_path, WORD, "0\n")
    assert look(tmp_path) == flags_of(0)


def test_alarm_of_another_chip_is_none_of_the_pis(tmp_path: Path) -> None:
    put(tmp_path, "/sys/class/hwmon/hwmon0/name", "ina226\n")
    put(tmp_path, "/sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")
    assert look(tmp_path) is None


def test_supply_that_fails_and_recovers_is_told_and_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rackgrid.supply")
    put(tmp_path, WORD, "0")
    supply = Supply(tmp_path, every_s=0.005)
    supply.start()
    try:
        wait_until("a first look", lambda: supply.seen == flags_of(0))
        assert not caplog.records
        put(tmp_path, WORD, "50005")
        wait_until("the fault", lambda: "throttled" in caplog.text)
        put(tmp_path, WORD, "50000")
        wait_until("its end", lambda: "well again" in caplog.text)
        assert supply.seen == flags_of(0x50000)
    finally:
        supply.close()
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "WARNING", "INFO"]


def test_machine_that_says_nothing_costs_no_thread(tmp_path: Path) -> None:
    supply = Supply(tmp_path)
    supply.start()
    supply._thread.join(5)
    assert not supply._thread.is_alive()
    assert supply.seen is None
    supply.close()


def test_supply_that_was_never_begun_can_be_closed(tmp_path: Path) -> None:
    Supply(tmp_path).close()
