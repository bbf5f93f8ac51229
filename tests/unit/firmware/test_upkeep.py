"""Fails if a chip that forgot, was exchanged or stands still goes unnoticed, or a healthy one not.

What drivers make of it is in test_chip_contract.py.
"""

from __future__ import annotations

import pytest

from rackgrid_firmware.errors import DeviceFault
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.part import INA226
from rackgrid_firmware.upkeep import VERIFY_NS, Ready, Seat, Upkeep, Way

CYCLE_NS = 10_000_000
WORD = 0x4437
USUAL = Way(WORD, CYCLE_NS, CYCLE_NS)
HASTY = Way(0x4090, 472_000, 472_000)
FLAG = 0x0008


class Words:
    """Registers that hold what the test puts there; also the bus that they are on."""

    def __init__(self) -> None:
        self.words = {0: 0x4127, 1: 500, 2: 9600, 6: 0, 0xFE: 0x5449, 0xFF: 0x2260}
        self.crossed: list[tuple[str, int]] = []
        self.is_writable = True

    def read_word_data(self, i2c_addr: int, register: int) -> int:
        self.crossed.append(("r", register))
        word = self.words[register]
        if register == 6:
            self.words[6] &= ~FLAG
        return (word & 0xFF) << 8 | word >> 8

    def write_word_data(self, i2c_addr: int, register: int, value: int) -> None:
        self.crossed.append(("w", register))
        if self.is_writable:
            self.words[register] = (value & 0xFF) << 8 | value >> 8

    def close(self) -> None:
        pass


class Bench:
    def __init__(self) -> None:
        self.now_ns = 0
        self.words = Words()
        bus = Bus(3, lambda number: self.words)
        self.upkeep = Upkeep(bus, 0x44, INA226, Ready(6, FLAG), lambda: self.now_ns)
        self.seat = self.upkeep.seat(1, 2)
        self.upkeep.configure(USUAL, HASTY)

    def visit(self, *, is_up: bool, after_ns: int = CYCLE_NS) -> tuple[int, int] | None:
        """Let time pass and visit the chip; give the words that are new."""
        self.now_ns += after_ns
        self.words.words[6] |= FLAG * is_up
        self.upkeep.visit()
        return self.seat.take()

    @property
    def written(self) -> int:
        return self.words.crossed.count(("w", 0))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_seat_gives_its_words_once() -> None:
    seat = Seat(1, 2)
    assert seat.take() is None
    seat.put((500, 9600))
    assert (seat.take(), seat.take()) == ((500, 9600), None)


def test_upkeep_asks_who_is_there_before_it_writes_and_reads_back(bench: Bench) -> None:
    bench.upkeep.visit()
    assert bench.words.crossed == [("r", 0xFE), ("r", 0xFF), ("w", 0), ("r", 0)]
    assert bench.words.words[0] == WORD
    assert bench.upkeep.begun_ns == bench.now_ns


def test_upkeep_reads_what_has_converted_and_asks_each_time(bench: Bench) -> None:
    bench.upkeep.visit()
    bench.words.crossed.clear()
    assert bench.visit(is_up=False) is None
    assert bench.words.crossed == [("r", 6)]
    bench.words.crossed.clear()
    assert bench.visit(is_up=True, after_ns=500_000) == (500, 9600)
    assert bench.words.crossed == [("r", 6), ("r", 2), ("r", 1)]
    assert bench.visit(is_up=False) is None


