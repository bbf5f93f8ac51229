"""The way to the meters: the bus, its clock, who else drives the chips, and whether they answer.

A chip is read only while the firmware does not run: it has the bus then, and says itself through
the daemon how its meters fare.

Sources: TI SBOS448G, 7.5 (400 kHz without a master code for high speed); Linux
Documentation/i2c/dev-interface (EBUSY where a kernel driver has the address); pi_ina219#28 (the
library's own choice of a bus).
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.metering import bus_clock
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid_firmware.chip import Chips, by_bus, of_kernel, open_kernel_meter, wired
from rackgrid_firmware.device import Quality
from rackgrid_firmware.errors import DeviceError
from rackgrid_firmware.i2c import Bus, WordBus, open_smbus
from rackgrid_firmware.meter import Chip
from rackgrid_firmware.part import INA219, PARTS
from rackgrid_firmware.profile import MeterProfile, Profile
from rackgrid_firmware.registers import Sample

FAST_HZ = 400_000
SAMPLE_S = 0.5
"""A chip has made a first conversion within this, at any averaging."""
LOOK_S = 0.01
VOLTS_MIN = 1.0
"""Below this the supply side of a shunt is not connected, or has no power."""
OF_PLUG = "plug/"
"""How the meters inside plugs are called, which are on no bus."""

DEVICE = Check(
    "i2c-device",
    "Is each I2C bus of the board there?",
    "The bus is off until `dtparam=i2c_arm=on` is in config.txt, and /dev/i2c-N is missing until "
    "the module i2c-dev is loaded.",
)
SPEED = Check(
    "i2c-speed",
    "Is the bus no faster than its chips?",
    "INA219s work up to 400 kHz on a Pi: their faster mode needs a master code that the Pi never "
    "sends. 100 kHz is enough for a few meters (see i2c-load); `dtparam=i2c_arm_baudrate=400000`.",
)
DRIVER = Check(
    "i2c-kernel-driver",
    "Are the meters' addresses free of kernel drivers?",
    "Where the kernel's ina2xx driver has a chip, the firmware is refused with EBUSY, and a "
    "program "
    "that goes around the refusal (I2C_RDWR) corrupts the driver's readings.",
)
ANSWER = Check(
    "meter-answers",
    "Does each meter of the board answer, and keep its configuration?",
    "A chip that does not answer makes its loads count at nameplate. A chip that loses its "
    "configuration has browned out: relays and motors on its 3.3 V do that. While the daemon runs "
    "its word is taken, and its meters are compared with the board's.",
)
PLAUSIBLE = Check(
    "meter-plausible",
    "Does each meter see a voltage that can be, and a current within its range?",
    "0 V means that V+ and V- are not in the supply line; more than 26 V (an INA226 "
    "or INA260: 36 V) destroys the chip; a shunt at its end stop hides how much more there is.",
)
EXTRA = Check(
    "pi-ina219",
    "Is the pi-ina219 library there, if a meter asks for it?",
    "Its dependency spidev is compiled at installation and fails without gcc. It also reads 0 A "
    'after a brown-out and takes five transfers where two do: prefer `driver = "ina219"`.',
)
CHECKS = (DEVICE, SPEED, DRIVER, ANSWER, PLAUSIBLE, EXTRA)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a meter said; `trouble` is "" if it was sound, `volts_max` what its pins bear, V."""

    meter: str
    trouble: str
    volts: float | None
    quality: str
    volts_max: float = INA219.volts_max


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged.

    Attributes:
        needs_bus: the board is real; else why buses do not matter.
        buses: of the board's meters; there: those whose device is there.
        hz: clock of each bus that the device tree gives.
        bound: kernel drivers at the meters' addresses: ("1-0040", "ina2xx").
        seen: what each meter of the board said.
        missing: meters of the board that the daemon does not have; foreign: those that it has, and
            the board has not.
        extra: whether the library is there; else why that does not matter.
    """

    needs_bus: bool | Unknown
    buses: tuple[int, ...]
    there: frozenset[int]
    hz: dict[int, int]
    bound: tuple[tuple[str, str], ...] | Unknown
    seen: tuple[Seen, ...] | Unknown
    extra: bool | Unknown
    missing: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def look(case: Case) -> Facts:
    """Gather the facts."""
    profile, host = case.profile, case.host
    # A meter that a kernel driver has is on no bus of ours, and that driver belongs there.
    meters = () if isinstance(profile, Unknown) else wired(profile.meters)
    numbers = tuple(sorted({meter.bus for meter in meters}))
    uses_extra = any(meter.driver == "pi-ina219" for meter in meters)
    missing, foreign = _compared(case)
    return Facts(
        needs_bus=True if case.is_real else Unknown(case.why_not_real),
        buses=numbers,
        there=frozenset(number for number in numbers if host.has(f"/dev/i2c-{number}")),
        hz={number: hz for number in numbers if (hz := bus_clock(case, number))},
        bound=_bound(host, meters),
        seen=_seen(case),
        extra=find_spec("ina219") is not None
        if uses_extra
        else Unknown("no meter asks for pi-ina219"),
        missing=missing,
        foreign=foreign,
    )


def _bound(host: Host, meters: Sequence[MeterProfile]) -> tuple[tuple[str, str], ...] | Unknown:
    found: list[tuple[str, str]] = []
    for meter in meters:
        if not host.has(f"/sys/bus/i2c/devices/i2c-{meter.bus}"):
            return Unknown(f"the kernel has no I2C bus {meter.bus}")
        chip = f"{meter.bus}-{meter.address:04x}"
        driver = host.path(f"/sys/bus/i2c/devices/{chip}/driver")
        if driver.exists():
            found.append((chip, driver.resolve().name))
    return tuple(found)


def _seen(case: Case) -> tuple[Seen, ...] | Unknown:
    if isinstance(case.profile, Unknown):
        return case.profile
    if not isinstance(case.state, Unknown):
        if not case.state.flag("firmware"):
            return Unknown("the firmware does not answer the daemon, which knows of no meter then")
        told = {each.text("name"): each for each in case.state.records("meters")}
        return tuple(
            Seen(
                meter.name,
                "",
                told[meter.name].number("volts"),
                told[meter.name].text("quality"),
                volts_max_of(meter),
            )
            for meter in case.profile.meters
            if meter.name in told
        )
    if isinstance(case.firmware_runs, Unknown):
        return case.firmware_runs
    if case.firmware_runs:
        return Unknown(f"the firmware has the bus, and {case.state.reason}")
    if not case.is_real:
        return Unknown(case.why_not_real)
    if not case.host.is_this:
        return Unknown("another machine's bus is not read")
    return read_meters(case.profile)


def _compared(case: Case) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hold the daemon's meters against the board's: which it has not, and which the board has not.

    The daemon names those that its firmware reads; a profile that was changed since, or another one
    than the firmware's, has others.
    """
    if isinstance(case.profile, Unknown) or isinstance(case.state, Unknown):
        return (), ()
    if not case.state.flag("firmware"):
        return (), ()
    told = {each.text("name") for each in case.state.records("meters")}
    board = {meter.name for meter in case.profile.meters}
    foreign = {name for name in told - board if not name.startswith(OF_PLUG)}
    return tuple(sorted(board - told)), tuple(sorted(foreign))


