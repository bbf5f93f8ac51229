"""A register-true INA219: what the real chip would say, as a function of time and of its inputs.

The mock sits at the register, so that the driver under test is the driver that runs on a Pi: it
meets conversion times, stale registers, clipped shunts, a calibration register that reads zero
after a brown-out, and flags that clear when the datasheet says so.

Pure: time is an argument, in CLOCK_MONOTONIC nanoseconds, and never goes back. `feel` tells the
chip what lies at its inputs from now on; between two calls the inputs are constant, so a chip that
nobody reads for an hour skips the hour in one step. Conversions average their input over their own
time, as the delta-sigma converter does.

Source: TI SBOS448G (INA219, rev. G, 2015): figure 19 and tables 4 to 7 (configuration, conversion
times, typical), 8.6.3 (data output registers), 8.6.4 (calibration; FS0 is void), 8.5.1 (current and
power from calibration). The datasheet clears CNVR on reading 03h; a field report saw 02h do it too,
hence `bus_read_clears`.
"""

from __future__ import annotations

import math
from typing import Final

from rackgrid_firmware.mock.chance import normal

CONFIGURATION: Final = 0x00
SHUNT: Final = 0x01
BUS: Final = 0x02
POWER: Final = 0x03
CURRENT: Final = 0x04
CALIBRATION: Final = 0x05
REGISTERS: Final = frozenset(range(0x05 + 1))

POWER_ON: Final = 0x399F
"""The configuration after power-on: 32 V, ±320 mV, 12 bit, both continuous."""
_RESET_BIT: Final = 0x8000
_CNVR: Final = 0x02
_OVF: Final = 0x01
_WAKE_NS: Final = 40_000
"""From power-down to the first conversion (SBOS448G, 8.4.3)."""
_SHUNT_V_PER_LSB: Final = 10e-6
_BUS_V_PER_LSB: Final = 4e-3
_SHUNT_NOISE_V: Final = 8e-6
_BUS_NOISE_V: Final = 1.5e-3
"""Deviation of one 12-bit sample; n averaged samples have 1/sqrt(n) of it. Not in the datasheet:
of the size that breakouts show."""

_SINGLE: Final = ((9, 1, 84_000), (10, 1, 148_000), (11, 1, 276_000), (12, 1, 532_000))
_AVERAGED: Final = (
    (12, 1, 532_000),
    (12, 2, 1_060_000),
    (12, 4, 2_130_000),
    (12, 8, 4_260_000),
    (12, 16, 8_510_000),
    (12, 32, 17_020_000),
    (12, 64, 34_050_000),
    (12, 128, 68_100_000),
)


def converter(field: int) -> tuple[int, int, int]:
    """Decode a BADC or SADC field.

    Args:
        field: the four bits.

    Returns:
        Resolution in bits, samples averaged, conversion time in ns (typical; table 5).
    """
    return _AVERAGED[field & 7] if field & 8 else _SINGLE[field & 3]


