"""The INA219 over an injected bus: configure, read two registers, notice when the chip was reset.

A sample is two word reads, 02h and 01h, and arithmetic (`registers`); pi-ina219 needs five for
volts, amperes and watts. Which conversion it was, and whether it was read before, the chip's ready
flag says, which comes with 02h and is cleared by reading 03h:

- A long cycle (`beat`): 02h first; if the flag is up, 01h, and 03h as a third transfer. So every
  visit knows that its conversion is new, and a converter that stands still is found by the next.
- A short one (`phase`), of which three transfers would fill the bus: it is followed by the clock,
  and the flag asked now and then; 01h before 02h, because 02h then brings the flag for both.

What is far from the last reading, or alarming, is read again before it is believed (`doubt`).

A chip that browns out (relays and motors do that to it) wakes up with its power-on configuration
and empty registers. Its readings are right again after a conversion (same LSB, wider range), only
noisier; so it is enough to read the configuration back every ten seconds, after every error, when a
reading is larger than the range allows, when the flag surprises, and before a zero is believed: it
may be that of an empty register. A wrong one is written again and counted. A converter that stands
still with the right one is started again by writing it; if that is no help, it is a fault.

Around a switching somebody may want to see more (`hurry`): the chip then converts 1623 times a
second, in its widest range, and goes back to its own profile by itself. On a soft feed it now and
then converts both inputs by turns (`look`), because V and I belong together there (`covariance`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from rackgrid_firmware import registers
from rackgrid_firmware.beat import Beat
from rackgrid_firmware.doubt import Doubt
from rackgrid_firmware.errors import DeviceError, DeviceFault
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.pace219 import Pace, Paces
from rackgrid_firmware.phase import ANY_PACE, Phase
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.registers import CNVR, Configuration, Sample, Scale
from rackgrid_firmware.silence import Patience, Silence

VERIFY_NS: Final = 10_000_000_000
"""Between two looks at the configuration, ns."""
FOLLOW_MAX_NS: Final = 2_000_000
"""A cycle that is longer has time for its flag at each visit, ns."""
_LOOKS_MAX: Final = 4
"""So many looks at the flag follow each other in one visit."""
_AFRESH_NS: Final = 450_000
"""A chip that was reset fills the bus register so much later than the shunt's, ns (532 µs)."""


