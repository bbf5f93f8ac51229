"""A board: every device that a profile names, opened and closed as one.

What cannot be opened does not stop the rest: a node that lost a meter still has to keep its
deadlines, and its load counts at nameplate; an output whose pin is taken stays off and is reported.
The order matters: outputs are claimed before the first meter is read, so that the pins are safe
even if a bus hangs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rackgrid_firmware.chip import Chips, by_bus, of_kernel, open_kernel_meter
from rackgrid_firmware.device import Output, Quality, Reading
from rackgrid_firmware.energy import Energy
from rackgrid_firmware.errors import DeviceError
from rackgrid_firmware.i2c import Bus, WordBus, open_smbus
from rackgrid_firmware.meter import Chip, Health, Sampler
from rackgrid_firmware.profile import OutputProfile, Profile
from rackgrid_firmware.pwm import Pwm
from rackgrid_firmware.relay import Relay, pi_factory
from rackgrid_firmware.uneven import uneven

STOP_S = 0.2
"""A sampling thread that is stuck in a hung bus longer than this ends with the process."""
LOOK_NS = 100_000_000
"""So long a meter looks closely, and as long as a start takes on top, ns. It is over before the
verdict on the contact begins (`protection.WINDOW_NS`), whose samples are to lie apart."""
UNEVEN_NS = 80_000_000
"""By up to so much it is longer, ns. A meter's usual cycle begins anew at its end, and has a blind
spot, a hundredth of it: always at the same time after a start, that would lie at the same place of
a load's pulses each time."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A device that could not be opened, and why."""

    device: str
    problem: str


@dataclass(frozen=True, slots=True)
class Ways:
    """How a board's devices are reached: really, or in the plant.

    Attributes:
        pins: makes gpiozero's pin factory.
        bus: makes the object that talks on I2C bus N.
        close: lets go of what the two of them share.
    """

    pins: Callable[[], Any]
    bus: Callable[[int], WordBus]
    close: Callable[[], None]


def look_ns(inrush_s: float, count: int) -> int:
    """Say how long a meter looks closely at a start, ns.

    Args:
        inrush_s: how long the start takes, s.
        count: of the starts so far.
    """
    return round(inrush_s * 1e9) + LOOK_NS + round(UNEVEN_NS * uneven(count)[0])


def real_ways() -> Ways:
    """Reach the devices of the Pi that we run on."""
    return Ways(pi_factory, open_smbus, lambda: None)


def mock_ways(profile: Profile, node: str, plant: str) -> Ways:
    """Reach the devices of a mock board, in the plant's process.

    Args:
        profile: of the board; plugs the node into the plant.
        node: its name there.
        plant: path of the plant's socket.

    Raises:
        DeviceUnavailable: there is no plant.
        ValueError: the plant does not take the node.
    """
    # Here, because a real board needs none of it.
    from rackgrid_firmware.mock.bus import MockSMBus
    from rackgrid_firmware.mock.client import RemotePins, RemotePort
    from rackgrid_firmware.mock.pins import PlantFactory
    from rackgrid_firmware.mock.wiring import wiring

    pins = RemotePins(plant, wiring(node, profile))
    return Ways(
        lambda: PlantFactory(pins),
        lambda number: MockSMBus(RemotePort(plant, node, number)),
        pins.close,
    )


