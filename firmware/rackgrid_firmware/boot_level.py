"""Where a pin is while no program drives it, and what the load behind it does then. Pure.

From power-on a Pi pulls GPIO 0 to 8 up and 9 to 27 down by some 50 kOhm; a resistor of 10 kOhm, or
the input of a relay module, is stronger than that (`pulled` of the output). So pin, polarity and
contact together say whether a load has power from power-on until the firmware has its pin, and
again when a kernel that lets go of pins has lost the firmware.

Source: BCM2835 ARM peripherals, table 6-31 (pulls at reset).
"""

from __future__ import annotations

from typing import Final

from rackgrid_firmware.profile import OutputProfile

PULLED_UP_MAX: Final = 8


def is_pulled_up(output: OutputProfile) -> bool:
    """Whether the pin is high while nobody drives it."""
    return output.pulled == "up" if output.pulled else output.gpio <= PULLED_UP_MAX


def is_on_undriven(output: OutputProfile) -> bool:
    """Whether the load has power while nobody drives the pin."""
    return is_pulled_up(output) == output.is_high_on


def closes_at_boot(output: OutputProfile) -> bool:
    """Whether a load that is not required has power before anybody could have granted it."""
    return not output.required and is_on_undriven(output)


def what_pulls(output: OutputProfile) -> str:
    """Name what holds the pin: the Pi itself, or what the profile says of the board."""
    way = "up" if is_pulled_up(output) else "down"
    return f"pulled {way} by the board" if output.pulled else f"pulled {way}"