def test_upkeep_does_not_ask_before_a_conversion_can_have_ended(bench: Bench) -> None:
    bench.upkeep.visit()
    bench.words.crossed.clear()
    assert bench.visit(is_up=True, after_ns=CYCLE_NS * 8 // 10) is None
    assert bench.words.crossed == []


def test_upkeep_other_bits_of_the_flags_register_mean_nothing(bench: Bench) -> None:
    bench.upkeep.visit()
    bench.words.words[6] = 0xFFF7
    assert bench.visit(is_up=False) is None


def test_upkeep_reads_all_seats_at_once_and_looks_once_for_all_of_them(bench: Bench) -> None:
    other = bench.upkeep.seat(1, 6)
    bench.upkeep.visit()
    assert bench.visit(is_up=True) == (500, 9600)
    assert other.take() == (500, 0)
    bench.words.crossed.clear()
    assert bench.upkeep.is_intact()
    assert bench.upkeep.is_intact()
    assert bench.words.crossed == [("r", 0)]


def test_upkeep_looks_at_the_configuration_each_ten_seconds_and_when_in_doubt(
    bench: Bench,
) -> None:
    bench.upkeep.visit()
    bench.words.crossed.clear()
    bench.visit(is_up=True, after_ns=VERIFY_NS - 1)
    assert ("r", 0) not in bench.words.crossed
    bench.visit(is_up=True, after_ns=1)
    assert bench.words.crossed.count(("r", 0)) == 1
    bench.upkeep.distrust()
    bench.visit(is_up=True)
    assert bench.words.crossed.count(("r", 0)) == 2


def test_upkeep_chip_that_was_reset_is_counted_and_waited_for_again(bench: Bench) -> None:
    bench.upkeep.visit()
    assert bench.visit(is_up=True) is not None
    bench.words.words |= {0: 0x4127, 1: 0}
    assert bench.visit(is_up=True) == (0, 9600)
    assert not bench.upkeep.is_intact()
    assert (bench.upkeep.resets, bench.words.words[0]) == (1, WORD)


def test_upkeep_that_is_in_a_hurry_converts_fast_for_so_long(bench: Bench) -> None:
    bench.upkeep.visit()
    bench.visit(is_up=True)
    bench.upkeep.hurry(bench.now_ns + 50_000_000)
    bench.upkeep.hurry(bench.now_ns)  # sooner: changes nothing
    assert bench.visit(is_up=False, after_ns=0) is None
    assert (bench.words.words[0], bench.upkeep.cycle_ns) == (HASTY.word, HASTY.cycle_ns)
    assert bench.visit(is_up=True, after_ns=HASTY.cycle_ns) is not None
    bench.visit(is_up=True, after_ns=50_000_000)
    assert (bench.words.words[0], bench.upkeep.resets) == (WORD, 0)


def test_upkeep_hurry_of_a_chip_that_converts_like_that_already_writes_nothing(
    bench: Bench,
) -> None:
    bench.upkeep.configure(HASTY, HASTY)
    bench.upkeep.visit()
    written = bench.written
    bench.upkeep.hurry(bench.now_ns + 50_000_000)
    bench.visit(is_up=True)
    bench.visit(is_up=True, after_ns=60_000_000)
    assert bench.written == written


def test_upkeep_at_rest_lets_the_chip_sleep_and_forgets_what_it_said(bench: Bench) -> None:
    bench.upkeep.visit()
    bench.now_ns += CYCLE_NS
    bench.words.words[6] |= FLAG
    bench.upkeep.visit()
    bench.upkeep.rest()
    assert bench.words.words[0] == WORD & ~7
    assert bench.seat.take() is None
    assert bench.visit(is_up=False) is None
    assert (bench.words.words[0], bench.upkeep.resets) == (WORD, 0)


def test_upkeep_chip_that_does_not_convert_is_started_again_and_then_a_fault(
    bench: Bench,
) -> None:
    bench.upkeep.visit()
    while bench.written < 2:
        bench.visit(is_up=False, after_ns=1_000_000)
        assert bench.now_ns < 40_000_000, "not started again"
    assert bench.upkeep.resets == 1

    def watch() -> None:
        while bench.now_ns < 90_000_000:
            bench.visit(is_up=False, after_ns=1_000_000)

    with pytest.raises(DeviceFault, match=r"0x44 on I2C bus 3 does not .* \(bit 3 of 06h\) has"):
        watch()
    bench.visit(is_up=False, after_ns=0)
    assert bench.written == 3, "in case it comes back"


def test_upkeep_flag_that_surprises_makes_it_look_at_the_configuration(bench: Bench) -> None:
    bench.upkeep.visit()
    bench.words.crossed.clear()
    bench.visit(is_up=False, after_ns=2 * CYCLE_NS)
    bench.visit(is_up=False, after_ns=CYCLE_NS)
    assert ("r", 0) in bench.words.crossed


def test_upkeep_counts_what_nobody_read_over_all_ways(bench: Bench) -> None:
    bench.upkeep.visit()
    bench.visit(is_up=True)
    bench.visit(is_up=True, after_ns=20 * CYCLE_NS)
    missed = bench.upkeep.missed
    assert missed >= 16
    bench.upkeep.configure(HASTY, HASTY)
    assert bench.upkeep.missed == missed


def test_upkeep_chip_that_takes_no_configuration_is_a_fault(bench: Bench) -> None:
    bench.words.is_writable = False
    with pytest.raises(DeviceFault, match="0x44 on I2C bus 3 does not keep its configuration"):
        bench.upkeep.visit()
    assert bench.upkeep.resets == 0


@pytest.mark.parametrize(
    ("maker", "die", "said"),
    [
        (0x5449, 0x2270, 'it is an INA260; write driver = "ina260", or fit the right chip'),
        (0x5449, 0x3220, 'it is an INA3221; write driver = "ina3221", or fit the right chip'),
        (0x5449, 0x2381, "its die id is 238h, which no driver here knows; fit the right chip"),
        (0xFFFF, 0xFFFF, 'its maker id reads 0xffff; if it is an INA219, which has no ids, write '
         'driver = "ina219", else check address and wiring'),
    ],
)  # fmt: skip
def test_upkeep_another_chip_is_named_and_not_written_to(
    bench: Bench, maker: int, die: int, said: str
) -> None:
    bench.words.words |= {0xFE: maker, 0xFF: die}
    with pytest.raises(DeviceFault) as caught:
        bench.upkeep.visit()
    assert str(caught.value) == f"the chip at 0x44 on I2C bus 3 is no INA226: {said}"
    assert ("w", 0) not in bench.words.crossed


def test_upkeep_another_revision_of_the_die_is_the_same_chip(bench: Bench) -> None:
    bench.words.words[0xFF] = 0x2261
    bench.upkeep.visit()
    assert bench.words.words[0] == WORD


def test_upkeep_ids_that_read_garbled_once_are_no_other_chip() -> None:
    class Garbled(Words):
        def read_word_data(self, i2c_addr: int, register: int) -> int:
            word = super().read_word_data(i2c_addr, register)
            return word ^ 0x10 if self.crossed.count(("r", register)) == 1 else word

    bench = Bench()
    bench.words = Garbled()
    bench.upkeep.visit()
    assert bench.words.words[0] == WORD