def volts_max_of(meter: MeterProfile) -> float:
    """Say what the pins of a meter bear, V; of a chip that is not known, the least of all."""
    part = PARTS.get(meter.driver)
    return INA219.volts_max if part is None else part.volts_max


def read_meters(
    profile: Profile, opener: Callable[[int], WordBus] = open_smbus
) -> tuple[Seen, ...]:
    """Configure each meter as the firmware does, and take a sample; the firmware must not run.

    Args:
        profile: of the board.
        opener: makes the object that talks on I2C bus N.
    """
    found: list[Seen] = []
    chips = Chips()
    for number, meters in by_bus(profile.meters).items():
        bus = Bus(number, opener)
        try:
            found += [_sampled(chips, meter, bus) for meter in meters]
        finally:
            bus.close()
    found += [_said(meter, open_kernel_meter(meter)) for meter in of_kernel(profile.meters)]
    return tuple(found)


def _sampled(chips: Chips, meter: MeterProfile, bus: Bus) -> Seen:
    try:
        chip = chips.open(meter, bus)
    except DeviceError as fault:
        return Seen(meter.name, str(fault), None, Quality.STALE.value)
    return _said(meter, chip)


def _said(meter: MeterProfile, chip: Chip) -> Seen:
    try:
        sample = first_sample(chip.sample)
    except DeviceError as fault:
        return Seen(meter.name, str(fault), None, Quality.STALE.value)
    if sample is None:
        text = f"it has not converted in {SAMPLE_S:g} s"
        return Seen(meter.name, text, None, Quality.STALE.value)
    return Seen(meter.name, "", sample.volts, sample.quality.value, volts_max_of(meter))


def first_sample(take: Callable[[], Sample | None]) -> Sample | None:
    """Wait for a chip's first conversion; it is configured by the first look at it.

    The last look begins once all the time is over: if it was this process that stood still, the
    chip has had its time all the same.
    """
    until_s = time.monotonic() + SAMPLE_S
    while True:
        is_last = time.monotonic() >= until_s
        sample = take()
        if sample is not None or is_last:
            return sample
        select.select([], [], [], LOOK_S)


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    if isinstance(facts.needs_bus, Unknown):
        yield from (check.skip(facts.needs_bus) for check in (DEVICE, SPEED, DRIVER))
    elif not facts.buses:
        yield from (check.skip("the board has no meter") for check in (DEVICE, SPEED, DRIVER))
    else:
        yield from _device(facts)
        yield from _speed(facts)
        yield _driver(facts)
    yield from _answers(facts)
    yield from _plausible(facts.seen)
    yield _extra(facts.extra)


