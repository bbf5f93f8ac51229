"""A register-true INA3221: three channels that one converter visits in turn.

Pure, as `chip` is: time is an argument, ns; `feel` says what lies at a channel's inputs from now
on. Each register changes at the end of its own conversion. With AVG it does not take the new value
but moves towards it by the AVG-th part of the difference, from zero after a reset; what is kept
between the steps is finer than the register, how much the datasheet does not say (here: exact).

The alert pins are not connected, so of the mask/enable register only the bits that can be written
and CVRF live. CVRF is set at the end of every round, whatever AVG says.

Source: SBOS576C (INA3221, 2025): table 7-3 (map, reset values), 7.4.1 and figure 7-6 (averaging),
7.4.2.1 (channels in turn), 7.6.2.1 (configuration), 7.6.2.2, 7.6.2.3 (data), 7.6.2.14 (sum of the
shunts whose SCC bit is set), 7.6.2.16 (mask/enable).
"""

from __future__ import annotations

import math
from typing import Final

from rackgrid_firmware.mock.chance import normal
from rackgrid_firmware.mock.ina226 import SAMPLES, SPANS_NS

CONFIGURATION: Final = 0x00
SHUNT_SUM: Final = 0x0D
MASK_ENABLE: Final = 0x0F
MAKER: Final = 0xFE
DIE: Final = 0xFF
REGISTERS: Final = frozenset({*range(0x12), MAKER, DIE})
POWER_ON: Final = {
    CONFIGURATION: 0x7127,
    **dict.fromkeys(range(0x07, 0x0D), 0x7FF8),
    0x0E: 0x7FFE,
    MASK_ENABLE: 0x0002,
    0x10: 0x2710,
    0x11: 0x2328,
    MAKER: 0x5449,
    DIE: 0x3220,
}
"""The registers that are not zero after a reset."""
CVRF: Final = 0x0001
_LIMITS: Final = {
    **dict.fromkeys((*range(0x07, 0x0D), 0x10, 0x11), 0xFFF8),
    0x0E: 0xFFFE,
    MASK_ENABLE: 0x7C00,
}
"""The registers that can be written, but for the configuration, and which of their bits."""
_RESET_BIT: Final = 0x8000
_WAKE_NS: Final = 40_000
_SHUNT_V_PER_LSB: Final = 40e-6
_BUS_V_PER_LSB: Final = 8e-3
_NOISE_LSB: Final = 0.3
"""Deviation of one conversion of 1.1 ms, LSB; shorter ones have more."""


