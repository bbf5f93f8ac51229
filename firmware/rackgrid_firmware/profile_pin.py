"""The pin of an output, in a board profile: `gpio` of a relay, or `pwm` of what modulates.

A pin that pulses goes to a MOSFET or a solid state relay for DC; a relay's contact would be worn
out in an hour. What modulates is always the market's: a required load gets all of its power.

Source: BCM2835 ARM peripherals, 6.2 (what each GPIO also is).
"""

from __future__ import annotations

from collections.abc import Sequence

from rackgrid_firmware.device import LEVEL_FULL
from rackgrid_firmware.key import complaint
from rackgrid_firmware.section import Section
from rackgrid_firmware.settings import TomlFile

PWM_HZ = 100.0
"""How often a pin pulses by default: what software can do evenly."""
PULSE_S_MIN = 100e-6
"""The shortest pulse that a program times with some truth, s."""
MIN_LEVEL = 0.1
"""The least power of what modulates, by default."""
PINS_RESERVED = {
    2: "it is I2C data (SDA), which the meters need",
    3: "it is I2C clock (SCL), which the meters need",
    14: "it is the serial console (TXD), which goes high while the Pi boots",
    15: "it is the serial console (RXD), which is driven from outside",
}
_OF_PWM = ("pwm_hz", "min_level")


def gpio_of(output: Section) -> int:
    """Give the BCM number of an output's pin."""
    return output.integer(_key(output))


def has_pin(output: Section, gpio: int) -> bool:
    """Whether an output's pin is this one, as far as its file says so."""
    key = _key(output)
    return key in output.given and output.sound(key) and output.integer(key) == gpio


def pwm_hz_of(output: Section) -> float:
    """Say how often it pulses while it is between off and full power; 0 if it does not modulate."""
    return output.number("pwm_hz", PWM_HZ) if _key(output) == "pwm" else 0.0


def min_level_of(output: Section) -> int:
    """Give its least power while on, in thousandths; `LEVEL_FULL` if it does not modulate."""
    if _key(output) != "pwm":
        return LEVEL_FULL
    return round(output.number("min_level", MIN_LEVEL) * LEVEL_FULL)


def check_pins(file: TomlFile, outputs: Sequence[Section]) -> None:
    """Report pins that are missing, used twice or not to be used."""
    file.unique(outputs, "gpio")
    file.unique(outputs, "pwm")
    pins: dict[int, tuple[Section, str]] = {}
    for output in outputs:
        key = _key(output)
        if not output.sound("gpio", "pwm"):
            continue
        if key not in output.given:
            if "gpio" not in output.guessed:
                text = "missing: BCM number of the pin, not of the header"
                file.blame(output, key, complaint(f"{text}; or `pwm`", "", "2 to 27"))
            continue
        _check_kind(file, output, key)
        pin = output.integer(key)
        if pin in PINS_RESERVED:
            text = f"GPIO {pin} may not switch a load: {PINS_RESERVED[pin]}"
            file.blame(output, key, complaint(text, "", "4 to 13 and 16 to 27, best 9 and above"))
        other, its_key = pins.setdefault(pin, (output, key))
        if its_key != key:  # of the same key `unique` has told already
            line = file.line((*other.place, its_key))
            text = f"used already in line {line}, by {other.label}; each needs its own"
            file.blame(output, key, complaint(text, str(pin)))


def _check_kind(file: TomlFile, output: Section, key: str) -> None:
    if key == "gpio":
        for each in _OF_PWM:
            if each in output.given:
                text = "says nothing of a relay: leave it out, or write `pwm` for `gpio`"
                file.blame(output, each, text)
        return
    if "gpio" in output.given:
        text = "one output, two pins: keep `gpio` for a relay, or `pwm` for what modulates"
        file.blame(output, "pwm", text)
    hz, least = output.number("pwm_hz", PWM_HZ), output.number("min_level", MIN_LEVEL)
    if output.sound("pwm_hz", "min_level") and least / hz < PULSE_S_MIN * (1 - 1e-9):
        text = complaint(
            f"a pulse of {least / hz * 1e6:.0f} us, at {hz:g} Hz, is too short for a program",
            f"{least:g}",
            f"at least {PULSE_S_MIN * hz:g} at {hz:g} Hz, or a lower `pwm_hz`",
        )
        file.blame(output, "min_level" if "min_level" in output.given else "pwm_hz", text)
    if output.sound("required") and output.flag("required"):
        text = "a required load gets all of its power: write `gpio`, or drop `required`"
        file.blame(output, "pwm", text)


def _key(output: Section) -> str:
    return "pwm" if "pwm" in output.given else "gpio"