class Ina219Chip:
    """One chip.

    Args:
        now_ns: when power comes on, ns.
        seed: of the converter's noise.
        noise: 1.0 is the noise of a usual breakout, 0.0 a perfect converter.
        bus_read_clears: whether reading 02h clears CNVR, as some parts in the field do.
        pace: how long its conversions take, by the typical time (0.9 to 1.1: each chip's clock
            goes at a rate of its own; the datasheet's longest is 1.1).

    Attributes:
        converted: conversions finished since the start, of SHUNT and of BUS: which one a register
            holds, for whoever checks a reader.
    """

    def __init__(
        self,
        now_ns: int = 0,
        *,
        seed: int = 0,
        noise: float = 1.0,
        bus_read_clears: bool = False,
        pace: float = 1.0,
    ) -> None:
        assert 0.5 <= pace <= 2, f"a pace of {pace}"
        self.converted = {SHUNT: 0, BUS: 0}
        self._pace = pace
        self._seed = seed
        self._noise = noise
        self._bus_read_clears = bus_read_clears
        self._inputs = (0.0, 0.0)
        self._conversions = 0
        self._phases: tuple[tuple[int, int, int, int], ...] = ()
        self.brown_out(now_ns)

    # --- the pins -------------------------------------------------------------------------------

    @property
    def registers(self) -> frozenset[int]:
        """The registers that it has."""
        return REGISTERS

    def feel(self, now_ns: int, shunt_v: float, bus_v: float, channel: int = 1) -> None:
        """Put these voltages at the inputs, from now on; there is one channel."""
        assert channel == 1, f"an INA219 has no channel {channel}"
        self._advance(now_ns)
        self._inputs = (shunt_v, bus_v)

    def brown_out(self, now_ns: int) -> None:
        """Lose the supply for a moment: every register is as after power-on."""
        self._registers = [POWER_ON, 0, 0, 0, 0, 0]
        self._ready = False
        self._overflow = False
        self._t_ns = now_ns
        self._configure(now_ns, POWER_ON)

    def halt(self, now_ns: int) -> None:
        """Let the converter stand still, with its registers as they are, until it is configured."""
        self._advance(now_ns)
        self._phases = ()

    # --- the bus --------------------------------------------------------------------------------

    def read(self, now_ns: int, register: int) -> int:
        """Read a register, most significant byte first as the chip has it.

        Args:
            now_ns: the moment, ns.
            register: 0 to 5.

        Raises:
            ValueError: there is no such register; a real chip answers undefined bytes.
        """
        if register not in REGISTERS:
            raise ValueError(f"the INA219 has no register {register:#04x}")
        self._advance(now_ns)
        if register == BUS:
            word = self._registers[BUS] | self._ready * _CNVR | self._overflow * _OVF
            self._ready = self._ready and not self._bus_read_clears
            return word
        if register == POWER:
            self._ready = False
        return self._registers[register]

    def write(self, now_ns: int, register: int, value: int) -> None:
        """Write a register; writes to the read-only ones change nothing.

        Args:
            now_ns: the moment, ns.
            register: 0 to 5.
            value: 16 bits.
        """
        if register not in REGISTERS or not 0 <= value <= 0xFFFF:
            raise ValueError(f"cannot write {value:#x} to register {register:#04x} of an INA219")
        self._advance(now_ns)
        if register == CONFIGURATION:
            if value & _RESET_BIT:
                self.brown_out(now_ns)
            else:
                self._configure(now_ns, value)
        elif register == CALIBRATION:
            self._registers[CALIBRATION] = value & 0xFFFE

    # --- the converter --------------------------------------------------------------------------

    def _configure(self, now_ns: int, value: int) -> None:
        """Take a configuration: the running conversion is dropped and the first one starts."""
        mode = value & 7
        asleep = self._registers[CONFIGURATION] & 7 == 0
        self._registers[CONFIGURATION] = value
        self._ready = self._ready and mode in (0, 4)
        self._continuous = mode > 4
        wanted = [SHUNT] * bool(mode & 1) + [BUS] * bool(mode & 2) if mode != 4 else []
        fields = {SHUNT: value >> 3 & 15, BUS: value >> 7 & 15}
        self._phases = tuple((kind, *self._conversion(fields[kind])) for kind in wanted)
        self._cycle_ns = sum(phase[3] for phase in self._phases)
        self._start_phase(now_ns + (_WAKE_NS if asleep else 0), 0)

    def _conversion(self, field: int) -> tuple[int, int, int]:
        """Decode a BADC or SADC field as `converter` does, with this chip's own time."""
        bits, samples, typical_ns = converter(field)
        return bits, samples, round(typical_ns * self._pace)

    def _start_phase(self, at_ns: int, phase: int) -> None:
        self._phase = phase
        self._phase_ns = at_ns
        self._integral = 0.0

    def _advance(self, now_ns: int) -> None:
        assert now_ns >= self._t_ns, "time does not go back"
        while self._phases:
            if self._phase == 0 and self._t_ns <= self._phase_ns:
                self._skip_whole_cycles(now_ns)
            kind, _, _, duration_ns = self._phases[self._phase]
            end_ns = self._phase_ns + duration_ns
            self._integrate(kind, min(now_ns, end_ns))
            if now_ns < end_ns:
                break
            self._convert(end_ns)
        self._t_ns = now_ns

    def _skip_whole_cycles(self, now_ns: int) -> None:
        """Pass over the conversions that the next ones overwrite: the inputs did not change."""
        behind = (now_ns - self._phase_ns) // self._cycle_ns
        if behind >= 2 and self._continuous:
            self._phase_ns += (behind - 1) * self._cycle_ns
            self._conversions += (behind - 1) * len(self._phases)
            for phase in self._phases:
                self.converted[phase[0]] += behind - 1

    def _integrate(self, kind: int, until_ns: int) -> None:
        since_ns = max(self._t_ns, self._phase_ns)
        if until_ns > since_ns:
            self._integral += self._inputs[kind - SHUNT] * (until_ns - since_ns)
            self._t_ns = until_ns

    def _convert(self, end_ns: int) -> None:
        """Finish the running phase, and with the last one the cycle."""
        kind, resolution, samples, duration_ns = self._phases[self._phase]
        volts = self._integral / duration_ns
        wobble = self._noise * normal(self._seed, self._conversions) / math.sqrt(samples)
        self._conversions += 1
        self.converted[kind] += 1
        if kind == SHUNT:
            self._registers[SHUNT] = self._shunt(
                volts + wobble * _SHUNT_NOISE_V, resolution, samples
            )
        else:
            self._registers[BUS] = self._bus(volts + wobble * _BUS_NOISE_V, resolution)
        last = self._phase + 1 == len(self._phases)
        self._start_phase(end_ns, 0 if last else self._phase + 1)
        if last:
            self._multiply()
            self._ready = True
            if not self._continuous:
                self._phases = ()

    def _shunt(self, volts: float, resolution: int, samples: int) -> int:
        """Quantise and clip; a single 12-bit sample at ±320 mV steps by 80 µV, not by the LSB."""
        divider = 1 << (self._registers[CONFIGURATION] >> 11 & 3)
        step = max(1.0, (divider << (12 - resolution)) / samples)
        raw = round(round(volts / _SHUNT_V_PER_LSB / step) * step)
        limit = 4000 * divider
        return max(-limit, min(limit, raw)) & 0xFFFF

    def _bus(self, volts: float, resolution: int) -> int:
        limit = 8000 if self._registers[CONFIGURATION] & 0x2000 else 4000
        step = 1 << (12 - resolution)
        raw = round(volts / _BUS_V_PER_LSB / step) * step
        return max(0, min(limit, raw)) << 3

    def _multiply(self) -> None:
        """Compute 04h and 03h, and OVF when one of them does not fit."""
        shunt = _signed(self._registers[SHUNT])
        current = int(shunt * self._registers[CALIBRATION] / 4096)
        power = abs(current) * (self._registers[BUS] >> 3) // 5000
        self._overflow = not -32768 <= current <= 32767 or power > 0xFFFF
        self._registers[CURRENT] = max(-32768, min(32767, current)) & 0xFFFF
        self._registers[POWER] = min(0xFFFF, power)


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word
