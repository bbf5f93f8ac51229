"""A register-true INA226, and the INA260, which differs in its shunt and its current register.

Pure, as `chip` is: time is an argument, ns; `feel` says what lies at the inputs from now on. The
data registers change together, at the end of all the rounds that AVG asks for; until the first such
end after a reset they are zero. A write to the configuration drops what was being averaged, and the
registers keep their last values.

The alert pin is not connected, so of the mask/enable register only the bits that can be written and
the two flags CVRF and OVF live.

Sources: SBOS547B (INA226, 2024): table 7-1 (map, reset values), 7.1.1 (configuration), 7.1.2 to
7.1.5 (data, calibration: current = shunt · CAL / 2048, power = current · bus / 20000, both zero
without a calibration), 7.1.7 (CVRF, OVF), 6.4.1 (averaging: registers load the mean), 6.5 (40 µs to
wake). SBOS656C (INA260, 2016): table 4, 8.6.1 to 8.6.8 (current LSB 1.25 mA, power LSB 10 mW).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final

from rackgrid_firmware.mock.averager import Averager
from rackgrid_firmware.mock.chance import normal

CONFIGURATION: Final = 0x00
SHUNT: Final = 0x01
BUS: Final = 0x02
POWER: Final = 0x03
CURRENT: Final = 0x04
CALIBRATION: Final = 0x05
MASK_ENABLE: Final = 0x06
ALERT_LIMIT: Final = 0x07
MAKER: Final = 0xFE
DIE: Final = 0xFF

SAMPLES: Final = (1, 4, 16, 64, 128, 256, 512, 1024)
SPANS_NS: Final = (140_000, 204_000, 332_000, 588_000, 1_100_000, 2_116_000, 4_156_000, 8_244_000)
CVRF: Final = 0x08
OVF: Final = 0x04
_MASK_WRITABLE: Final = 0xFC03
_RESET_BIT: Final = 0x8000
_WAKE_NS: Final = 40_000
_BUS_V_PER_LSB: Final = 1.25e-3
_SHUNT_V_PER_LSB: Final = 2.5e-6
_SHUNT_V_MAX: Final = 0x7FFF * _SHUNT_V_PER_LSB
_BUS_V_MAX: Final = 0x7FFF * _BUS_V_PER_LSB
_NOISE: Final = {SHUNT: 2.5e-6, BUS: 1.25e-3}
"""Deviation of one conversion of 1.1 ms, V: one LSB. Shorter ones have more, averaged ones less."""


class Ina226Chip:
    """One chip.

    Args:
        now_ns: when power comes on, ns.
        seed: of the converter's noise.
        noise: 1.0 is the noise of a usual breakout, 0.0 a perfect converter.
        pace: how long its conversions take, by the typical time (0.9 to 1.1).
    """

    _POWER_ON: ClassVar[int] = 0x4127
    _FIXED: ClassVar[int] = 0x4000
    _DIE: ClassVar[int] = 0x2260
    _REGISTERS: ClassVar[frozenset[int]] = frozenset({*range(8), MAKER, DIE})
    _NAME: ClassVar[str] = "INA226"

    def __init__(
        self, now_ns: int = 0, *, seed: int = 0, noise: float = 1.0, pace: float = 1.0
    ) -> None:
        assert 0.5 <= pace <= 2, f"a pace of {pace}"
        self._pace = pace
        self._seed = seed
        self._noise = noise
        self._averager = Averager(self._load)
        self.brown_out(now_ns)

    @property
    def converted(self) -> dict[int, int]:
        """Blocks finished since the start, of SHUNT and of BUS."""
        return dict.fromkeys((SHUNT, BUS), self._averager.blocks)

    @property
    def registers(self) -> frozenset[int]:
        """The registers that it has."""
        return self._REGISTERS

    # --- the pins -------------------------------------------------------------------------------

    def feel(self, now_ns: int, shunt_v: float, bus_v: float, channel: int = 1) -> None:
        """Put these voltages at the inputs, from now on; there is one channel."""
        assert channel == 1, f"an {self._NAME} has no channel {channel}"
        # The modulator clips what it sees at the moment, before anything is averaged.
        shunt_v = max(-_SHUNT_V_MAX - _SHUNT_V_PER_LSB, min(_SHUNT_V_MAX, shunt_v))
        bus_v = max(0.0, min(_BUS_V_MAX, bus_v))
        self._averager.feel(now_ns, {SHUNT: shunt_v, BUS: bus_v})

    def brown_out(self, now_ns: int) -> None:
        """Lose the supply for a moment: every register is as after power-on."""
        self._averager.advance(now_ns)
        self._words = dict.fromkeys(self._REGISTERS, 0)
        self._words |= {CONFIGURATION: self._POWER_ON, MAKER: 0x5449, DIE: self._DIE}
        self._ready = self._overflow = False
        self._convert(now_ns)

    def halt(self, now_ns: int) -> None:
        """Let the converter stand still, with its registers as they are, until it is configured."""
        self._averager.advance(now_ns)
        self._averager.stop()

    # --- the bus --------------------------------------------------------------------------------

    def read(self, now_ns: int, register: int) -> int:
        """Read a register, most significant byte first as the chip has it.

        Raises:
            ValueError: there is no such register; a real chip answers undefined bytes.
        """
        if register not in self._REGISTERS:
            raise ValueError(f"the {self._NAME} has no register {register:#04x}")
        self._averager.advance(now_ns)
        word = self._words[register]
        if register == MASK_ENABLE:
            word |= self._ready * CVRF | self._overflow * OVF
            self._ready = False
        return word

    def write(self, now_ns: int, register: int, value: int) -> None:
        """Write a register; writes to the read-only ones change nothing."""
        if register not in self._REGISTERS or not 0 <= value <= 0xFFFF:
            raise ValueError(f"cannot write {value:#x} to {register:#04x} of an {self._NAME}")
        self._averager.advance(now_ns)
        if register == CONFIGURATION and value & _RESET_BIT:
            self.brown_out(now_ns)
        elif register == CONFIGURATION:
            asleep = not self._words[CONFIGURATION] & 3
            self._words[CONFIGURATION] = self._FIXED | value & 0x0FFF
            self._ready = self._ready and not value & 3
            self._convert(now_ns + asleep * _WAKE_NS)
        elif register == CALIBRATION:
            self._words[CALIBRATION] = value & 0x7FFF
        elif register == MASK_ENABLE:
            self._words[MASK_ENABLE] = value & _MASK_WRITABLE
        elif register == ALERT_LIMIT:
            self._words[ALERT_LIMIT] = value

    # --- the converter --------------------------------------------------------------------------

    def _convert(self, at_ns: int) -> None:
        """Start what the configuration asks for."""
        word = self._words[CONFIGURATION]
        self._spans = {SHUNT: SPANS_NS[word >> 3 & 7], BUS: SPANS_NS[word >> 6 & 7]}
        self._rounds = SAMPLES[word >> 9 & 7]
        wanted = [SHUNT] * bool(word & 1) + [BUS] * bool(word & 2)
        if wanted:
            windows = [(each, round(self._spans[each] * self._pace)) for each in wanted]
            self._averager.start(at_ns, windows, self._rounds, continuous=bool(word & 4))
        else:
            self._averager.stop()

    def _load(self, means: Mapping[int, float], count: int) -> None:
        """Load the means of a block into the registers."""
        if SHUNT in means:
            self._words[SHUNT] = self._shunt_word(means[SHUNT] + self._wobble(SHUNT, count))
        if BUS in means:
            raw = round((means[BUS] + self._wobble(BUS, count)) / _BUS_V_PER_LSB)
            self._words[BUS] = max(0, min(0x7FFF, raw))
        self._multiply()
        self._ready = True

    def _wobble(self, kind: int, count: int) -> float:
        """Give the noise of a mean, V: that of one conversion, by its length and their number."""
        share = 1_100_000 / self._spans[kind] / self._rounds
        return self._noise * _NOISE[kind] * math.sqrt(share) * normal(self._seed, 2 * count + kind)

    def _shunt_word(self, volts: float) -> int:
        return _word(round(volts / _SHUNT_V_PER_LSB))

    def _multiply(self) -> None:
        """Compute 04h and 03h, and OVF when one of them does not fit."""
        current = int(_signed(self._words[SHUNT]) * self._words[CALIBRATION] / 2048)
        power = abs(current) * self._words[BUS] // 20_000
        self._overflow = not -0x8000 <= current <= 0x7FFF or power > 0xFFFF
        self._words[CURRENT] = _word(current)
        self._words[POWER] = min(0xFFFF, power)


class Ina260Chip(Ina226Chip):
    """The chip with the shunt inside: `feel` takes the voltage over its 2 mOhm."""

    _POWER_ON: ClassVar[int] = 0x6127
    _FIXED: ClassVar[int] = 0x6000
    _DIE: ClassVar[int] = 0x2270
    _REGISTERS: ClassVar[frozenset[int]] = frozenset({0, 1, 2, 3, 6, 7, MAKER, DIE})
    _NAME: ClassVar[str] = "INA260"

    def _shunt_word(self, volts: float) -> int:
        return _word(round(volts / 0.002 / 1.25e-3))

    def _multiply(self) -> None:
        """Compute 03h: LSB 10 mW, which is 6400 times that of current by that of voltage."""
        power = abs(_signed(self._words[SHUNT])) * self._words[BUS] // 6400
        self._overflow = power > 0xFFFF
        self._words[POWER] = min(0xFFFF, power)


def _word(raw: int) -> int:
    return max(-0x8000, min(0x7FFF, raw)) & 0xFFFF


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word
