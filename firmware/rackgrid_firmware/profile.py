"""The board profile: which chips and pins a node has, and what the firmware may do with them.

The profile alone defines copper: pins, meters, dwell, safe states, which outputs are required, and
the longest hold. It belongs to root; the firmware does not trust the controller, and the
controller's own configuration refers to outputs and meters by name only.

Here are its values. What the file may say is in `profile_table`, how it is read in `profile_file`.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid_firmware.profile_mock import (
    PLAIN_LOAD,
    STEADY_SOURCE,
    STURDY_BOARD,
    BoardMock,
    LoadMock,
    SourceMock,
)


@dataclass(frozen=True, slots=True)
class MeterMock:
    """What stands behind a meter in the mock world, if it is not an output's load.

    Attributes:
        source_w: a source (a panel) that gives this much at the start, W; 0 for none.
        source: what kind of source it is.
    """

    source_w: float = 0.0
    source: SourceMock = STEADY_SOURCE


@dataclass(frozen=True, slots=True)
class MeterProfile:
    """One meter chip.

    Attributes:
        name: unique in the profile.
        driver: the chip, by its name in small letters; "pi-ina219" reads an INA219 with the extra,
            "hwmon" and "iio" read whatever a kernel driver has.
        bus: I2C bus number; address: 7-bit. Both 0 where a kernel driver has the chip.
        shunt_ohms: of the shunt, ohm; 0 where the kernel driver's own value counts.
        amps_max: the most that is expected, A; chooses the range; 0 takes the widest.
        shunt_range: of an INA219, instead: "40mV" to "320mV", or "auto"; "" for none.
        shunt_adc, bus_adc: of an INA219, instead of what `profile` says: "9bit" to "12bit", or "2x"
            to "128x"; "" for none.
        bus_range: of an INA219: "16V" or "32V".
        profile: "energy" (shunt 128 samples, bus single), "fast" (12 bit, single) or "inrush"
            (as fast as a start asks for: 0.5 to 0.6 ms).
        gain, offset_a: software calibration: A = V_shunt / R * gain + offset.
        channel: of a chip that has several, from 1.
        path: where the kernel driver shows the chip: a directory, or an I2C device as "1-0041".
        shunt_tolerance_percent: of the shunt's marking, %.
        feed_ohms: between the feed's open voltage and the meter, ohm; 0 if it is stiff.
        calibrated: when it was calibrated, "2026-11-26"; "" if it never was.
        uncertainty_percent, uncertainty_a: of that calibration (k = 2): % of the reading, and A.
    """

    name: str
    driver: str
    bus: int
    address: int
    shunt_ohms: float
    amps_max: float
    profile: str
    gain: float
    offset_a: float
    mock: MeterMock
    channel: int = 1
    path: str = ""
    shunt_tolerance_percent: float = 1.0
    calibrated: str = ""
    uncertainty_percent: float = 0.0
    uncertainty_a: float = 0.0
    shunt_range: str = ""
    shunt_adc: str = ""
    bus_adc: str = ""
    bus_range: str = "32V"
    feed_ohms: float = 0.0


@dataclass(frozen=True, slots=True)
class OutputMock:
    """The load that the mock world puts behind an output.

    Attributes:
        draw_w: mean draw once running, W.
        noise: the draw wanders by this fraction of it (0.02 is ±2 %), and never passes nominal.
        load: how it draws, and the contact before it.
    """

    draw_w: float
    noise: float
    load: LoadMock = PLAIN_LOAD


@dataclass(frozen=True, slots=True)
class SwitchProfile:
    """What bounds the switching of an output beyond its dwell; nothing does by default.

    Attributes:
        hold_s: a start must have been asked for this long before it happens, s.
        switches_per_day: starts in a day, on average; 0 for as many as one likes.
        contact_life: how often its contact can close in its life; 0 if that is not known.
        not_with: outputs that may never be on together with this one.
        dead_s: it must have been off for so long before one of those may start, s.
        feeds: name of the node that it powers, or "".
        is_safe_on: whether a required load stays on when nobody is in charge; another never does.
        contact: "no" (normally open: the coil closes it) or "nc" (normally closed).
    """

    hold_s: float = 0.0
    switches_per_day: int = 0
    contact_life: int = 0
    not_with: tuple[str, ...] = ()
    dead_s: float = 0.1
    feeds: str = ""
    is_safe_on: bool = True
    contact: str = "no"


@dataclass(frozen=True, slots=True)
class TripProfile:
    """What takes an output off by itself, and how its meter judges its contact.

    Attributes:
        trip_a: at this current it goes off at once, A; 0 for never.
        rating_a, trip_tau_s: what it carries for ever, A, and the time constant of its heating, s;
            0 A for no such trip.
        trip_below_v, trip_below_s: it goes off once the voltage has been lower for so long, V, s;
            0 V for never.
        shed_rank: of the outputs that undervoltage would take off, those of the lowest go first.
        discharge_s: how long it may still draw after it has opened, s.
        leak_w: what flows even when it is open (a snubber, an indicator), W.
        least_w: the least that it draws while on, W; 0 if it may draw nothing.
    """

    trip_a: float = 0.0
    rating_a: float = 0.0
    trip_tau_s: float = 60.0
    trip_below_v: float = 0.0
    trip_below_s: float = 1.0
    shed_rank: int = 0
    discharge_s: float = 1.0
    leak_w: float = 0.0
    least_w: float = 0.0


@dataclass(frozen=True, slots=True)
class OutputProfile:
    """One switched output.

    Attributes:
        name: unique in the profile.
        gpio: BCM number; active_high: whether a high pin energises the relay's coil.
        pwm_hz: how often its pin pulses between off and full power, a second; 0 for a relay.
        min_level: the least power that it may be given while on, in thousandths of full power.
        required: always on while the firmware runs; the market has no say.
        nominal_w: nameplate: the most it draws once running, W.
        inrush_w, inrush_s: the most it draws while starting, and for how long.
        min_on_s, min_off_s: dwell.
        meter: name of the meter that sees it, or "".
        switch, trip: how it may be switched, and what takes it off by itself.
        pulled: "up" or "down": where a resistor or the module's input holds the pin while nobody
            drives it; "" if the Pi's own pull does.
    """

    name: str
    gpio: int
    active_high: bool
    required: bool
    nominal_w: float
    inrush_w: float
    inrush_s: float
    min_on_s: float
    min_off_s: float
    meter: str
    mock: OutputMock
    switch: SwitchProfile = SwitchProfile()
    trip: TripProfile = TripProfile()
    pwm_hz: float = 0.0
    min_level: int = 1000
    pulled: str = ""

    @property
    def is_high_on(self) -> bool:
        """Whether a high pin gives the load power: a normally closed contact turns it round."""
        return self.active_high == (self.switch.contact == "no")

    @property
    def is_safe_on(self) -> bool:
        """Whether its safe state gives the load power."""
        return self.required and self.switch.is_safe_on


@dataclass(frozen=True, slots=True)
class Profile:
    """A board.

    Attributes:
        name: of the board.
        driver: "mock" or "pi".
        base_w: worst case of the node's own electronics, W.
        hold_max_s: longest hold that the firmware accepts, s.
        stagger_s: at least this long between two starts, s; 0 switches it off.
        heartbeat_pin: BCM number of a pin that pulses while the deadline loop turns, if any.
        mock: what low voltage does to it in the mock world.
        start_delay_s: after a kernel boot no flexible output starts for up to this long, s; how
            long it really is, chance says, so that the nodes of a feed do not start together.
    """

    name: str
    driver: str
    base_w: float
    hold_max_s: float
    stagger_s: float
    meters: tuple[MeterProfile, ...]
    outputs: tuple[OutputProfile, ...]
    heartbeat_pin: int | None = None
    mock: BoardMock = STURDY_BOARD
    start_delay_s: float = 0.0

    def limit_a(self, meter: MeterProfile) -> float:
        """Say at which current the first output behind a meter trips at once, A; 0 for none."""
        limits = (each.trip.trip_a for each in self.outputs if each.meter == meter.name)
        return min(filter(None, limits), default=0.0)
