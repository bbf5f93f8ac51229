"""Fails if a fault hits another chip than it was written for, or happens too often."""

from __future__ import annotations

import errno

from rackgrid_firmware.mock.fault import ERRNO, Fault, FaultBook, bus_error


def test_book_empty_lets_everything_pass() -> None:
    assert FaultBook().take(0x40) is None


def test_book_counted_fault_happens_that_often() -> None:
    book = FaultBook()
    book.add(Fault.NACK, count=2)
    assert [book.take(0x40) for _ in range(3)] == [Fault.NACK, Fault.NACK, None]


def test_book_fault_of_one_chip_spares_the_others() -> None:
    book = FaultBook()
    book.add(Fault.GARBAGE, address=0x41)
    assert book.take(0x40) is None
    assert book.take(0x41) is Fault.GARBAGE
    assert book.take(0x41) is None


def test_book_endless_fault_ends_with_the_repair() -> None:
    book = FaultBook()
    book.add(Fault.TIMEOUT, count=-1)
    assert {book.take(0x40) for _ in range(50)} == {Fault.TIMEOUT}
    book.clear()
    assert book.take(0x40) is None


def test_bus_error_is_what_the_kernel_gives() -> None:
    assert bus_error(ERRNO[Fault.NACK]).errno == errno.EREMOTEIO == 121
    assert isinstance(bus_error(ERRNO[Fault.TIMEOUT]), TimeoutError)
