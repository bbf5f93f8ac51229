"""Reading a board profile from its file, with every finding at once."""

from __future__ import annotations

from pathlib import Path

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.key import complaint
from rackgrid_firmware.profile import OutputMock, OutputProfile, Profile
from rackgrid_firmware.profile_meter import check_meters, meter_profile
from rackgrid_firmware.profile_mock_table import board_mock, check_output, load_mock
from rackgrid_firmware.profile_pin import (
    PINS_RESERVED,
    check_pins,
    gpio_of,
    has_pin,
    min_level_of,
    pwm_hz_of,
)
from rackgrid_firmware.profile_switch import check_switching, switch_of, trip_of
from rackgrid_firmware.profile_table import BOARD, METER, OUTPUT
from rackgrid_firmware.section import Finding, Section
from rackgrid_firmware.settings import TomlFile


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
    check_meters(file, meters, board.text("driver"))
    _check_outputs(file, outputs, {meter.text("name") for meter in meters})
    _check_heartbeat(file, board, outputs)
    check_switching(file, outputs, meters)
    if file.findings:
        return None, file.findings
    profile = Profile(
        name=board.text("name"),
        driver=board.text("driver"),
        base_w=board.number("base_w"),
        hold_max_s=board.number("hold_max_s"),
        stagger_s=board.number("stagger_s"),
        meters=tuple(map(meter_profile, meters)),
        heartbeat_pin=_heartbeat_pin(board),
        mock=board_mock(board.inside["mock"]),
        outputs=tuple(_output(output, outputs) for output in outputs),
        start_delay_s=board.number("start_delay_s"),
    )
    return profile, ()


def _check_outputs(file: TomlFile, outputs: list[Section], meters: set[str]) -> None:
    file.unique(outputs, "name")
    check_pins(file, outputs)
    for output in outputs:
        file.refer(output, "meter", meters, "meter")
        _check_power(file, output)
        check_output(file, output)


def _heartbeat_pin(board: Section) -> int | None:
    return None if board.values["heartbeat_pin"] is None else board.integer("heartbeat_pin")


def _check_heartbeat(file: TomlFile, board: Section, outputs: list[Section]) -> None:
    pin = _heartbeat_pin(board)
    if pin is None or not board.sound("heartbeat_pin"):
        return
    if pin in PINS_RESERVED:
        text = f"GPIO {pin} may not carry the heartbeat: {PINS_RESERVED[pin]}"
        file.blame(board, "heartbeat_pin", complaint(text, "", "4 to 13 and 16 to 27"))
    for output in outputs:
        if has_pin(output, pin):
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


def _output(output: Section, outputs: list[Section]) -> OutputProfile:
    nominal = output.number("nominal_w")
    mock = output.inside["mock"]
    return OutputProfile(
        name=output.text("name"),
        gpio=gpio_of(output),
        active_high=output.flag("active_high"),
        required=output.flag("required"),
        nominal_w=nominal,
        inrush_w=output.number("inrush_w", nominal),
        inrush_s=output.number("inrush_s"),
        min_on_s=output.number("min_on_s"),
        min_off_s=output.number("min_off_s"),
        meter=output.text("meter"),
        mock=OutputMock(
            mock.number("draw_w", 0.95 * nominal), mock.number("noise"), load_mock(mock)
        ),
        switch=switch_of(output, outputs),
        trip=trip_of(output),
        pwm_hz=pwm_hz_of(output),
        min_level=min_level_of(output),
        pulled=output.text("pulled"),
    )
