"""What the two files of a node say about its copper, without looking at the machine.

The boot-state table is the heart of it: from power-on until the firmware starts, seconds later, a
relay board sees what the Pi's pulls make of its pins.

Sources: BCM2835 ARM peripherals, table 6-31 (pulls at reset: GPIO 0 to 8 up, 9 to 27 down);
SRD-05VDC-SL-C data sheet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rackgrid.cli.doctor.boot_file import BootFile, read_boot_file
from rackgrid.cli.doctor.boot_table import boot_table
from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.pins import keeps_level
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.config import Config
from rackgrid_firmware.boot_level import closes_at_boot, is_on_undriven, what_pulls
from rackgrid_firmware.profile import OutputProfile, Profile
from rackgrid_firmware.safe_pins import safe_level

STAGGER_S = 0.2
BUSY_PINS = {
    "spi": (range(7, 12), "dtparam=spi=on gives GPIO 7 to 11 to SPI"),
    "i2s": (range(18, 22), "dtparam=i2s=on gives GPIO 18 to 21 to I2S"),
}
PWM_PINS = {"pwm": {"pin": "18"}, "pwm-2chan": {"pin": "18", "pin2": "19"}}
"""Overlays that give pins to the Pi's own PWM, which the firmware does not use: by parameter."""

BOOT_STATE = Check(
    "gpio-boot-state",
    "Does every flexible load stay off from power-on until the firmware starts?",
    "From power-on a Pi pulls GPIO 0 to 8 up and 9 to 27 down, and GPIO 14 goes high while it "
    "boots; a relay board that switches on that level closes for the seconds until the firmware "
    "has the pin. Take a board that switches on a high pin (or its jumper to H), a pin from 9 "
    "upwards but 14 and 15, and 10 kOhm from the pin to ground. `pulled` of the output says where "
    "such a resistor, or the module's own input, holds the pin. `gpio=N=op,dl` (or `dh`) in "
    "config.txt sets the level a few seconds after power, not at once. `--verbose` shows the whole "
    "table: every output with its pin, its module and its load at power-on, by config.txt, when "
    "the firmware is killed, and in its safe state.",
)
BOOT_LINES = Check(
    "gpio-boot-lines",
    "Does config.txt drive no pin of an output to the level that switches it on?",
    "A line `gpio=17=op,dh` holds a load on from the bootloader until the firmware starts, and for "
    "ever if it does not start.",
)
PIN_TAKEN = Check(
    "gpio-taken",
    "Are the pins of the outputs free of what config.txt switches on?",
    "SPI, I2S, 1-wire and the Pi's own PWM take header pins for themselves: the firmware cannot "
    "claim such a pin, or the bus toggles the relay. A `pwm` output of the board profile needs no "
    "overlay: the firmware makes its pulses.",
)
HOLD = Check(
    "hold-reach",
    "Does the board hold an output for as long as grants and planned restarts last?",
    "`hold_max_s` of the board profile is the longest hold that the firmware accepts. If restart_s "
    "is longer, loads blink whenever the daemon restarts.",
)
STAGGER = Check(
    "stagger",
    "Are starts spread, so that inrush currents do not add up?",
    "After a price falls all loads of a node may start in the same instant. With `stagger_s` the "
    "firmware lets one start at a time.",
)
CHECKS = (BOOT_STATE, BOOT_LINES, PIN_TAKEN, HOLD, STAGGER)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged.

    Attributes:
        boot: what config.txt says.
        keeps: whether the kernel keeps an output's level when its process dies.
    """

    profile: Profile | Unknown
    config: Config | Unknown
    boot: BootFile | Unknown
    keeps: bool | Unknown


def look(case: Case) -> Facts:
    """Gather the facts."""
    return Facts(case.profile, case.config, read_boot_file(case.host), keeps_level(case.host))


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    if isinstance(facts.profile, Unknown):
        yield from (check.skip(facts.profile) for check in CHECKS)
        return
    yield from _boot_state(facts, facts.profile)
    yield from _boot_lines(facts.profile, facts.boot)
    yield from _taken(facts.profile, facts.boot)
    yield from _hold(facts.profile, facts.config)
    yield from _stagger(facts.profile)


def _boot_state(facts: Facts, profile: Profile) -> Iterator[Finding]:
    rows = boot_table(profile, facts.boot, facts.keeps)
    closing = [output for output in profile.outputs if closes_at_boot(output)]
    driven = {} if isinstance(facts.boot, Unknown) else facts.boot.driven
    found: list[Finding] = []
    for output in closing:
        kind = "high" if output.is_high_on else "low"
        how_long = "until the firmware starts"
        if driven.get(output.gpio) is safe_level(output):
            how_long = "for the first seconds, until config.txt's gpio line holds it off"
        found.append(
            BOOT_STATE.warn(
                f"output {output.name} switches on at a {kind} pin, and GPIO {output.gpio} is "
                f"{what_pulls(output)} at power-on: it is on {how_long}",
                _other_pin(output),
            )
        )
    if not closing:
        found.append(BOOT_STATE.ok(_stay_off(profile)))
    yield replace(found[0], rows=rows)
    yield from found[1:]


def _stay_off(profile: Profile) -> str:
    count = sum(not output.required for output in profile.outputs)
    text = f"{count} flexible outputs stay off at power-on" if count else "no flexible output"
    late = [o.name for o in profile.outputs if o.is_safe_on and not is_on_undriven(o)]
    if late:
        text += f"; without power until the firmware starts though required: {', '.join(late)}"
    return text


def _other_pin(output: OutputProfile) -> str:
    if output.is_high_on:
        return (
            "wire it to GPIO 9 or above (not 14, 15), or put 10 kOhm from its pin to ground and "
            'write pulled = "down"'
        )
    line = f"add gpio={output.gpio}=op,dh to config.txt until then"
    return f"take a relay board that switches on a high pin (jumper H), or GPIO 4 to 8; {line}"


def _boot_lines(profile: Profile, boot: BootFile | Unknown) -> Iterator[Finding]:
    if isinstance(boot, Unknown):
        yield BOOT_LINES.skip(boot)
        return
    wrong = [
        output
        for output in profile.outputs
        if not output.required and boot.driven.get(output.gpio) is (not safe_level(output))
    ]
    for output in wrong:
        level = "dh" if safe_level(output) else "dl"
        yield BOOT_LINES.fail(
            f"{boot.path} switches output {output.name} on at boot (GPIO {output.gpio})",
            f"write gpio={output.gpio}=op,{level} there",
        )
    if not wrong:
        yield BOOT_LINES.ok(f"{boot.path} switches no flexible output on")


def _taken(profile: Profile, boot: BootFile | Unknown) -> Iterator[Finding]:
    if isinstance(boot, Unknown):
        yield PIN_TAKEN.skip(boot)
        return
    taken = {
        pin: text for name, (pins, text) in BUSY_PINS.items() if boot.has(name) for pin in pins
    }
    for overlay in boot.overlays:
        name, *parameters = overlay.split(",")
        if name in PWM_PINS:
            given = dict(each.split("=", 1) for each in parameters if "=" in each)
            for key, usual in PWM_PINS[name].items():
                pin = given.get(key, usual)
                if pin.isdecimal():
                    taken[int(pin)] = f"dtoverlay={overlay} gives GPIO {pin} to the Pi's own PWM"
        if name.startswith("w1-gpio"):
            named = [each.removeprefix("gpiopin=") for each in parameters if "gpiopin=" in each]
            pin = named[0] if named else "4"
            if pin.isdecimal():
                taken[int(pin)] = f"dtoverlay={overlay} gives GPIO {pin} to 1-wire"
    pins = [(f"output {output.name}", output.gpio) for output in profile.outputs]
    if profile.heartbeat_pin is not None:
        pins.append(("the heartbeat", profile.heartbeat_pin))
    clashes = [(what, gpio) for what, gpio in pins if gpio in taken]
    for what, gpio in clashes:
        yield PIN_TAKEN.fail(
            f"{what} is at GPIO {gpio}, and {taken[gpio]}",
            f"take that line out of {boot.path}, or take another pin",
        )
    if not clashes:
        yield PIN_TAKEN.ok(f"{boot.path} gives no output's pin to a bus")


def _hold(profile: Profile, config: Config | Unknown) -> Iterator[Finding]:
    if isinstance(config, Unknown):
        yield HOLD.skip(config)
        return
    hold_s, rack = profile.hold_max_s, config.rack
    if rack.grant_s > hold_s:
        yield HOLD.fail(
            f"a grant lives {rack.grant_s:g} s, and the board holds an output {hold_s:g} s",
            f"hold_max_s = {rack.grant_s:g} or more in the board profile, or a shorter grant_s",
        )
    elif rack.restart_s > hold_s:
        yield HOLD.warn(
            f"a planned restart lasts up to {rack.restart_s:g} s, and the board holds an output "
            f"{hold_s:g} s: loads blink then",
            f"hold_max_s = {rack.restart_s:g} or more in the board profile",
        )
    else:
        yield HOLD.ok(
            f"held up to {hold_s:g} s: grants {rack.grant_s:g}, restarts {rack.restart_s:g}"
        )


def _stagger(profile: Profile) -> Iterator[Finding]:
    flexible = [output for output in profile.outputs if not output.required]
    surging = [each.name for each in flexible if each.inrush_w > each.nominal_w]
    if len(flexible) < 2 or not surging:
        yield STAGGER.ok("no two loads with an inrush can start together")
    elif profile.stagger_s < STAGGER_S:
        yield STAGGER.warn(
            f"stagger_s is {profile.stagger_s:g}, and {', '.join(surging)} draw more at their "
            f"start",
            f"stagger_s = {STAGGER_S:g} or more in the board profile",
        )
    else:
        yield STAGGER.ok(f"{profile.stagger_s:g} s between two starts")


FAMILY = Family("copper", CHECKS, lambda case: judge(look(case)))