class Ina219:
    """One chip.

    Args:
        bus: that it is on.
        profile: of the meter.
        clock: CLOCK_MONOTONIC in ns.
        follow_max_ns: longest cycle that is followed, ns.
        limit_a: the lowest current that trips an output behind it, A; 0 for none.

    Raises:
        ProfileError: the expected current does not fit the shunt.
    """

    def __init__(
        self,
        bus: Bus,
        profile: MeterProfile,
        clock: Callable[[], int] = time.monotonic_ns,
        follow_max_ns: int = FOLLOW_MAX_NS,
        limit_a: float = 0.0,
    ) -> None:
        self.name = profile.name
        self.resets = 0
        """How often the chip was found reset, or standing still."""
        self.begun_ns = 0
        """Since when it has been converting as it does now, ns."""
        self._bus = bus
        self._address = profile.address
        self._clock = clock
        self._paces = Paces(profile)
        self._pace = usual = self._paces.usual
        self.usual_ns = usual.configuration.cycle_ns
        """How long a conversion as the profile has it takes, ns."""
        is_blind = self._paces.keen.configuration.cycle_ns <= follow_max_ns < self.usual_ns
        self.soft_ohms = profile.feed_ohms if is_blind else 0.0
        """Of its feed, ohm, if a `look` shows what the profile's own conversions do not."""
        self._follow_max_ns = follow_max_ns
        self._missed = 0
        self._zero_believed = False
        self._chip_pace = ANY_PACE
        self._limit_a = limit_a
        self._doubt = Doubt(usual.frame(limit_a))
        self._configuration: Configuration = usual.configuration
        self._scale: Scale = usual.scale
        self._course = self._course_of(usual.configuration)
        self._verify_at_ns = 0
        self._silence = Silence()
        self._configured = False

    @property
    def period_ns(self) -> int:
        """How long a conversion takes, ns: reading more often gives the same again."""
        return self._configuration.cycle_ns

    @property
    def due_ns(self) -> int:
        """When to sample next, ns."""
        return self._course.due_ns

    @property
    def late_ns(self) -> int:
        """Until when that sample may be put off at no cost, ns."""
        return self._course.late_ns

    @property
    def ended_ns(self) -> int:
        """When the conversion of the last sample ended, ns; 0: just before it was read."""
        return self._course.ended_ns

    @property
    def missed(self) -> int:
        """Conversions that nobody read."""
        return self._missed + self._course.missed

    def hurry(self, until_ns: int) -> None:
        """Convert as fast as may be until then; may be called by another thread.

        Args:
            until_ns: CLOCK_MONOTONIC, ns.
        """
        self._paces.hurry(until_ns)

    @property
    def is_looking(self) -> bool:
        """Whether it converts as in a `look`."""
        return self.soft_ohms > 0 and self._configuration == self._paces.keen.configuration

    def look(self, until_ns: int) -> None:
        """Convert V and I by turns until then, ns, unless somebody is in a hurry."""
        self._paces.look(until_ns)

    def rest(self) -> None:
        """Let the chip sleep; the next `sample` wakes it, and waits for a conversion.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
        """
        self._configured = False
        self._verify_at_ns = 0
        asleep = self._configuration.word & ~registers.Mode.BOTH_CONTINUOUS
        self._bus.write_word(self._address, registers.CONFIGURATION, asleep)

    def sample(self) -> Sample | None:
        """Read the newest conversion.

        Returns:
            The sample; None if the chip has not converted since the last one or its configuration.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
            DeviceFault: it says what cannot be, or does not convert.
        """
        now_ns = self._clock()
        try:
            paces = self._paces
            if self._pace is not paces.usual or now_ns < paces.busy_until_ns:
                self._keep_pace(paces.choose(now_ns))
            if now_ns >= self._verify_at_ns:
                self._verify(now_ns)
            course = self._course
            sample = self._visit(course) if isinstance(course, Beat) else self._follow(course)
            if course.is_surprised:
                course.is_surprised = False
                self._verify_at_ns = 0
            return sample
        except DeviceError:
            self._verify_at_ns = 0
            raise

    def _keep_pace(self, pace: Pace) -> None:
        """Convert in this way from here on; what is known of the chip's own pace stays true."""
        self._pace = pace
        # By value: writing again what the chip does already would throw away the conversion under
        # way, and what is known of its cycle.
        if pace.configuration == self._configuration:
            return
        self._missed += self._course.missed
        if self._course.is_known:
            self._chip_pace = self._course.pace
        self._configuration, self._scale = pace.configuration, pace.scale
        self._doubt.reframe(pace.frame(self._limit_a))
        self._course = self._course_of(pace.configuration)
        self._configured = False
        self._verify_at_ns = 0

    def _course_of(self, configuration: Configuration) -> Phase | Beat:
        cycle_ns, head_ns = configuration.cycle_ns, configuration.head_ns
        kind = Phase if cycle_ns <= self._follow_max_ns else Beat
        return kind(cycle_ns, head_ns, self._chip_pace)

    def _visit(self, beat: Beat) -> Sample | None:
        """Ask the flag of a long cycle; read what is new, and clear it."""
        before_ns = self._clock()
        if before_ns < beat.open_ns:
            return None
        converted, bus_raw = self._ask()
        if not converted:
            beat.found_down(before_ns)
            self._wait(before_ns)
            return None
        if self._silence.is_kept:
            self._silence.broken()
        shunt_raw = None
        if beat.found_up(before_ns, self._clock()):
            shunt_raw = self._shunt_raw()
            if not self._doubt.is_near(shunt_raw, bus_raw):
                shunt_raw, bus_raw, _ = self._settle(shunt_raw, bus_raw)
            beat.took(self._clock())
        before_ns = self._clock()
        self._bus.read_word(self._address, registers.POWER)
        beat.cleared(before_ns, self._clock())
        if shunt_raw is None or (not (shunt_raw and bus_raw) and not self._is_believed(before_ns)):
            return None
        return self._sample(shunt_raw, bus_raw)

    def _follow(self, phase: Phase) -> Sample | None:
        """Read a conversion that is new, if there is one.

        Shunt first: then the flag, which comes with the bus voltage, speaks for both.
        """
        if (now_ns := self._clock()) < phase.due_ns:
            return None
        if phase.is_armed:
            return self._look(phase, now_ns)
        clears = phase.wants_flag
        if clears:
            self._bus.read_word(self._address, registers.POWER)
            phase.cleared(now_ns, self._clock())
        begun_ns = self._clock()
        shunt = self._bus.read_word(self._address, registers.SHUNT)
        first_ns = self._clock()
        bus = self._bus.read_word(self._address, registers.BUS)
        last_ns = self._clock()
        if not clears and not bus & CNVR:
            self._verify_at_ns = 0  # it was up, and nobody cleared it: the chip was reset
            phase.unready(now_ns)
            self._wait(now_ns)
            return None
        if self._zero_believed:
            # A chip that was reset before the shunt was read would not have a bus voltage so soon,
            # nor a flag that is up.
            self._zero_believed = last_ns - begun_ns < _AFRESH_NS and (
                not clears or registers.bus_raw(bus) > 0
            )
        return self._accept(phase, shunt, bus, first_ns, last_ns)

    def _look(self, phase: Phase, now_ns: int, again: int = _LOOKS_MAX) -> Sample | None:
        """Ask the flag that was cleared, and sample if it is up again."""
        bus = self._bus.read_word(self._address, registers.BUS)
        last_ns = self._clock()
        if not registers.is_converted(bus):
            phase.found_down(now_ns)
            self._wait(now_ns)
            # At once again, if it is due: between two visits other work delays the second look.
            return (
                self._look(phase, last_ns, again - 1) if again and phase.due_ns <= last_ns else None
            )
        self._silence.broken()
        if not phase.found_up(now_ns, last_ns):
            return None
        shunt = self._bus.read_word(self._address, registers.SHUNT)
        self._zero_believed = False  # the flag was asked before the shunt, and does not speak of it
        return self._accept(phase, shunt, bus, self._clock(), last_ns)

    def _accept(
        self, phase: Phase, shunt: int, bus: int, first_ns: int, last_ns: int
    ) -> Sample | None:
        """Make a sample of two words.

        A zero that follows one of a configured chip is believed unless a reset may lie between.
        """
        # As `registers` has it: three calls less, 1600 times a second.
        shunt_raw, bus_raw, is_up = (shunt ^ 0x8000) - 0x8000, bus >> 3, bool(bus & CNVR)
        doubt = self._doubt
        if not (doubt.low < shunt_raw < doubt.high and doubt.bus_low < bus_raw < doubt.bus_high):
            shunt_raw, bus_raw, is_up = self._settle(shunt_raw, bus_raw)
            first_ns = last_ns = self._clock()
            self._zero_believed = False
        phase.took(first_ns, last_ns, is_up=is_up)
        if phase.wants_flag and phase.is_impatient:
            before_ns = self._clock()
            with suppress(DeviceError):  # the bus has counted it, and the phase asks again
                self._bus.read_word(self._address, registers.POWER)
                phase.armed(before_ns, self._clock())
        if shunt_raw and bus_raw:
            self._zero_believed = False
        elif not self._zero_believed:
            if not self._is_believed(first_ns):
                return None
            self._zero_believed = True
        return self._sample(shunt_raw, bus_raw)

    def _settle(self, shunt_raw: int, bus_raw: int) -> tuple[int, int, bool]:
        """Read again what is not to be believed at once: shunt, bus, and whether the flag is up."""
        is_up = True

        def read() -> tuple[int, int]:
            nonlocal is_up
            shunt = self._shunt_raw()
            is_up, bus = self._ask()
            return shunt, bus

        shunt, bus = map(round, self._doubt.settle((shunt_raw, bus_raw), read, self._where()))
        if bus > registers.BUS_RAW_MAX or abs(shunt) > registers.SHUNT_RAW_MAX:
            raise DeviceFault(
                f"{self._where()} says {bus * registers.BUS_V_PER_LSB:.2f} V and "
                f"{shunt * registers.SHUNT_V_PER_LSB * 1e3:.0f} mV at the shunt, which no "
                "INA219 can: check wiring and noise"
            )
        if abs(shunt) > self._scale.raw_max:
            self._verify_at_ns = 0  # beyond our range: the chip has been reset to its widest
        return shunt, bus, is_up

    def _is_believed(self, now_ns: int) -> bool:
        """Look whether a zero is the truth, or that of a chip which has just been reset."""
        before = self.resets
        self._verify(now_ns)
        return self.resets == before

    def _ask(self) -> tuple[bool, int]:
        """Read whether the chip has converted, and the raw bus voltage."""
        bus = self._bus.read_word(self._address, registers.BUS)
        return registers.is_converted(bus), registers.bus_raw(bus)

    def _shunt_raw(self) -> int:
        """Read the raw shunt voltage."""
        return registers.signed(self._bus.read_word(self._address, registers.SHUNT))

    def _sample(self, shunt_raw: int, bus_raw: int) -> Sample:
        """Make a sample of what is believed."""
        if self._silence.is_kept:
            self._silence.broken()
        if self._paces.is_auto:
            self._paces.judge(shunt_raw, self._configuration)
        return self._scale.sample(shunt_raw, bus_raw)

    def _verify(self, now_ns: int) -> None:
        """Make sure that the chip works as configured."""
        if not self._configured or not self._keeps_configuration():
            self.resets += self._configured
            self._program_now()
            if not self._keeps_configuration():
                raise DeviceFault(
                    f"{self._where()} does not keep its configuration: is it an INA219?"
                )
            self._configured = True
            self._silence.begin()
        self._verify_at_ns = now_ns + VERIFY_NS

    def _keeps_configuration(self) -> bool:
        # Four looks at most: a sample's words that were garbled on the wire are no reset.
        return any(self._read_back() == self._configuration.word for _ in range(4))

    def _program_now(self) -> None:
        """Have conversions start anew, and remember when they did."""
        before_ns = self._clock()
        self._program()
        self.begun_ns = self._clock()
        self._course.restarted(before_ns, self.begun_ns)

    def _program(self) -> None:
        """Write the configuration; conversions start anew."""
        self._bus.write_word(self._address, registers.CONFIGURATION, self._configuration.word)

    def _read_back(self) -> int:
        return self._bus.read_word(self._address, registers.CONFIGURATION)

    def _wait(self, now_ns: int) -> None:
        """Bear with a chip that is converting; start it again when it stands still.

        Raises:
            DeviceFault: that has not helped.
        """
        patience = self._silence.judge(now_ns, self._configuration.cycle_max_ns)
        if patience is not Patience.BEAR:
            self.resets += self._configured
            self._configured = False
            self._verify_at_ns = 0
        if patience is Patience.GIVE_UP:
            word = self._configuration.word
            raise DeviceFault(self._silence.told(self._where(), "bit 1 of 02h", word))

    def _where(self) -> str:
        return f"the chip at {self._address:#04x} on I2C bus {self._bus.number}"
