"""Fails if the audit of a reader passes over a conversion that was read twice, or not at all."""

from __future__ import annotations

from rackgrid_firmware.mock.audit import Audit, Tally
from rackgrid_firmware.mock.bus import ChipPort, MockSMBus, swapped
from rackgrid_firmware.mock.chip import BUS, CONFIGURATION, POWER_ON, SHUNT, Ina219Chip
from rackgrid_firmware.mock.wire import VirtualClock

CYCLE_NS = 1_064_000


def desk() -> tuple[Audit, VirtualClock]:
    clock = VirtualClock(0)
    chips = {0x40: Ina219Chip(0, noise=0.0)}
    return Audit(MockSMBus(ChipPort(chips, clock)), chips), clock


def sample(audit: Audit) -> None:
    audit.read_word_data(0x40, SHUNT)
    audit.read_word_data(0x40, BUS)
    audit.took(0x40)


def test_audit_of_a_reader_that_keeps_pace_finds_each_conversion_read_once() -> None:
    audit, clock = desk()
    for _ in range(10):
        clock.until(clock() + CYCLE_NS)
        sample(audit)
    assert audit.tally(0x40) == Tally(samples=10, twice=0, converted=10)
    assert audit.tally(0x40).share == 1.0


def test_audit_finds_what_was_read_twice_and_what_nobody_read() -> None:
    audit, clock = desk()
    for cycles in (1, 0, 2, 1):
        clock.until(clock() + cycles * CYCLE_NS)
        sample(audit)
    assert audit.tally(0x40) == Tally(samples=4, twice=1, converted=4)
    assert audit.tally(0x40).share == 0.75


def test_audit_counts_a_sample_as_read_twice_if_half_of_it_was() -> None:
    audit, clock = desk()
    clock.until(CYCLE_NS)
    sample(audit)
    clock.until(CYCLE_NS + 600_000)  # the shunt of the next is there, its bus voltage is not
    sample(audit)
    assert audit.tally(0x40).twice == 1


def test_audit_hands_on_what_it_notes() -> None:
    audit, clock = desk()
    assert audit.tally(0x40).share == 0.0
    audit.write_word_data(0x40, CONFIGURATION, swapped(POWER_ON))
    clock.until(2 * CYCLE_NS)
    assert swapped(audit.read_word_data(0x40, CONFIGURATION)) == POWER_ON
    audit.close()
