"""Fails if a chip that forgot, was exchanged or stands still goes unnoticed, or a healthy one not.

What drivers make of it is in test_chip_contract.py.
"""

from __future__ import annotations

import pytest

from rackgrid_firmware.errors import DeviceFault
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.part import INA226
from rackgrid_firmware.upkeep import VERIFY_NS, Ready, Upkeep

CYCLE_NS = 10_000_000
WORD = 0x4437


class Words:
    """Registers that hold what the test puts there; also the bus that they are on."""

    def __init__(self) -> None:
        self.words = {0: 0x4127, 6: 0, 0xFE: 0x5449, 0xFF: 0x2260}
        self.crossed: list[tuple[str, int]] = []
        self.is_writable = True

    def read_word_data(self, i2c_addr: int, register: int) -> int:
        self.crossed.append(("r", register))
        word = self.words[register]
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
        self.upkeep = Upkeep(bus, 0x44, INA226, Ready(6, 0x0008), lambda: self.now_ns)
        self.upkeep.configure(WORD, CYCLE_NS)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_upkeep_asks_who_is_there_before_it_writes_and_reads_back(bench: Bench) -> None:
    assert not bench.upkeep.is_ready()
    assert bench.words.crossed == [("r", 0xFE), ("r", 0xFF), ("w", 0), ("r", 0), ("r", 6)]
    assert bench.words.words[0] == WORD


def test_upkeep_flag_is_asked_for_until_it_is_seen_and_no_more(bench: Bench) -> None:
    bench.upkeep.is_ready()
    bench.words.words[6] = 0x0008
    assert bench.upkeep.is_ready()
    bench.words.words[6] = 0
    bench.words.crossed.clear()
    assert bench.upkeep.is_ready()
    assert bench.words.crossed == []


def test_upkeep_other_bits_of_the_flags_register_mean_nothing(bench: Bench) -> None:
    bench.words.words[6] = 0xFFF7
    assert not bench.upkeep.is_ready()


def test_upkeep_looks_at_the_configuration_each_ten_seconds_and_when_in_doubt(
    bench: Bench,
) -> None:
    bench.words.words[6] = 0x0008
    bench.upkeep.is_ready()
    bench.words.crossed.clear()
    bench.now_ns = VERIFY_NS - 1
    bench.upkeep.is_ready()
    assert bench.words.crossed == []
    bench.now_ns = VERIFY_NS
    bench.upkeep.is_ready()
    assert bench.words.crossed == [("r", 0)]
    bench.upkeep.distrust()
    assert bench.upkeep.is_ready()
    assert bench.words.crossed == [("r", 0), ("r", 0)]


def test_upkeep_chip_that_was_reset_is_counted_and_waited_for_again(bench: Bench) -> None:
    bench.words.words[6] = 0x0008
    assert bench.upkeep.is_ready()
    bench.words.words |= {0: 0x4127, 6: 0}
    bench.upkeep.distrust()
    assert not bench.upkeep.is_ready()
    assert (bench.upkeep.resets, bench.words.words[0]) == (1, WORD)


def test_upkeep_new_configuration_is_written_and_is_no_reset(bench: Bench) -> None:
    bench.words.words[6] = 0x0008
    assert bench.upkeep.is_ready()
    bench.words.words[6] = 0
    bench.upkeep.configure(0x40DF, 1_000_000)
    assert not bench.upkeep.is_ready()
    assert (bench.upkeep.resets, bench.upkeep.cycle_ns) == (0, 1_000_000)
    assert bench.words.words[0] == 0x40DF


def test_upkeep_chip_that_does_not_convert_is_a_fault_after_three_of_its_longest_cycles(
    bench: Bench,
) -> None:
    assert not bench.upkeep.is_ready()
    bench.now_ns = 33_000_000
    assert not bench.upkeep.is_ready()
    bench.now_ns = 33_000_001
    with pytest.raises(DeviceFault, match="0x44 on I2C bus 3 does not convert: check its supply"):
        bench.upkeep.is_ready()
    assert not bench.upkeep.is_ready()  # and is given the same time again


def test_upkeep_chip_that_takes_no_configuration_is_a_fault(bench: Bench) -> None:
    bench.words.is_writable = False
    with pytest.raises(DeviceFault, match="0x44 on I2C bus 3 does not keep its configuration"):
        bench.upkeep.is_ready()
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
        bench.upkeep.is_ready()
    assert str(caught.value) == f"the chip at 0x44 on I2C bus 3 is no INA226: {said}"
    assert ("w", 0) not in bench.words.crossed


def test_upkeep_another_revision_of_the_die_is_the_same_chip(bench: Bench) -> None:
    bench.words.words[0xFF] = 0x2261
    bench.upkeep.is_ready()
    assert bench.words.words[0] == WORD


def test_upkeep_ids_that_read_garbled_once_are_no_other_chip() -> None:
    class Garbled(Words):
        def read_word_data(self, i2c_addr: int, register: int) -> int:
            word = super().read_word_data(i2c_addr, register)
            return word ^ 0x10 if self.crossed.count(("r", register)) == 1 else word

    bench = Bench()
    bench.words = Garbled()
    bench.upkeep.is_ready()
    assert bench.words.words[0] == WORD