class Board:
    """The devices of one node.

    Args:
        profile: of the board.
        ways: how its devices are reached.
        on_health: told when a meter begins to fail and when it works again, in another thread.
        barred: outputs that stay off even in their safe states.
        before: what an earlier process had counted, by meter.
    """

    def __init__(
        self,
        profile: Profile,
        ways: Ways,
        on_health: Callable[[Health], None] | None = None,
        barred: frozenset[str] = frozenset(),
        before: Mapping[str, Energy] | None = None,
    ) -> None:
        self.profile = profile
        self.relays: dict[str, Output] = {}
        """The outputs whose pins we have, by name, each claimed at its safe level."""
        self.heartbeat: Output | None = None
        """The pin of a hardware dead-man, claimed low; its wave is the deadline loop's affair."""
        self.on_reading: Callable[[Reading], None] | None = None
        """Told each new reading, in a sampling thread; to be set before `start`."""
        self._pins: dict[str, Relay] = {}
        self._barred = barred
        self._before = dict(before or {})
        self._starts = 0
        self._ways = ways
        self._troubles: list[Trouble] = []
        self._buses: list[Bus] = []
        self._samplers: list[Sampler] = []
        try:
            self._open_outputs()
            self._open_meters(on_health)
        except BaseException:
            self.close()
            raise

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """What could not be opened."""
        return tuple(self._troubles)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The newest reading of every meter, in the profile's order; never waits for a bus."""
        found = {reading.meter: reading for each in self._samplers for reading in each.latest()}
        return tuple(
            found.get(meter.name) or Reading(meter.name, 0, 0.0, 0.0, 0, Quality.STALE)
            for meter in self.profile.meters
        )

    @property
    def counted(self) -> dict[str, Energy]:
        """What each meter has counted, also before this process; never waits for a bus."""
        latest = [reading for each in self._samplers for reading in each.latest()]
        return self._before | {
            each.meter: Energy(each.energy_mj, each.estimated_mj) for each in latest
        }

    def hurry(self, started: Collection[str]) -> None:
        """Have the meters of outputs that were just switched on look closely at their start."""
        for output in self.profile.outputs:
            if output.name in started:
                self._starts += 1
                until_ns = time.monotonic_ns() + look_ns(output.inrush_s, self._starts)
                for sampler in self._samplers:
                    sampler.hurry(output.meter, until_ns)

    def bar(self, barred: frozenset[str]) -> None:
        """Say which outputs stay off even in their safe states, from now on."""
        for name, relay in self._pins.items():
            relay.is_barred = name in barred

    def start(self) -> None:
        """Start to sample."""
        for sampler in self._samplers:
            sampler.start()

    def close(self) -> None:
        """Bring every output to its safe level, then let go of everything.

        Raises:
            DeviceError: an output did not follow; all others were closed.
        """
        faults: list[DeviceError] = []
        pulsing = () if self.heartbeat is None else (self.heartbeat,)
        for relay in (*self.relays.values(), *pulsing):
            try:
                relay.close()
            except DeviceError as fault:
                faults.append(fault)
        stopped = [sampler.stop(STOP_S) for sampler in self._samplers]
        if all(stopped):
            for bus in self._buses:
                bus.close()
        self._ways.close()
        if faults:
            raise faults[0]

    def _open_outputs(self) -> None:
        if not self.profile.outputs:
            return
        try:
            factory = self._ways.pins()
        except DeviceError as fault:
            self._troubles += [Trouble(each.name, str(fault)) for each in self.profile.outputs]
            return
        for output in self.profile.outputs:
            self._claim(output, factory)
        pin = self.profile.heartbeat_pin
        if pin is not None:
            try:
                self.heartbeat = Relay(
                    "heartbeat", pin, active_high=True, safe_on=False, factory=factory
                )
            except DeviceError as fault:
                self._troubles.append(Trouble("heartbeat", str(fault)))

    def _claim(self, output: OutputProfile, factory: Any) -> None:
        try:
            relay = _opened(output, factory, is_barred=output.name in self._barred)
            self.relays[output.name] = self._pins[output.name] = relay
        except DeviceError as fault:
            self._troubles.append(Trouble(output.name, str(fault)))

    def _open_meters(self, on_health: Callable[[Health], None] | None) -> None:
        chips_of_board = Chips()
        for number, meters in by_bus(self.profile.meters).items():
            bus = Bus(number, self._ways.bus)
            self._buses.append(bus)
            chips: list[Chip] = []
            for meter in meters:
                try:
                    chips.append(chips_of_board.open(meter, bus, self.profile.limit_a(meter)))
                except DeviceError as fault:
                    self._troubles.append(Trouble(meter.name, str(fault)))
            if chips:
                self._sample(chips, on_health)
        for meter in of_kernel(self.profile.meters):
            self._sample([open_kernel_meter(meter, self.profile.limit_a(meter))], on_health)

    def _sample(self, chips: Sequence[Chip], on_health: Callable[[Health], None] | None) -> None:
        sampler = Sampler(chips, on_reading=self._hand_on, on_health=on_health, before=self._before)
        self._samplers.append(sampler)

    def _hand_on(self, reading: Reading) -> None:
        if self.on_reading is not None:
            self.on_reading(reading)


def _opened(output: OutputProfile, factory: Any, *, is_barred: bool) -> Relay:
    """Claim an output's pin at its safe level; what is barred stays off."""
    if output.pwm_hz:
        return Pwm(
            output.name,
            output.gpio,
            active_high=output.is_high_on,
            hz=output.pwm_hz,
            factory=factory,
        )
    return Relay(
        output.name,
        output.gpio,
        active_high=output.is_high_on,
        safe_on=output.is_safe_on and not is_barred,
        factory=factory,
    )
