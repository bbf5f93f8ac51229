"""Fails if simulated transfers take another time than the wire's, or latch at another moment."""

from __future__ import annotations

import pytest

from rackgrid_firmware.mock.bus import ChipPort, MockSMBus, swapped
from rackgrid_firmware.mock.chip import BUS, CONFIGURATION, POWER_ON, Ina219Chip
from rackgrid_firmware.mock.wire import TimedBus, VirtualClock

CYCLE_NS = 1_064_000


def wired(hertz: int, overhead_ns: int = 0) -> tuple[TimedBus, VirtualClock]:
    clock = VirtualClock(0)
    port = ChipPort({0x40: Ina219Chip(0, noise=0.0)}, clock)
    return TimedBus(MockSMBus(port), clock, hertz, overhead_ns), clock


@pytest.mark.parametrize(
    ("hertz", "read_ns", "write_ns"),
    [
        (100_000, 480_000, 380_000),
        (400_000, 120_000, 95_000),
    ],
)
def test_transfer_takes_its_bit_times(hertz: int, read_ns: int, write_ns: int) -> None:
    bus, clock = wired(hertz)
    assert swapped(bus.read_word_data(0x40, CONFIGURATION)) == POWER_ON
    assert clock() == read_ns
    bus.write_word_data(0x40, CONFIGURATION, swapped(POWER_ON))
    assert (clock(), bus.transfers) == (read_ns + write_ns, 2)


def test_transfer_takes_the_kernels_time_besides() -> None:
    bus, clock = wired(400_000, overhead_ns=90_000)
    bus.read_word_data(0x40, CONFIGURATION)
    assert clock() == 210_000


@pytest.mark.parametrize(("early_ns", "converted"), [(0, True), (2_000, False)])
def test_read_gives_what_the_chip_has_at_its_read_address(early_ns: int, converted: bool) -> None:
    """75 µs into the transfer at 400 kHz: a conversion that ends later is not in the word."""
    bus, clock = wired(400_000)
    clock.until(CYCLE_NS - 75_000 - early_ns)
    assert bool(swapped(bus.read_word_data(0x40, BUS)) & 2) is converted


def test_clock_waits_forwards_only() -> None:
    clock = VirtualClock(5)
    clock.until(3)
    assert clock() == 5
    clock.sleep(1e-6)
    assert clock() == 1005


def test_bus_that_is_closed_closes_the_one_behind_it() -> None:
    closed: list[bool] = []

    class Port(ChipPort):
        def close(self) -> None:
            closed.append(True)

    TimedBus(MockSMBus(Port({})), VirtualClock()).close()
    assert closed == [True]
