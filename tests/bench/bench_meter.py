"""CPU per sample (volts, amperes, watts): our driver against pi-ina219, over the same fake bus.

Run: .venv/bin/python tests/bench/bench_meter.py [--samples N] [--rounds N]

The bus is faked at the ioctl, the last thing that is Python: smbus2 and Adafruit_PureIO, which
pi-ina219 uses, both run for real, and the same function answers both, from the same registers. So
what is compared is what each driver costs a Pi's processor, wire time aside. The fake's own time is
in every figure, two or three or five times. Ours is measured three times: the driver alone, in a
profile that it follows by the clock (`fast`), which is what the target speaks of; in one whose flag
it asks and clears at each visit (`energy`: a third transfer, fifteen times a second); and that as
the sampling thread uses it, with the reading, its time and its energy. The fake's clock is virtual
and goes on from one conversion to the next, and its ready flag tells of it: each sample is a new
conversion, and who looks in vain pays for that. pi-ina219 does not ask.

Time is this process's CPU time. The rounds alternate between the drivers, so that other work on the
machine hits both alike; the least of the rounds is the driver's cost, the spread is shown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from ctypes import POINTER, c_uint16, cast
from dataclasses import replace
from functools import partial
from operator import getitem
from typing import Any
from unittest import mock

from rackgrid_firmware import i2c
from rackgrid_firmware.ina219 import Ina219
from rackgrid_firmware.meter import Channel
from rackgrid_firmware.profile import MeterMock, MeterProfile

I2C_RDWR, I2C_SMBUS = 0x0707, 0x0720
PROFILE = MeterProfile("feed", "ina219", 1, 0x40, 0.1, 0.0, "energy", 1.0, 0.0, MeterMock())
TARGET = 5.0
COUNTED = 500
DRIVER, ORACLE = "rackgrid, the driver", "pi-ina219"


class Registers:
    """The chip's registers behind ioctl: what the kernel would do for either library."""

    def __init__(self) -> None:
        # 12 V and conversion ready, 50 mV at the shunt; current and power as the chip computes them
        # with the calibration that pi-ina219 writes for 0.1 ohm and the 320 mV range.
        self.words = {0: 0x399F, 1: 5000, 2: 3000 << 3 | 2, 3: 3075, 4: 5125, 5: 4198}
        self.transfers = 0
        self.now = [0]
        """The moment, ns, in a place that a function in C can look at: a clock costs us nothing."""
        self.clock: Callable[[], int] = partial(getitem, self.now, 0)
        self.cycle_ns = 1
        self.cleared = 0
        """The number of the conversion for which the ready flag was cleared."""

    def ioctl(self, fd: int, request: int, argument: Any = None) -> int:
        self.transfers += 1
        if request == I2C_SMBUS:
            word = argument.data.contents
            if argument.read_write:
                register = argument.command
                said = self.words[register]
                if register == 2 and self.now[0] // self.cycle_ns == self.cleared:
                    said &= ~2
                elif register == 3:
                    self.cleared = self.now[0] // self.cycle_ns
                word.word = _swapped(said)
            elif argument.command == 0:
                self.words[0] = _swapped(word.word)
        elif request == I2C_RDWR and argument.nmsgs == 2:
            pointer, data = argument.msgs[0], argument.msgs[1]
            target = cast(data.buf, POINTER(c_uint16))
            target[0] = _swapped(self.words[pointer.buf[0]])
        return 0


def _swapped(word: int) -> int:
    return (word & 0xFF) << 8 | word >> 8


Vip = Callable[[], tuple[float, float, float]]


def ours(registers: Registers, profile: str) -> tuple[Vip, Vip]:
    """Build our driver over smbus2 over the fake ioctl: alone, and as a channel."""
    import smbus2

    def open_bus(number: int) -> i2c.WordBus:
        port = smbus2.SMBus()
        port.fd = -1
        return port

    chip = Ina219(i2c.Bus(1, open_bus), replace(PROFILE, profile=profile), registers.clock)
    channel = Channel(chip, registers.clock)

    now = registers.now

    def alone() -> tuple[float, float, float]:
        while True:
            now[0] = chip.due_ns
            if sample := chip.sample():
                return sample.volts, sample.amps, sample.volts * sample.amps

    def as_channel() -> tuple[float, float, float]:
        while True:
            now[0] = chip.due_ns
            if reading := channel.take():
                return reading.volts, reading.amps, reading.watts

    registers.cycle_ns = chip.period_ns
    with mock.patch("smbus2.smbus2.ioctl", registers.ioctl):
        for _ in range(100):
            alone()
    return alone, as_channel


