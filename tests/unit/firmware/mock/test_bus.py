"""Fails if the mock bus is not what smbus2 would be: signatures, byte order, errors."""

from __future__ import annotations

import errno
import inspect
from collections.abc import Iterator

import pytest
import smbus2
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.mock.bus import ChipPort, MockSMBus, swapped
from rackgrid_firmware.mock.chip import CALIBRATION, CONFIGURATION, POWER_ON, SHUNT, Ina219Chip
from rackgrid_firmware.mock.fault import ERRNO, Fault, FaultBook, bus_error


@pytest.fixture
def bus() -> Iterator[MockSMBus]:
    chip = Ina219Chip()
    mock = MockSMBus(ChipPort({0x40: chip}, clock=lambda: 0), hang_s=0.0)
    yield mock
    mock.close()


@pytest.mark.parametrize("call", ["read_word_data", "write_word_data"])
def test_bus_takes_its_arguments_as_smbus2_does(call: str) -> None:
    real = list(inspect.signature(getattr(smbus2.SMBus, call)).parameters)
    mock = list(inspect.signature(getattr(MockSMBus, call)).parameters)
    assert mock == real


def test_bus_words_come_low_byte_first(bus: MockSMBus) -> None:
    assert bus.read_word_data(0x40, CONFIGURATION) == swapped(POWER_ON) == 0x9F39
    bus.write_word_data(0x40, CALIBRATION, swapped(0x1234))
    assert bus.read_word_data(0x40, CALIBRATION, force=None) == swapped(0x1234)


def test_bus_address_without_a_chip_gives_121(bus: MockSMBus) -> None:
    for access in (
        lambda: bus.read_word_data(0x41, SHUNT),
        lambda: bus.write_word_data(0x41, CALIBRATION, 0),
    ):
        with pytest.raises(OSError, match=r"\[Errno 121\]"):
            access()


def test_bus_register_that_is_not_there_reads_ones_and_swallows_writes(bus: MockSMBus) -> None:
    assert bus.read_word_data(0x40, 0x0F) == 0xFFFF
    bus.write_word_data(0x40, 0x0F, 1)


@pytest.mark.parametrize(("fault", "code"), [(Fault.NACK, 121), (Fault.TIMEOUT, 110)])
def test_bus_injected_fault_raises_once_and_is_over(
    bus: MockSMBus, fault: Fault, code: int
) -> None:
    bus.faults.add(fault, address=0x40)
    with pytest.raises(OSError, match=f"Errno {code}"):
        bus.read_word_data(0x40, CONFIGURATION)
    assert bus.read_word_data(0x40, CONFIGURATION) == swapped(POWER_ON)


def test_bus_garbage_reads_wrong_bits_and_writes_wrong_bits(bus: MockSMBus) -> None:
    bus.faults.add(Fault.GARBAGE)
    assert bus.read_word_data(0x40, CONFIGURATION) != swapped(POWER_ON)
    bus.faults.add(Fault.GARBAGE)
    bus.write_word_data(0x40, CALIBRATION, 0)
    assert bus.read_word_data(0x40, CALIBRATION) != 0


def test_bus_port_that_hangs_is_a_timeout() -> None:
    class Hanging(ChipPort):
        def read_word(self, address: int, register: int) -> int:
            raise bus_error(ERRNO[Fault.TIMEOUT])

        def write_word(self, address: int, register: int, value: int) -> None:
            raise bus_error(ERRNO[Fault.TIMEOUT])

    bus = MockSMBus(Hanging({}), FaultBook(), hang_s=0.0)
    with pytest.raises(TimeoutError) as caught:
        bus.read_word_data(0x40, SHUNT)
    assert caught.value.errno == errno.ETIMEDOUT
    with pytest.raises(TimeoutError):
        bus.write_word_data(0x40, CALIBRATION, 0)


@given(st.integers(0, 0xFFFF))
def test_swapped_twice_is_the_word_itself(word: int) -> None:
    assert swapped(swapped(word)) == word
