"""Reading a board profile from its file, with every finding at once.

Sources: INA219 datasheet (SBOS448), "Shunt Voltage Register" (the converter ends at 320 mV);
BCM2835 ARM peripherals, 6.2 (what each GPIO also is).
"""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.key import complaint, shown
from rackgrid_firmware.profile import (
    MeterMock,
    MeterProfile,
    OutputMock,
    OutputProfile,
    Profile,
)
from rackgrid_firmware.profile_table import BOARD, METER, OUTPUT
from rackgrid_firmware.section import Finding, Section
from rackgrid_firmware.settings import TomlFile

SHUNT_VOLTS_MAX = 0.320
"""Full scale of the INA219's shunt converter, V: more than this it cannot see."""
_PINS_RESERVED = {
    2: "it is I2C data (SDA), which the meters need",
    3: "it is I2C clock (SCL), which the meters need",
    14: "it is the serial console (TXD), which goes high while the Pi boots",
    15: "it is the serial console (RXD), which is driven from outside",
}


def load_profile(path: Path) -> Profile:
    """Read a board profile.

    Raises:
        ProfileError: it cannot be used; carries every finding at once.
    """
    profile, findings = read_profile(path)
    if profile is None:
        raise ProfileError(*map(str, findings))
    return profile


def read_profile(path: Path) -> tuple[Profile | None, tuple[Finding, ...]]:
    """Read a board profile, or return all that is wrong with it."""
    file = TomlFile(path)
    if not file.parsed:
        return None, file.findings
    tables = file.tables((BOARD, METER, OUTPUT))
    (board,), meters, outputs = tables["board"], tables["meter"], tables["output"]
    _check_meters(file, meters)
    _check_outputs(file, outputs, {meter.text("name") for meter in meters})
    _check_heartbeat(file, board, outputs)
    if file.findings:
        return None, file.findings
    profile = Profile(
        name=board.text("name"),
        driver=board.text("driver"),
        base_w=board.number("base_w"),
        hold_max_s=board.number("hold_max_s"),
        stagger_s=board.number("stagger_s"),
        meters=tuple(map(_meter, meters)),
        outputs=tuple(map(_output, outputs)),
        heartbeat_pin=_heartbeat_pin(board),
    )
    return profile, ()


def _check_meters(file: TomlFile, meters: list[Section]) -> None:
    file.unique(meters, "name")
    file.unique(meters, "bus", "address", shape="#x")
    for meter in meters:
        _check_calibration(file, meter)
        if not meter.sound("amps_max", "shunt_ohms"):
            continue
        amps, ohms = meter.number("amps_max"), meter.number("shunt_ohms")
        if amps * ohms > SHUNT_VOLTS_MAX * (1 + 1e-9):
            ohms_max = _rounded_down(SHUNT_VOLTS_MAX / amps)
            text = (
                f"{amps:g} A through {ohms:g} ohm is {amps * ohms * 1000:.0f} mV, and the chip "
                f"sees at most 320 mV; fit a shunt of at most {ohms_max} ohm, or expect at most "
                f"{_rounded_down(SHUNT_VOLTS_MAX / ohms)} A"
            )
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


def _rounded_down(value: float) -> str:
    """Write three digits that are not above `value`: a limit must not be rounded past itself."""
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.floor(value / step + 1e-6) * step:.3g}"


def _check_outputs(file: TomlFile, outputs: list[Section], meters: set[str]) -> None:
    file.unique(outputs, "name")
    file.unique(outputs, "gpio")
    for output in outputs:
        file.refer(output, "meter", meters, "meter")
        pin = output.integer("gpio")
        if output.sound("gpio") and pin in _PINS_RESERVED:
            text = f"GPIO {pin} may not switch a load: {_PINS_RESERVED[pin]}"
            file.blame(
                output, "gpio", complaint(text, "", "4 to 13 and 16 to 27, best 9 and above")
            )
        _check_power(file, output)


def _heartbeat_pin(board: Section) -> int | None:
    return None if board.values["heartbeat_pin"] is None else board.integer("heartbeat_pin")


def _check_heartbeat(file: TomlFile, board: Section, outputs: list[Section]) -> None:
    pin = _heartbeat_pin(board)
    if pin is None or not board.sound("heartbeat_pin"):
        return
    if pin in _PINS_RESERVED:
        text = f"GPIO {pin} may not carry the heartbeat: {_PINS_RESERVED[pin]}"
        file.blame(board, "heartbeat_pin", complaint(text, "", "4 to 13 and 16 to 27"))
    for output in outputs:
        if output.sound("gpio") and output.integer("gpio") == pin:
            text = f"GPIO {pin} is {output.label}'s; a pin that pulses can switch nothing"
            file.blame(board, "heartbeat_pin", text)


def _check_power(file: TomlFile, output: Section) -> None:
    if not output.sound("nominal_w"):
        return
    nominal = output.number("nominal_w")
    if output.sound("inrush_w") and output.number("inrush_w", nominal) < nominal:
        text = complaint(
            "a start takes at least what running takes",
            f"{output.number('inrush_w'):g}",
            f"nominal_w or more, {nominal:g} W",
        )
        file.blame(output, "inrush_w", text)
    mock = output.inside["mock"]
    if mock.sound("draw_w") and mock.number("draw_w", nominal) > nominal:
        text = complaint(
            "a load draws at most its nameplate",
            f"{mock.number('draw_w'):g}",
            f"at most {nominal:g} W",
        )
        file.blame(mock, "draw_w", text)


def _meter(meter: Section) -> MeterProfile:
    return MeterProfile(
        name=meter.text("name"),
        driver=meter.text("driver"),
        bus=meter.integer("bus"),
        address=meter.integer("address"),
        shunt_ohms=meter.number("shunt_ohms"),
        amps_max=meter.number("amps_max"),
        profile=meter.text("profile"),
        gain=meter.number("gain"),
        offset_a=meter.number("offset_a"),
        mock=MeterMock(source_w=meter.inside["mock"].number("source_w")),
        shunt_tolerance_percent=meter.number("shunt_tolerance_percent"),
        calibrated=meter.text("calibrated"),
        uncertainty_percent=meter.number("uncertainty_percent"),
        uncertainty_a=meter.number("uncertainty_a"),
    )


def _output(output: Section) -> OutputProfile:
    nominal = output.number("nominal_w")
    mock = output.inside["mock"]
    return OutputProfile(
        name=output.text("name"),
        gpio=output.integer("gpio"),
        active_high=output.flag("active_high"),
        required=output.flag("required"),
        nominal_w=nominal,
        inrush_w=output.number("inrush_w", nominal),
        inrush_s=output.number("inrush_s"),
        min_on_s=output.number("min_on_s"),
        min_off_s=output.number("min_off_s"),
        meter=output.text("meter"),
        mock=OutputMock(mock.number("draw_w", 0.95 * nominal), mock.number("noise")),
    )
