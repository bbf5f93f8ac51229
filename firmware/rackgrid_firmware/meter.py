"""A sampling thread per bus: the newest reading of each meter, energy, and the health of each chip.

Why a thread: a transfer sleeps in the kernel for half a millisecond when all is well and for a
second when the bus hangs; the loop that keeps the deadlines must not sleep with it. Whoever asks
for `latest` never waits for the bus, and sees by the clock alone that a channel has gone silent.

A chip is read when it has converted again, which it knows (`Pacing.due_ns`), and until when it may
be put off at no cost: so the chips of a bus share wake-ups although each has a pace of its own. One
that knows nothing of it (a kernel's) is read at its period. A chip that fails is left alone for
0.1 s, then twice as long each time up to 5 s; the others go on. When two
accesses in a row found the bus itself hanging (each costs its second), only one chip probes it
until it answers.

What each meter has counted is `energy`'s affair. Whoever switches an output may ask for a closer
look (`Sampler.hurry`) by a chip that can convert faster for a while.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol, runtime_checkable

from rackgrid_firmware.covariance import Covariance, Looking
from rackgrid_firmware.device import Quality, Reading
from rackgrid_firmware.energy import Energy, EnergyCounter
from rackgrid_firmware.errors import DeviceError
from rackgrid_firmware.registers import Sample

BACK_OFF_NS: Final = 100_000_000
BACK_OFF_MAX_NS: Final = 5_000_000_000
STALE_PERIODS: Final = 4
STALE_MIN_NS: Final = 300_000_000
"""A reading is stale after four periods, not before 0.3 s: a busy machine is no broken chip."""
FAILURES_MAX: Final = 2
"""So many failed samples in a row make a reading stale at once."""


class Chip(Protocol):
    """A chip that a driver drives."""

    @property
    def name(self) -> str:
        """The meter's name in the board profile."""
        ...

    @property
    def period_ns(self) -> int:
        """How long a conversion takes, ns."""
        ...

    @property
    def resets(self) -> int:
        """How often the chip was found reset."""
        ...

    def sample(self) -> Sample | None:
        """Read the newest conversion; None if there is none yet.

        Raises:
            DeviceError: the chip did not answer, or not believably.
        """
        ...