def theirs(registers: Registers) -> Vip:
    """Build pi-ina219 over Adafruit_PureIO over the same fake ioctl."""
    import Adafruit_PureIO.smbus as pure
    from ina219 import INA219

    class Device:
        def fileno(self) -> int:
            return -1

        def close(self) -> None:
            """There is nothing to close."""

    def open_device(self: Any, busnum: int) -> None:
        self._device = Device()

    with (
        mock.patch.object(pure.SMBus, "open", open_device),
        mock.patch.object(pure, "ioctl", registers.ioctl),
        mock.patch.object(pure.SMBus, "write_i2c_block_data", return_value=None),
    ):
        library: Any = INA219(0.1, busnum=1, address=0x40)
        library.configure(voltage_range=1, gain=3, bus_adc=3, shunt_adc=3)

    def sample() -> tuple[float, float, float]:
        return library.voltage(), library.current() / 1e3, library.power() / 1e3

    return sample


def timed(sample: Callable[[], object], samples: int) -> float:
    """Measure CPU per call, µs."""
    begun = time.process_time_ns()
    for _ in range(samples):
        sample()
    return (time.process_time_ns() - begun) / samples / 1e3


def transfers_of(sample: Callable[[], object], registers: Registers) -> float:
    """Count the transfers of a call, in the mean."""
    before = registers.transfers
    for _ in range(COUNTED):
        sample()
    return (registers.transfers - before) / COUNTED


@contextmanager
def answered_by(registers: Registers) -> Generator[None]:
    """Let these registers answer whoever asks the kernel."""
    with (
        mock.patch("smbus2.smbus2.ioctl", registers.ioctl),
        mock.patch("Adafruit_PureIO.smbus.ioctl", registers.ioctl),
    ):
        yield


def agree(left: tuple[float, ...], right: tuple[float, ...]) -> bool:
    """Whether two samples are the same within 0.2 %."""
    return all(abs(a - b) <= 2e-3 * max(abs(a), 1e-9) for a, b in zip(left, right, strict=True))


def report(name: str, costs: list[float], transfers: float) -> None:
    """Print one line of figures."""
    print(
        f"{name:24} {min(costs):7.2f} µs least  {statistics.median(costs):7.2f} median  "
        f"{max(costs):7.2f} most   {transfers:.2f} transfers a sample"
    )


def main() -> int:
    """Measure, print, and fail if the target is missed."""
    parser = argparse.ArgumentParser(description="CPU per sample: our driver against pi-ina219.")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    chips = {name: Registers() for name in ("fast", "energy", ORACLE)}
    try:
        fast, _ = ours(chips["fast"], "fast")
        energy, as_channel = ours(chips["energy"], "energy")
        contenders = {
            DRIVER: (fast, chips["fast"]),
            "the same, in energy": (energy, chips["energy"]),
            "that as a channel": (as_channel, chips["energy"]),
            ORACLE: (theirs(chips[ORACLE]), chips[ORACLE]),
        }
    except ImportError as error:
        print(f"pi-ina219 is not installed ({error}): pip install 'rackgrid[pi-ina219]'")
        return 1
    values: list[tuple[float, float, float]] = []
    counts: dict[str, float] = {}
    for name, (sample, registers) in contenders.items():
        with answered_by(registers):
            values.append(sample())
            counts[name] = transfers_of(sample, registers)
    assert all(agree(value, values[-1]) for value in values), f"the drivers disagree: {values}"
    costs: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name, (sample, registers) in contenders.items():
            with answered_by(registers):
                costs[name].append(timed(sample, options.samples))
    print(f"{options.rounds} rounds of {options.samples} samples; each says {values[0]}")
    for name, measured in costs.items():
        report(name, measured, counts[name])
    mine, other = costs[DRIVER], costs[ORACLE]
    ratios = sorted(b / a for a, b in zip(mine, other, strict=True))
    print(
        f"pi-ina219 / rackgrid: {min(other) / min(mine):.2f} (of the least), "
        f"per round {ratios[0]:.2f} to {ratios[-1]:.2f}; target {TARGET:g}"
    )
    return 0 if min(other) / min(mine) >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
