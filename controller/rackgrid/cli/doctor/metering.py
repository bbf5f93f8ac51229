"""What the board profile says of its meters: do they see their loads, has the bus time for them?

Sources: TI SBOS448G, 7.5 and 8.5 (INA219: 48 bit times a register read, 400 kHz; the other chips
are read alike); Linux drivers/i2c/busses/i2c-bcm2835.c (100 kHz unless the device tree says more).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid_firmware.chip import by_bus
from rackgrid_firmware.conversion import AVERAGED
from rackgrid_firmware.profile import MeterProfile, Profile
from rackgrid_firmware.reach import beyond, end_a_of, watts_behind
from rackgrid_firmware.registers import Range, configuration_for
from rackgrid_firmware.registers3221 import CONVERSIONS

BUS_HZ = 100_000
"""A Pi's I2C clock unless config.txt says otherwise."""
BITS_PER_READ = 48
"""Start, address, register, start again, address, two bytes and a stop, with their acks."""
READS = 2
"""Of a sample: shunt and bus. Looks at ready flags and configurations are few."""
READS_OF_EXTRA = 3
"""pi-ina219 asks for the bus voltage once more, for its overflow bit."""
BUSY, FULL = 0.7, 1.0
"""Shares of a bus's time above which a sample may come late, and above which samples are lost."""

SHUNT = Check(
    "shunt-range",
    "Can each meter see what its loads draw?",
    "An INA219 sees at most 320 mV at its shunt, an INA226 82 mV, an INA3221 164 mV, an INA260 "
    "15 A. With the usual 0.1 ohm that is 3.2 A, 0.82 A and 1.6 A. More than that is read as "
    "exactly that (saturated), and the load is then counted at its nameplate. Without a measured "
    "voltage only what is too much at any voltage is found: look again while the node runs.",
)
BUS_LOAD = Check(
    "i2c-load",
    "Does each I2C bus have time for its meters?",
    "A register read takes 48 bit times, a sample two reads. At 100 kHz one INA219 in the `fast` "
    "profile takes 90 % of the bus, one in `energy` 1.4 %. What the bus cannot carry is read late "
    "or not at all.",
)
CHECKS = (SHUNT, BUS_LOAD)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged.

    Attributes:
        bus_hz: clock of each bus that the device tree gives.
        volts: at each meter, as far as the daemon says.
    """

    profile: Profile | Unknown
    bus_hz: dict[int, int]
    volts: dict[str, float]


def look(case: Case) -> Facts:
    """Gather the facts."""
    meters = () if isinstance(case.profile, Unknown) else case.profile.meters
    clocks = {meter.bus: bus_clock(case, meter.bus) for meter in meters}
    volts: dict[str, float] = {}
    if not isinstance(case.state, Unknown):
        for meter in case.state.records("meters"):
            seen = meter.number("volts")
            if seen is not None and meter.text("quality") == "fresh":
                volts[meter.text("name")] = seen
    return Facts(case.profile, {number: hz for number, hz in clocks.items() if hz}, volts)


def bus_clock(case: Case, number: int) -> int:
    """Read a bus's clock from the device tree, Hz; 0 if it does not say."""
    data = case.host.bytes(f"/sys/bus/i2c/devices/i2c-{number}/of_node/clock-frequency")
    return 0 if isinstance(data, Unknown) or len(data) != 4 else int.from_bytes(data, "big")


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    if isinstance(facts.profile, Unknown):
        yield from (check.skip(facts.profile) for check in CHECKS)
        return
    yield from _shunts(facts.profile, facts.volts)
    yield from _bus_load(facts.profile, facts.bus_hz)


def _shunts(profile: Profile, volts: dict[str, float]) -> Iterator[Finding]:
    seeing: list[str] = []
    for meter in profile.meters:
        if not end_a_of(meter):
            yield SHUNT.skip(f"meter {meter.name}: a kernel driver has its chip")
            continue
        cause, fix = beyond(meter, profile, volts.get(meter.name, 0.0))
        if cause:
            yield SHUNT.warn(f"meter {meter.name}: {cause}", fix)
        else:
            seeing.append(_range(meter, profile))
    if seeing:
        yield SHUNT.ok(", ".join(seeing))
    if not profile.meters:
        yield SHUNT.skip("the board has no meter")


def _range(meter: MeterProfile, profile: Profile) -> str:
    end_a, watts = end_a_of(meter), watts_behind(meter, profile)
    enough = f" ({watts:g} W from {watts / end_a:.1f} V up)" if watts else ""
    return f"{meter.name} sees {end_a:.3g} A{enough}"


def _bus_load(profile: Profile, bus_hz: dict[int, int]) -> Iterator[Finding]:
    buses = by_bus(profile.meters)
    for number, meters in sorted(buses.items()):
        hz = bus_hz.get(number, BUS_HZ)
        share = sum(_bits_per_s(meter, meters) for meter in meters) / hz
        cause = f"bus {number} is busy {share:.0%} of its time at {hz // 1000} kHz"
        if share <= BUSY:
            yield BUS_LOAD.ok(cause)
            continue
        fix = 'dtparam=i2c_arm_baudrate=400000 in config.txt, profile = "energy", or another bus'
        yield BUS_LOAD.fail(cause, fix) if share > FULL else BUS_LOAD.warn(cause, fix)
    if not buses:
        yield BUS_LOAD.skip("the board has no meter on an I2C bus of ours")


def _bits_per_s(meter: MeterProfile, beside: tuple[MeterProfile, ...]) -> float:
    """Say how much of its bus a meter takes, bit times a second."""
    reads = READS_OF_EXTRA if meter.driver == "pi-ina219" else READS
    return reads * BITS_PER_READ * 1e9 / cycle_ns_of(meter, beside)


def cycle_ns_of(meter: MeterProfile, beside: tuple[MeterProfile, ...]) -> int:
    """Say how long one of our meters takes for a reading, ns; channels of one chip wait in turn.

    Args:
        meter: that we read ourselves.
        beside: all meters of its bus.
    """
    match meter.driver:
        case "ina226" | "ina260":
            return AVERAGED[meter.profile].cycle_ns
        case "ina3221":
            turns = sum(m.driver == "ina3221" and m.address == meter.address for m in beside)
            return CONVERSIONS[meter.profile].cycle_ns * turns
        case _:
            return configuration_for(
                meter.profile, Range.MV_320, shunt_adc=meter.shunt_adc, bus_adc=meter.bus_adc
            ).cycle_ns


FAMILY = Family("metering", CHECKS, lambda case: judge(look(case)))