@runtime_checkable
class Pacing(Protocol):
    """A chip that can convert faster for a while, and sleep, and knows when it has converted."""

    @property
    def begun_ns(self) -> int:
        """Since when it has been converting as it does now, ns."""
        ...

    @property
    def due_ns(self) -> int:
        """When to sample it next, ns; 0: nobody knows, so its period will do."""
        ...

    @property
    def late_ns(self) -> int:
        """Until when that sample may be put off at no cost, ns."""
        ...

    @property
    def ended_ns(self) -> int:
        """When the conversion of the last sample ended, ns; 0: just before it was read."""
        ...

    def hurry(self, until_ns: int) -> None:
        """Convert as fast as may be until then; may be called by another thread."""
        ...

    def rest(self) -> None:
        """Sleep until the next sample is asked for.

        Raises:
            DeviceError: the chip did not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Health:
    """How a meter fares.

    Attributes:
        failing: since its last sample it has not answered, or not believably.
        problem: the last error, as a sentence; "" if there was none.
        failures: failed samples since the start.
        resets: how often its chip was found reset.
    """

    meter: str
    failing: bool
    problem: str
    failures: int
    resets: int


class Channel:
    """One meter: a chip, its energy, its newest reading. Used by one thread, read by any.

    Args:
        chip: that it reads.
        clock: CLOCK_MONOTONIC in ns.
        before: what an earlier process had counted of it.
    """

    def __init__(self, chip: Chip, clock: Callable[[], int], before: Energy | None = None) -> None:
        self.chip = chip
        self._pacing = chip if isinstance(chip, Pacing) else None
        self.covariance: Covariance | None = None
        """What it knows of its feed, if that is soft."""
        if isinstance(chip, Looking) and chip.soft_ohms:
            self.covariance = Covariance(chip)
        self.due_ns = self.late_ns = 0
        self.is_wanted = False
        """Whether somebody has asked for a look since the last one began."""
        self.failures_in_a_row = 0
        self._clock = clock
        self._origin_ns = clock()
        self._energy = EnergyCounter(self._stale_ns, before)
        self._failures = 0
        self._problem = ""
        counted = self._energy.counted
        self._newest = Reading(
            chip.name,
            clock(),
            0.0,
            0.0,
            counted.energy_mj,
            Quality.STALE,
            counted.estimated_mj,
        )

    @property
    def name(self) -> str:
        """The meter's name in the board profile."""
        return self.chip.name

    @property
    def _stale_ns(self) -> int:
        # Asked each time: a kernel's chip may be there, and say its pace, only after a while.
        return max(STALE_PERIODS * self.chip.period_ns, STALE_MIN_NS)

    def call(self, due_ns: int, late_ns: int = 0) -> None:
        """Have it read at this moment, or up to a later one if that saves a wake-up, ns."""
        self.late_ns = max(due_ns, late_ns)
        self.due_ns = due_ns

    def call_next(self, *, is_first: bool) -> None:
        """Have it read when it has converted again.

        Args:
            is_first: whether it has not converted at all yet.
        """
        now_ns, period_ns = self._clock(), self.chip.period_ns
        if self.is_wanted:
            self.call(now_ns)
        elif self._pacing is not None and self._pacing.due_ns:
            self.call(self._pacing.due_ns, self._pacing.late_ns)
        elif is_first:
            self.call(now_ns + period_ns // 8)
        else:
            self.call(now_ns + period_ns - (now_ns - self._origin_ns) % period_ns)

    def read(self) -> Reading:
        """Take the newest sample, or give the last one, with its age, if there is none yet.

        Raises:
            DeviceError: the chip did not answer, or not believably.
        """
        return self.take() or self.latest(self._clock())

    def take(self) -> Reading | None:
        """Take the newest sample; None if there is nothing new to show.

        Raises:
            DeviceError: the chip did not answer, or not believably.
        """
        try:
            sample = self.chip.sample()
        except DeviceError as error:
            self.failures_in_a_row += 1
            self._failures += 1
            self._problem = str(error)
            raise
        if sample is None:
            return None
        t_ns = self._clock()
        begun_ns, until_ns, span_max_ns = None, t_ns, self._stale_ns
        if self._pacing is not None:
            begun_ns, until_ns = self._pacing.begun_ns, self._pacing.ended_ns or t_ns
            # Each of its conversions is read: what is not is known, however short.
            span_max_ns = STALE_PERIODS * self.chip.period_ns
        self.failures_in_a_row = 0
        shown: Sample | None = sample
        watts = sample.volts * sample.amps
        if self.covariance is not None:
            watts = self.covariance.watts(t_ns, sample.volts, sample.amps)
            shown = self.covariance.shown(t_ns, sample)
        counted = self._energy.add(until_ns, watts, begun_ns, span_max_ns)
        mj, estimated_mj = counted.energy_mj, counted.estimated_mj
        if shown is None:
            self._newest = replace(self._newest, energy_mj=mj, estimated_mj=estimated_mj)
            return None
        volts, amps, quality = shown.volts, shown.amps, shown.quality
        self._newest = Reading(self.name, t_ns, volts, amps, mj, quality, estimated_mj)
        return self._newest

    def latest(self, now_ns: int) -> Reading:
        """Give the newest reading, marked stale if it is old or the chip is failing."""
        newest = self._newest  # one assignment replaces it whole, so no lock is needed
        silent = now_ns - newest.t_ns > self._stale_ns
        if silent or self.failures_in_a_row >= FAILURES_MAX:
            return replace(newest, quality=Quality.STALE)
        return newest

    def health(self) -> Health:
        """Say how the meter fares."""
        failing = self.failures_in_a_row > 0
        return Health(self.name, failing, self._problem, self._failures, self.chip.resets)


class Sampler:
    """The meters of one bus, and the thread that reads them.

    Args:
        chips: on that bus.
        clock: CLOCK_MONOTONIC in ns.
        on_reading: told each new reading, in the sampling thread; must be quick.
        on_health: told when a meter begins to fail and when it works again, in the sampling thread.
        before: what an earlier process had counted, by meter.
    """

    def __init__(
        self,
        chips: Sequence[Chip],
        clock: Callable[[], int] = time.monotonic_ns,
        on_reading: Callable[[Reading], None] | None = None,
        on_health: Callable[[Health], None] | None = None,
        before: Mapping[str, Energy] | None = None,
    ) -> None:
        assert chips, "a bus without meters needs no sampler"
        self._clock = clock
        known = before or {}
        self._channels = tuple(Channel(chip, clock, known.get(chip.name)) for chip in chips)
        self._on_reading = on_reading
        self._on_health = on_health
        self._hangs_in_a_row = 0
        self._visited = self._channels[0]
        self._stopping = threading.Event()
        self._alarm = threading.Event()
        self._thread: threading.Thread | None = None

    def latest(self) -> tuple[Reading, ...]:
        """Give the newest reading of each meter; never waits for the bus."""
        now_ns = self._clock()
        return tuple(channel.latest(now_ns) for channel in self._channels)

    def health(self) -> tuple[Health, ...]:
        """Say how each meter fares."""
        return tuple(channel.health() for channel in self._channels)

    def start(self) -> None:
        """Start the thread."""
        assert self._thread is None, "started twice"
        names = ",".join(channel.name for channel in self._channels)
        self._thread = threading.Thread(target=self._run, name=f"meter {names}", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """End the thread.

        Args:
            timeout_s: how long to wait; a hung bus holds its thread for a second per transfer.

        Returns:
            Whether it has ended; if not, it ends with the process.
        """
        self._stopping.set()
        self._alarm.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
        for channel in self._channels:
            if isinstance(channel.chip, Pacing):
                with suppress(DeviceError):  # it stays awake then: a milliampere
                    channel.chip.rest()
        return True

    def hurry(self, meter: str, until_ns: int) -> None:
        """Have a meter look as closely as it can until then; never waits.

        Args:
            until_ns: CLOCK_MONOTONIC, ns.
        """
        for channel in self._channels:
            if channel.name == meter and isinstance(channel.chip, Pacing):
                channel.chip.hurry(until_ns)
                if channel.failures_in_a_row == 0:
                    channel.is_wanted = True  # before the next line: a visit may be under way
                    channel.call(self._clock())
                    self._alarm.set()

    def poll(self) -> int:
        """Read every chip that is due.

        Returns:
            When to read the next, ns: as late as one of them allows, and then all that are due.
        """
        for channel in self._channels:
            if channel.due_ns <= self._clock() and not self._stopping.is_set():
                self._visit(channel)
        late_ns = min(channel.late_ns for channel in self._channels)
        return max(each.due_ns for each in self._channels if each.due_ns <= late_ns)

    def _visit(self, channel: Channel) -> None:
        was_failing = channel.failures_in_a_row > 0
        channel.is_wanted = False
        self._visited = channel
        try:
            reading = channel.take()
        except DeviceError as error:
            self._put_off(channel, hung=getattr(error, "errno", None) == errno.ETIMEDOUT)
        else:
            self._hangs_in_a_row = 0
            if reading is not None and channel.covariance is not None:
                self._look(channel, channel.covariance)
            channel.call_next(is_first=reading is None)
            if reading is not None and self._on_reading is not None:
                self._on_reading(reading)
        if (channel.failures_in_a_row > 0) != was_failing and self._on_health is not None:
            self._on_health(channel.health())

    def _look(self, channel: Channel, covariance: Covariance) -> None:
        """Begin a look that is due, unless another chip has one: it fills the bus."""
        now_ns = self._clock()
        looking = (each.covariance for each in self._channels)
        if covariance.wants(now_ns) and not any(c and c.is_looking(now_ns) for c in looking):
            covariance.look(now_ns)
            channel.is_wanted = True

    def _put_off(self, channel: Channel, *, hung: bool) -> None:
        doublings = min(channel.failures_in_a_row - 1, 10)
        retry_ns = self._clock() + min(BACK_OFF_NS << doublings, BACK_OFF_MAX_NS)
        channel.call(retry_ns)
        self._hangs_in_a_row = self._hangs_in_a_row + 1 if hung else 0
        if self._hangs_in_a_row >= FAILURES_MAX:
            for other in self._channels:
                other.call(max(other.due_ns, retry_ns))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                due_ns = self.poll()
            except Exception as error:  # noqa: BLE001  # the thread's outermost loop
                due_ns = self._clock()
                self._visited.call(due_ns + BACK_OFF_MAX_NS)  # and the others before it
                self._report_bug(error)
            self._alarm.wait(max(due_ns - self._clock(), 0) / 1e9)
            self._alarm.clear()

    def _report_bug(self, error: Exception) -> None:
        """Tell of an error that is no device's; until its next try that meter's reading is old."""
        if self._on_health is None:
            raise error  # ends the thread, which Python reports
        health = self._visited.health()
        self._on_health(replace(health, failing=True, problem=f"a bug: {error!r}"))
