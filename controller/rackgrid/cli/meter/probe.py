"""The chips of a board, read by this process while no firmware has them.

Two programs on one bus would not break a transfer, but they would configure each other's chips, and
a calibration under a firmware's hands would be one of neither. So for a real board two locks are
taken first: that of the firmware's socket, which it holds while it runs (and without which none can
start meanwhile), and that of the board profile, which a firmware with another socket holds.
The plant of a mock board serves a firmware and us one after the other, and each node its own
chips: no lock is taken, since the nodes of a mock rack share a profile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from rackgrid.cli.meter import FIRMWARE
from rackgrid.cli.patience import pass_time
from rackgrid_firmware.chip import Chips, by_bus, of_kernel, open_kernel_meter
from rackgrid_firmware.device import Reading
from rackgrid_firmware.errors import (
    DeviceFault,
    DeviceForbidden,
    DeviceUnavailable,
    ProfileError,
)
from rackgrid_firmware.i2c import Bus, WordBus, open_smbus
from rackgrid_firmware.meter import Chip, Sampler
from rackgrid_firmware.profile import MeterProfile, Profile

SETTLE = 2
"""So many first readings are left out: their conversion may have begun before the load stood."""
PATIENCE_S = 5.0
"""The longest wait for a reading; a hung bus takes a second per transfer."""
_SILENT = f"no reading for {PATIENCE_S:g} s: does the chip convert?"

Opener = Callable[[int], WordBus]


def find_meter(profile: Profile, name: str) -> MeterProfile:
    """Look a meter up.

    Raises:
        DeviceFault: the board has none of that name.
    """
    for meter in profile.meters:
        if meter.name == name:
            return meter
    has = ", ".join(meter.name for meter in profile.meters) or "none"
    raise DeviceFault(f"the board {profile.name} has no meter {name!r}; it has: {has}")


class Probe:
    """Reads meters, conversion by conversion.

    Args:
        buses: the chips of each bus.
        clock: CLOCK_MONOTONIC in ns.
        wait: lets time pass, s.
    """

    def __init__(
        self,
        buses: Iterable[Sequence[Chip]],
        clock: Callable[[], int] = time.monotonic_ns,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        self._read: list[Reading] = []
        self._samplers = [Sampler(chips, clock, on_reading=self._read.append) for chips in buses]
        self._clock = clock
        self._wait = wait or pass_time

    def stream(self) -> Iterator[tuple[Reading, ...]]:
        """Give the readings as they come, several at once, or none after some waiting.

        Raises:
            DeviceUnavailable: there was none of any chip for `PATIENCE_S`.
        """
        heard_ns = self._clock()
        while True:
            due_ns = min(sampler.poll() for sampler in self._samplers)
            readings = tuple(self._read)
            self._read.clear()
            if readings:
                heard_ns = self._clock()
            elif self._clock() - heard_ns > PATIENCE_S * 1e9:
                raise DeviceUnavailable("; ".join(self.problems().values()) or _SILENT)
            yield readings
            self._wait((due_ns - self._clock()) / 1e9)

    def take(self, count: int, settle: int = SETTLE) -> tuple[Reading, ...]:
        """Take readings of the one meter, all converted after this call.

        Args:
            count: how many.
            settle: how many are left out before.

        Raises:
            DeviceUnavailable: the chip gave none for `PATIENCE_S`.
        """
        readings: list[Reading] = []
        for batch in self.stream():
            readings += batch
            if len(readings) >= settle + count:
                break
        return tuple(readings[settle : settle + count])

    def once(self) -> dict[str, Reading]:
        """Take a reading of each meter, by name; one that is silent for `PATIENCE_S` has none."""
        end_ns = self._clock() + round(PATIENCE_S * 1e9)
        wanted = sum(len(sampler.latest()) for sampler in self._samplers)
        found: dict[str, Reading] = {}
        for batch in self.stream():
            found |= {reading.meter: reading for reading in batch}
            if len(found) == wanted or self._clock() > end_ns:
                break
        return found

    def problems(self) -> dict[str, str]:
        """Say what is wrong with the meters that fail now, by name."""
        health = [each for sampler in self._samplers for each in sampler.health()]
        return {each.meter: each.problem for each in health if each.failing}


@contextmanager
def probing(
    path: Path,
    profile: Profile,
    meters: Sequence[MeterProfile],
    plant: str | None,
    node: str,
    firmware: str = FIRMWARE,
) -> Generator[Probe]:
    """Open the chips of some meters, for as long as the block lasts.

    Args:
        path: of the board profile.
        profile: as read from there.
        meters: which, as they shall be read.
        plant: the plant's socket, for a mock board.
        node: its name there.
        firmware: the socket of the firmware whose chips these are.

    Raises:
        DeviceUnavailable: a firmware has the board, or there is no plant.
        DeviceForbidden: this user cannot find out.
        ProfileError: a mock board without a plant, or a real one with.
    """
    if (profile.driver == "mock") != (plant is not None):
        wants = "add --plant SOCKET" if plant is None else "leave out --plant"
        raise ProfileError(f'{path}: a board with driver = "{profile.driver}": {wants}')
    with ExitStack() as stack:
        opener = (
            _alone(path, firmware, stack)
            if plant is None
            else _plugged(profile, plant, node, stack)
        )
        buses: list[list[Chip]] = []
        chips = Chips()
        for number, here in by_bus(meters).items():
            bus = Bus(number, opener)
            stack.callback(bus.close)
            buses.append([chips.open(meter, bus) for meter in here])
        buses += [[open_kernel_meter(meter)] for meter in of_kernel(meters)]
        yield Probe(buses)


def raw(meter: MeterProfile) -> MeterProfile:
    """Make it read without its calibration."""
    return replace(meter, gain=1.0, offset_a=0.0)


def _alone(path: Path, firmware: str, stack: ExitStack) -> Opener:
    from rackgrid_firmware import listener, profile_lock

    _take(firmware, lambda: listener.seize(firmware), stack)
    _take(str(path), lambda: profile_lock.seize(path), stack)
    return open_smbus


def _take(what: str, seize: Callable[[], int | None], stack: ExitStack) -> None:
    """Take a lock that a running firmware would hold.

    Raises:
        DeviceUnavailable: it does.
        DeviceForbidden: this user cannot find out.
    """
    try:
        held = seize()
    except FileNotFoundError:
        return  # no firmware has served there since the machine started
    except PermissionError as fault:
        raise DeviceForbidden(
            f"{what}: only its owner and root can see whether a firmware runs: use sudo"
        ) from fault
    if held is None:
        raise DeviceUnavailable(
            f"a running firmware (or another rackgrid meter) has locked {what}, so the chips are "
            "not free: leave out --profile to ask the daemon, or stop the firmware first (its "
            "loads go off): systemctl stop rackgrid rackgrid-firmware"
        )
    stack.callback(os.close, held)


def _plugged(profile: Profile, plant: str, node: str, stack: ExitStack) -> Opener:
    from rackgrid_firmware.mock.bus import MockSMBus
    from rackgrid_firmware.mock.client import PlantControl, RemotePins, RemotePort
    from rackgrid_firmware.mock.wiring import wiring

    control = PlantControl(plant)
    stack.callback(control.close)
    try:
        control.levels(node)
    except ValueError:  # unknown there: no firmware has plugged it in yet
        stack.callback(RemotePins(plant, wiring(node, profile)).close)
    return lambda number: MockSMBus(RemotePort(plant, node, number))
