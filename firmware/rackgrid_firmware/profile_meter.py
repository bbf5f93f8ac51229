"""The meters of a board profile: what each chip allows, and the profile made of what is allowed.

A key that a chip cannot honour is refused and never passed over in silence: a shunt that is wrong
by ten makes a load look ten times smaller, and the feed is promised by these numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from rackgrid_firmware.key import complaint, shown
from rackgrid_firmware.part import INA219, KERNEL_DRIVERS, PARTS, Part, over_range
from rackgrid_firmware.profile import MeterMock, MeterProfile
from rackgrid_firmware.profile_mock_table import check_meter, source_mock
from rackgrid_firmware.registers import RANGE_NAMES
from rackgrid_firmware.section import Section
from rackgrid_firmware.settings import TomlFile

_SHUNT_PRINTED = "as printed on it: R100 is 0.1 ohm, R010 is 0.01, R002 is 0.002"
_INA219_KEYS = ("shunt_range", "shunt_adc", "bus_adc", "bus_range")
_PATHS = 'a directory such as "/sys/class/hwmon/hwmon2", or its I2C device as "1-0041"'


def check_meters(file: TomlFile, meters: list[Section], board_driver: str) -> None:
    """Report all that is wrong with the meters of a board.

    Args:
        file: that they are in.
        meters: the `[[meter]]` tables.
        board_driver: "mock" or "pi".
    """
    file.unique(meters, "name")
    for meter in meters:
        _check_calibration(file, meter)
        check_meter(file, meter)
        if not meter.sound("driver"):
            continue
        part = PARTS.get(meter.text("driver"))
        if part is not INA219:
            _refuse(file, meter, _INA219_KEYS, "only an INA219 is set up key by key")
        if part is None:
            _check_kernel_meter(file, meter, board_driver)
        else:
            _check_address(file, meter, part)
            _check_channel(file, meter, part.channels)
            _check_shunt(file, meter, part)
    _check_places(file, meters)


def meter_profile(meter: Section) -> MeterProfile:
    """Make the profile of a meter, which has no findings."""
    mock = meter.inside["mock"]
    driver = meter.text("driver")
    part = PARTS.get(driver)
    ohms = meter.number("shunt_ohms", 0.1 if part is not None else 0.0)
    return MeterProfile(
        name=meter.text("name"),
        driver=driver,
        bus=meter.integer("bus") if part is not None else 0,
        address=meter.integer("address") if part is not None else 0,
        shunt_ohms=ohms if part is None or not part.ohms else part.ohms,
        amps_max=meter.number("amps_max"),
        profile=meter.text("profile"),
        gain=meter.number("gain"),
        offset_a=meter.number("offset_a"),
        mock=MeterMock(mock.number("source_w"), source_mock(mock)),
        channel=meter.integer("channel"),
        path=meter.text("path"),
        shunt_tolerance_percent=meter.number("shunt_tolerance_percent"),
        calibrated=meter.text("calibrated"),
        uncertainty_percent=meter.number("uncertainty_percent"),
        uncertainty_a=meter.number("uncertainty_a"),
        shunt_range=_shunt_range(meter),
        shunt_adc=meter.text("shunt_adc"),
        bus_adc=meter.text("bus_adc"),
        bus_range=meter.text("bus_range"),
        feed_ohms=meter.number("feed_ohms"),
    )


def _shunt_range(meter: Section) -> str:
    """Take the range as it is written; an INA219 of which nothing is expected chooses itself."""
    if meter.text("shunt_range") or meter.number("amps_max"):
        return meter.text("shunt_range")
    return "auto" if PARTS.get(meter.text("driver")) is INA219 else ""


def _check_kernel_meter(file: TomlFile, meter: Section, board_driver: str) -> None:
    """Check a meter that a kernel driver has."""
    driver = meter.text("driver")
    if board_driver == "mock":
        text = 'a mock board has no kernel drivers; write the chip\'s own name, such as "ina226"'
        file.blame(meter, "driver", text)
    _refuse(file, meter, ("bus", "address"), "a kernel driver has the chip, and `path` finds it")
    _refuse(file, meter, ("profile",), "the kernel driver decides how the chip converts")
    why = "what its kernel driver makes of V and I is not known, nor how far to believe it"
    _refuse(file, meter, ("feed_ohms",), why)
    _require(file, meter, "path", "where the kernel driver shows the chip", _PATHS)
    if driver == "iio":
        _refuse(file, meter, ("channel",), "the chips that it reads have a single channel")
        _require(file, meter, "shunt_ohms", "the shunt", _SHUNT_PRINTED)


def _check_address(file: TomlFile, meter: Section, part: Part) -> None:
    why = f'`bus` and `address` find the {part.name}; only "hwmon" and "iio" have a path'
    _refuse(file, meter, ("path",), why)
    allowed = f"0x40 to {part.address_max:#04x}"
    _require(file, meter, "address", "I2C address", allowed)
    if meter.sound("address") and "address" in meter.given:
        address = meter.integer("address")
        if address > part.address_max:
            text = complaint(f"no {part.name} answers here", f"{address:#04x}", allowed)
            file.blame(meter, "address", text)


def _check_channel(file: TomlFile, meter: Section, count: int) -> None:
    if count == 1:
        _refuse(file, meter, ("channel",), "the chip has a single channel")
    else:
        _require(file, meter, "channel", "which of the chip's shunts", f"1 to {count}")


def _check_shunt(file: TomlFile, meter: Section, part: Part) -> None:
    if part.ohms:
        why = f"the {part.name}'s shunt of {part.ohms:g} ohm is inside, and `gain` corrects it"
        _refuse(file, meter, ("shunt_ohms",), why)
    elif part.name != "INA219":  # whose boards all have the same
        _require(file, meter, "shunt_ohms", "the shunt", _SHUNT_PRINTED)
    if not meter.sound("amps_max", "shunt_ohms"):
        return
    ohms = part.ohms or meter.number("shunt_ohms", 0.1)
    shunt_range = RANGE_NAMES.get(meter.text("shunt_range"))
    volts = meter.number("amps_max") * ohms
    if shunt_range is not None and volts > shunt_range.volts * (1 + 1e-9):
        text = complaint(
            f"amps_max through {ohms:g} ohm is {volts * 1000:.3g} mV, which is beyond its end",
            shown(meter.text("shunt_range")),
            'a wider range, or "auto"',
        )
        file.blame(meter, "shunt_range", text)
    if text := over_range(part, meter.number("amps_max"), ohms):
        file.blame(meter, "amps_max" if "amps_max" in meter.given else "shunt_ohms", text)


def _check_calibration(file: TomlFile, meter: Section) -> None:
    """A date without an uncertainty would pass for a perfect calibration; one without a date ages.

    The date is compared with no clock: a Pi without network starts in the past, and its firmware
    must start all the same.
    """
    if not meter.sound("calibrated", "uncertainty_percent", "uncertainty_a"):
        return
    day = meter.text("calibrated")
    if day:
        try:
            date.fromisoformat(day)
        except ValueError as fault:
            text = complaint(f"no such day ({fault})", shown(day), 'a date such as "2026-11-26"')
            file.blame(meter, "calibrated", text)
    for key in ("uncertainty_percent", "uncertainty_a"):
        if day and key not in meter.given:
            text = f"a calibration needs its uncertainty, and {key} is missing"
            file.blame(meter, "calibrated", f"{text}; `rackgrid meter calibrate` writes both")
        if not day and key in meter.given:
            text = "says nothing without the day: add `calibrated`, or leave this out"
            file.blame(meter, key, text)


def _check_places(file: TomlFile, meters: list[Section]) -> None:
    """Report two meters at one place; the channels of one INA3221 are places of their own."""
    wired = [each for each in meters if each.text("driver") in PARTS]
    triples = [each for each in wired if each.text("driver") == "ina3221"]
    heads = {_place(each): each for each in reversed(triples)}
    alone = [each for each in wired if each not in triples or heads[_place(each)] is each]
    file.unique(alone, "bus", "address", shape="#x")
    file.unique(triples, "bus", "address", "channel")
    for triple in triples:
        head = heads[_place(triple)]
        if triple.values["profile"] != head.values["profile"]:
            text = complaint(
                f"one INA3221 converts alike for all its channels, and {head.label} has another",
                f'"{triple.text("profile")}"',
                f'"{head.text("profile")}"',
            )
            file.blame(triple, "profile", text)
    kernel = [each for each in meters if each.text("driver") in KERNEL_DRIVERS]
    file.unique(kernel, "path", "channel")


def _place(meter: Section) -> tuple[object, object]:
    return meter.values["bus"], meter.values["address"]


def _refuse(file: TomlFile, meter: Section, keys: Iterable[str], why: str) -> None:
    for key in keys:
        if key in meter.given:
            driver = meter.text("driver")
            file.blame(meter, key, f'not with driver = "{driver}": {why}; take this line away')


def _require(file: TomlFile, meter: Section, key: str, what: str, allowed: str) -> None:
    if key not in meter.given and key not in meter.guessed:
        file.blame(meter, key, complaint(f"missing: {what}", "", allowed))
