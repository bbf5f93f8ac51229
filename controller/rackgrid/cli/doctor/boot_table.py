"""The boot-state table: pin by polarity by module, and what each load does while nobody drives it.

A row for each output, required ones too, with what happens at three moments: from power-on until
the firmware starts, at config.txt's `gpio=` line some seconds later, and when the firmware is
killed. Then a Raspberry Pi's kernel keeps the level, and the fail-safe helper drives the safe one;
or (`strict_gpiod`) it lets go of the pin, of the firmware's first and of the helper's after that.
"""

from __future__ import annotations

from rackgrid.cli.doctor.boot_file import BootFile
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid_firmware.boot_level import is_on_undriven, what_pulls
from rackgrid_firmware.profile import OutputProfile, Profile

Row = dict[str, str]


def boot_table(
    profile: Profile, boot: BootFile | Unknown, keeps: bool | Unknown
) -> tuple[Row, ...]:
    """Make the table.

    Args:
        profile: of the board.
        boot: what config.txt says.
        keeps: whether the kernel keeps an output's level when its process dies.
    """
    return tuple(_row(output, boot, keeps) for output in profile.outputs)


def _row(output: OutputProfile, boot: BootFile | Unknown, keeps: bool | Unknown) -> Row:
    return {
        "output": output.name,
        "kind": "required" if output.required else "flexible",
        "GPIO": str(output.gpio),
        "module": _module(output),
        "at power-on": f"{what_pulls(output)}: {_on(is_on_undriven(output))}",
        "by config.txt": _driven(output, boot),
        "firmware killed": _killed(output, keeps),
        "safe state": _on(output.is_safe_on),
    }


def _module(output: OutputProfile) -> str:
    """Say what a module makes of a pin: the level that energises it, and the load's contact."""
    level = "high" if output.active_high else "low"
    if output.pwm_hz:
        return f"on at {level}, pulses"
    return f"coil at {level}, {output.switch.contact.upper()}"


def _driven(output: OutputProfile, boot: BootFile | Unknown) -> str:
    if isinstance(boot, Unknown):
        return "not known"
    level = boot.driven.get(output.gpio)
    if level is None:
        return "as before"
    return f"{'dh' if level else 'dl'}: {_on(level == output.is_high_on)}"


def _killed(output: OutputProfile, keeps: bool | Unknown) -> str:
    """Say what the load does, and then does for as long as no firmware runs."""
    undriven, safe = _on(is_on_undriven(output)), _on(output.is_safe_on)
    if isinstance(keeps, Unknown):
        return f"as it was, or {undriven}"
    return f"as it was, then {safe}" if keeps else undriven


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"
