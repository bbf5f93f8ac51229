"""What an owner of a board profile may want to do, though nothing in it is wrong.

The day is an argument. The firmware does not read this: it has no calendar that it could trust, and
a calibration's age is no reason to leave a load without its meter.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from rackgrid_firmware.accuracy import accuracy_of, dip_v_of
from rackgrid_firmware.key import quoted
from rackgrid_firmware.part import PARTS
from rackgrid_firmware.profile import MeterProfile, Profile
from rackgrid_firmware.reach import beyond
from rackgrid_firmware.section import Finding
from rackgrid_firmware.settings import TomlFile

CALIBRATION_DAYS_MAX = 365
"""An older calibration is noted: shunts age, and solder joints more so."""


def profile_notes(path: Path, profile: Profile, today: date) -> tuple[Finding, ...]:
    """Note what is not known of a meter, or is old; a mock board's chips need none of it.

    Missing or old calibrations, shunts too large for what is behind them, and feeds of which nobody
    says how soft they are though their loads pulse.

    Args:
        path: of the profile; read again for the lines.
        profile: as read from there.
        today: the day.
    """
    if profile.driver == "mock":
        return ()
    return tuple(_notes(TomlFile(path), profile, today))


def _notes(file: TomlFile, profile: Profile, today: date) -> Iterator[Finding]:
    pulsing = {output.meter: output.name for output in profile.outputs if output.pwm_hz}
    for index, meter in enumerate(profile.meters):
        label = f"[[meter]] {quoted(meter.name)}"
        text = _note(meter, today)
        if text:
            yield file.finding(("meter", index, "calibrated"), label, text)
        cause, fix = beyond(meter, profile)
        if cause:
            yield file.finding(("meter", index, "shunt_ohms"), label, f"{cause}: {fix}")
        if meter.name in pulsing and meter.driver in PARTS and not meter.feed_ohms:
            text = (
                f"output {quoted(pulsing[meter.name])} pulses, and on a soft feed power and energy "
                "then read too high: measure feed_ohms, as hardware/calibration.md says"
            )
            yield file.finding(("meter", index, "feed_ohms"), label, text)


def _note(meter: MeterProfile, today: date) -> str:
    if not meter.calibrated:
        return f"not calibrated{_believed(meter)}: rackgrid meter calibrate {meter.name}"
    age = (today - date.fromisoformat(meter.calibrated)).days
    if age > CALIBRATION_DAYS_MAX:
        return (
            f"calibrated {age} days ago: check it with rackgrid meter verify {meter.name}, or "
            "calibrate anew"
        )
    if age < 0:
        return f"calibrated in the future: {meter.calibrated} is after today, {today.isoformat()}"
    return ""


def _believed(meter: MeterProfile) -> str:
    accuracy = accuracy_of(meter)
    if accuracy is None:
        return ", and its chip's accuracy is not known"
    text = (
        f", so by its datasheet and shunt good to {accuracy.amps_gain * 100:.1f} % and "
        f"{accuracy.amps_offset_a * 1000:.1f} mA"
    )
    if dip_v := dip_v_of(meter):
        text += f", and while its load pulses up to {dip_v:.2f} V less than it reads are there"
    return text