def _device(facts: Facts) -> Iterator[Finding]:
    for number in facts.buses:
        if number in facts.there:
            yield DEVICE.ok(f"/dev/i2c-{number}")
        else:
            yield DEVICE.fail(
                f"there is no /dev/i2c-{number}",
                "dtparam=i2c_arm=on in config.txt and a restart of the Pi; modprobe i2c-dev",
            )


def _speed(facts: Facts) -> Iterator[Finding]:
    for number in facts.buses:
        hz = facts.hz.get(number)
        if hz is None:
            yield SPEED.skip(f"the device tree gives no clock for bus {number}")
        elif hz > FAST_HZ:
            yield SPEED.warn(
                f"bus {number} runs at {hz // 1000} kHz, and INA219s are specified up to 400 kHz",
                "dtparam=i2c_arm_baudrate=400000 in config.txt, and a restart of the Pi",
            )
        else:
            yield SPEED.ok(f"bus {number} runs at {hz // 1000} kHz")


def _driver(facts: Facts) -> Finding:
    if isinstance(facts.bound, Unknown):
        return DRIVER.skip(facts.bound)
    if not facts.bound:
        return DRIVER.ok("no kernel driver has a meter's address")
    shown = ", ".join(f"{name} has {chip}" for chip, name in facts.bound)
    return DRIVER.fail(
        f"the kernel drives a meter: {shown}",
        "take the overlay (dtoverlay=i2c-sensor,...) out of config.txt; modprobe -r ina2xx for now",
    )


STALE = (
    "the firmware works by another profile: restart rackgrid-firmware, or give the profile that it "
    "has (--profile)"
)


def _answers(facts: Facts) -> Iterator[Finding]:
    seen = facts.seen
    if isinstance(seen, Unknown):
        yield ANSWER.skip(seen)
        return
    for name in facts.missing:
        yield ANSWER.fail(f"meter {name} is on the board, and the firmware does not read it", STALE)
    if facts.foreign:
        names = ", ".join(facts.foreign)
        yield ANSWER.warn(f"the firmware reads what is not on this board: {names}", STALE)
    if not seen and not facts.missing:
        yield ANSWER.skip("no meter was seen")
    for each in seen:
        if each.quality == Quality.STALE.value:
            trouble = each.trouble or "it does not answer the firmware"
            yield ANSWER.fail(
                f"meter {each.meter}: {trouble}",
                "check its four wires, its address (i2cdetect -y BUS) and its 3.3 V",
            )
        else:
            yield ANSWER.ok(f"meter {each.meter} answers")


def _plausible(seen: tuple[Seen, ...] | Unknown) -> Iterator[Finding]:
    sound = [] if isinstance(seen, Unknown) else [each for each in seen if each.volts is not None]
    sound = [each for each in sound if each.quality != Quality.STALE.value]
    if not sound:
        yield PLAUSIBLE.skip(seen if isinstance(seen, Unknown) else "no meter has answered")
        return
    for each in sound:
        volts = each.volts or 0.0
        if volts > each.volts_max:
            yield PLAUSIBLE.fail(
                f"meter {each.meter} sees {volts:.2f} V, more than its pins bear",
                f"take it out of that line now: at most {each.volts_max:g} V",
            )
        elif volts < VOLTS_MIN:
            yield PLAUSIBLE.warn(
                f"meter {each.meter} sees {volts:.2f} V",
                "connect V+ to the supply and V- to the load; is the feed on, its fuse whole?",
            )
        elif each.quality == Quality.SATURATED.value:
            yield PLAUSIBLE.warn(
                f"meter {each.meter} is at the end of its range at {volts:.2f} V",
                "fit a smaller shunt, and say so in the board profile (shunt_ohms, amps_max)",
            )
        else:
            yield PLAUSIBLE.ok(f"meter {each.meter} sees {volts:.2f} V")


def _extra(extra: bool | Unknown) -> Finding:
    if isinstance(extra, Unknown):
        return EXTRA.skip(extra)
    if extra:
        return EXTRA.ok("the library is installed")
    return EXTRA.fail(
        "a meter asks for pi-ina219, which is not installed",
        'driver = "ina219" in the board profile (better); or apt install gcc python3-dev and '
        "pip install 'rackgrid[pi-ina219]'",
    )


FAMILY = Family("buses", CHECKS, lambda case: judge(look(case)))