class Ina3221Chip:
    """One chip.

    Args:
        now_ns: when power comes on, ns.
        seed: of the converter's noise.
        noise: 1.0 is the noise of a usual breakout, 0.0 a perfect converter.
        pace: how long its conversions take, by the typical time (0.9 to 1.1).

    Attributes:
        converted: conversions finished since the start, by register, for whoever checks a reader.
    """

    def __init__(
        self, now_ns: int = 0, *, seed: int = 0, noise: float = 1.0, pace: float = 1.0
    ) -> None:
        assert 0.5 <= pace <= 2, f"a pace of {pace}"
        self.converted = dict.fromkeys(range(1, 7), 0)
        self._pace = pace
        self._seed = seed
        self._noise = noise
        self._levels = dict.fromkeys(range(1, 7), 0.0)
        self._conversions = 0
        self._t_ns = now_ns
        self._phases: tuple[tuple[int, int], ...] = ()
        self.brown_out(now_ns)

    @property
    def registers(self) -> frozenset[int]:
        """The registers that it has."""
        return REGISTERS

    # --- the pins -------------------------------------------------------------------------------

    def feel(self, now_ns: int, shunt_v: float, bus_v: float, channel: int = 1) -> None:
        """Put these voltages at the inputs of a channel (1 to 3), from now on."""
        assert 1 <= channel <= 3, f"an INA3221 has no channel {channel}"
        self._advance(now_ns)
        # In LSB; the modulator clips what it sees at the moment, before anything is averaged.
        self._levels[2 * channel - 1] = max(-4096.0, min(4095.0, shunt_v / _SHUNT_V_PER_LSB))
        self._levels[2 * channel] = max(0.0, min(4095.0, bus_v / _BUS_V_PER_LSB))

    def brown_out(self, now_ns: int) -> None:
        """Lose the supply for a moment: every register is as after power-on."""
        self._advance(now_ns)
        self._words = dict.fromkeys(REGISTERS, 0) | POWER_ON
        self._values = dict.fromkeys(range(1, 7), 0.0)
        self._ready = False
        self._convert(now_ns)

    def halt(self, now_ns: int) -> None:
        """Let the converter stand still, with its registers as they are, until it is configured."""
        self._advance(now_ns)
        self._phases = ()

    # --- the bus --------------------------------------------------------------------------------

    def read(self, now_ns: int, register: int) -> int:
        """Read a register, most significant byte first as the chip has it.

        Raises:
            ValueError: there is no such register; a real chip answers undefined bytes.
        """
        if register not in REGISTERS:
            raise ValueError(f"the INA3221 has no register {register:#04x}")
        self._advance(now_ns)
        word = self._words[register]
        if register == MASK_ENABLE:
            word |= self._ready * CVRF
            self._ready = False
        return word

    def write(self, now_ns: int, register: int, value: int) -> None:
        """Write a register; writes to the read-only ones change nothing."""
        if register not in REGISTERS or not 0 <= value <= 0xFFFF:
            raise ValueError(f"cannot write {value:#x} to {register:#04x} of an INA3221")
        self._advance(now_ns)
        if register == CONFIGURATION and value & _RESET_BIT:
            self.brown_out(now_ns)
        elif register == CONFIGURATION:
            asleep = not self._words[CONFIGURATION] & 3
            self._words[CONFIGURATION] = value
            self._ready = self._ready and not (value & 3 and value & 0x7000)
            self._convert(now_ns + asleep * _WAKE_NS)
        elif register in _LIMITS:
            kept = self._words[register] & ~_LIMITS[register]
            self._words[register] = kept | value & _LIMITS[register]

    # --- the converter --------------------------------------------------------------------------

    def _convert(self, at_ns: int) -> None:
        """Start what the configuration asks for: the enabled channels in turn."""
        word = self._words[CONFIGURATION]
        self._samples = SAMPLES[word >> 9 & 7]
        spans = SPANS_NS[word >> 3 & 7], SPANS_NS[word >> 6 & 7]
        shunt_ns, bus_ns = (round(each * self._pace) for each in spans)
        phases: list[tuple[int, int]] = []
        for channel in (1, 2, 3):
            if word & 1 << 15 - channel:
                phases += [(2 * channel - 1, shunt_ns)] * bool(word & 1)
                phases += [(2 * channel, bus_ns)] * bool(word & 2)
        self._phases = tuple(phases)
        self._round_ns = sum(length for _, length in phases)
        self._continuous = bool(word & 4)
        self._start_phase(at_ns, 0)

    def _start_phase(self, at_ns: int, phase: int) -> None:
        self._phase = phase
        self._phase_ns = at_ns
        self._integral = 0.0

    def _advance(self, now_ns: int) -> None:
        assert now_ns >= self._t_ns, "time does not go back"
        while self._phases:
            if self._phase == 0 and self._t_ns <= self._phase_ns:
                self._skip_whole_rounds(now_ns)
            register, length_ns = self._phases[self._phase]
            end_ns = self._phase_ns + length_ns
            until_ns, since_ns = min(now_ns, end_ns), max(self._t_ns, self._phase_ns)
            if until_ns > since_ns:
                self._integral += self._levels[register] * (until_ns - since_ns)
                self._t_ns = until_ns
            if now_ns < end_ns:
                break
            self._finish_phase(register, length_ns, end_ns)
        self._t_ns = now_ns

    def _skip_whole_rounds(self, now_ns: int) -> None:
        """Pass over rounds in one step: the inputs did not change, only the averages crept."""
        skipped = (now_ns - self._phase_ns) // self._round_ns - 1
        if skipped < 1 or not self._continuous:
            return
        left = (1.0 - 1.0 / self._samples) ** skipped
        for register, _ in self._phases:
            level = self._levels[register]
            self._values[register] = level + (self._values[register] - level) * left
            self.converted[register] += skipped
        self._phase_ns += skipped * self._round_ns
        self._conversions += skipped * len(self._phases)

    def _finish_phase(self, register: int, length_ns: int, end_ns: int) -> None:
        """Finish the running conversion, and with the last one the round."""
        level = self._integral / length_ns
        value = self._values[register]
        self._values[register] = value + (level - value) / self._samples
        # What is left of white noise behind such a filter; exact for one sample.
        noise = self._noise * _NOISE_LSB * math.sqrt(1_100_000 / length_ns)
        noise *= normal(self._seed, self._conversions) / math.sqrt(2 * self._samples - 1)
        self._conversions += 1
        self.converted[register] += 1
        lowest = -4096 if register % 2 else 0
        raw = max(lowest, min(4095, round(self._values[register] + noise)))
        self._words[register] = raw << 3 & 0xFFFF
        last = self._phase + 1 == len(self._phases)
        self._start_phase(end_ns, 0 if last else self._phase + 1)
        if last:
            self._add_up()
            self._ready = True
            if not self._continuous:
                self._phases = ()

    def _add_up(self) -> None:
        """Compute 0Dh: the shunts whose SCC bit is set, in bits 15 to 1."""
        total = 0
        for channel in (1, 2, 3):
            if self._words[MASK_ENABLE] & 1 << 15 - channel:
                word = self._words[2 * channel - 1]
                total += (word - 0x10000 if word & 0x8000 else word) >> 3
        self._words[SHUNT_SUM] = total << 1 & 0xFFFF
