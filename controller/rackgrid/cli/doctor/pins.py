"""The way to the pins: lgpio, the gpiochip, who may use it, and what the kernel does afterwards.

Sources: Raspberry Pi white paper "GPIO Usage on Raspberry Pi Devices"; raspberrypi/linux#6117 and
#6150 (persist_gpio_outputs, strict_gpiod), #6144 (the Pi 5's gpiochip); gpiozero#1166 (the same),
#840 (lgpio's empty wheel), #1106 (its pipe in the working directory).
"""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from rackgrid.cli.doctor.boot_file import BootFile, read_boot_file
from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.machine import MODEL, numbers, version_of
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid_firmware.chip import wired
from rackgrid_firmware.errors import DeviceError
from rackgrid_firmware.pin_holder import Ioctl, holders
from rackgrid_firmware.profile import Profile
from rackgrid_firmware.safe import gpiochip

USER = "rackgrid-firmware"
LOOK = (
    "import os, tempfile\n"
    "with tempfile.TemporaryDirectory() as name:\n"
    "    os.environ['LG_WD'] = name\n"
    "    import lgpio\n"
    "    print('whole' if hasattr(lgpio, 'gpiochip_open') else 'empty')\n"
    "    os.chdir('/')\n"
)
PERSIST = "/sys/module/pinctrl_*/parameters/persist_gpio_outputs"

LGPIO = Check(
    "lgpio",
    "Is lgpio installed, and is it the real one?",
    "For Python 3.13 and for 32-bit ARM the newest wheel that pip finds is lgpio 0.0.0.2 of 2020, "
    "whose module is empty: it can be imported and drives nothing. Take python3-lgpio from apt, "
    "and "
    "a venv made with --system-site-packages.",
)
CHIP = Check(
    "gpiochip",
    "Is the header's gpiochip there, and does gpiozero look for it in the right place?",
    "On a Pi 5 the header was gpiochip4 and is gpiochip0 since the kernels of mid-2024; gpiozero "
    "before 2.0.1.post3 opens the wrong one on new kernels.",
)
ACCESS = Check(
    "gpio-access",
    "May the firmware's user use pins and buses?",
    "Raspberry Pi OS gives /dev/gpiochip* to the group gpio and /dev/i2c-* to the group i2c; plain "
    "Debian has neither group nor rule. systemd/ brings both.",
)
HELD = Check(
    "gpio-held",
    "Does nobody else hold a pin of the board?",
    "A pin that another program, an overlay or the kernel has requested cannot be driven: the "
    "firmware does not start, and the fail-safe helper cannot make it safe. Looked at while the "
    "firmware does not run, for it holds them itself then. `gpioinfo` shows all holders; `lg` is "
    "any program with lgpio or gpiozero.",
)
KEEPS = Check(
    "gpio-keeps-level",
    "Does a pin let go when its process dies?",
    "Raspberry Pi kernels keep an output at its last level after its process was killed, so its "
    "relay stays on; several pages say the opposite. `dtparam=strict_gpiod` in config.txt makes it "
    "an input again, with its pull. Without it a killed firmware's loads stay on until "
    "`ExecStopPost` runs (some tenths of a second), and for ever if that fails. With it a required "
    "load, too, is without power whenever no process has its pin: for about a second while the "
    "firmware restarts, and for as long as it is stopped. Where that matters give the pin a "
    "resistor towards on (10 kOhm, stronger than the Pi's own pull), or use the relay's other "
    "contact.",
)
CHECKS = (LGPIO, CHIP, ACCESS, HELD, KEEPS)


@dataclass(frozen=True, slots=True)
class Device:
    """A device node: its group, and whether the group may read and write."""

    path: str
    group: str
    is_shared: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged.

    Attributes:
        needs_pins: the board is real; else why pins do not matter.
        lgpio: "whole" or "empty".
        chips: numbers of the gpiochips.
        is_pi_5: whether the header hangs on the RP1.
        gpiozero: its version.
        groups: that the firmware's user is in; None: there is no such user.
        devices: the nodes that the board needs and that are there.
        held: who holds a pin of the board, by what that is for.
        persists: whether the kernel keeps outputs.
        boot: what config.txt says.
    """

    needs_pins: bool | Unknown
    lgpio: str | Unknown
    chips: tuple[int, ...]
    is_pi_5: bool
    gpiozero: str | Unknown
    groups: frozenset[str] | None
    devices: tuple[Device, ...]
    held: dict[str, str] | Unknown
    persists: bool | Unknown
    boot: BootFile | Unknown


def look(case: Case) -> Facts:
    """Gather the facts."""
    host = case.host
    model = host.text(MODEL)
    names = [path.name.removeprefix("gpiochip") for path in host.glob("/dev/gpiochip[0-9]*")]
    buses = () if isinstance(case.profile, Unknown) else {m.bus for m in wired(case.profile.meters)}
    nodes = [*(f"/dev/gpiochip{name}" for name in names), *(f"/dev/i2c-{n}" for n in buses)]
    found = host.run([sys.executable, "-I", "-c", LOOK]) if case.is_real else Unknown("")
    return Facts(
        needs_pins=True if case.is_real else Unknown(case.why_not_real),
        lgpio=found if isinstance(found, Unknown) else found.strip(),
        chips=tuple(sorted(int(name) for name in names if name.isdecimal())),
        is_pi_5=not isinstance(model, Unknown) and "Raspberry Pi 5" in model,
        gpiozero=version_of("gpiozero"),
        groups=groups_of(USER),
        devices=tuple(each for node in nodes if (each := device(host, node)) is not None),
        held=_held(case),
        persists=keeps_level(host),
        boot=read_boot_file(host),
    )


def groups_of(user: str) -> frozenset[str] | None:
    """Say which groups a user is in; None if there is no such user."""
    try:
        own = pwd.getpwnam(user).pw_gid
    except KeyError:
        return None
    return frozenset(
        each.gr_name for each in grp.getgrall() if user in each.gr_mem or each.gr_gid == own
    )


def device(host: Host, path: str) -> Device | None:
    """Look at a device node; None if there is none."""
    try:
        found = os.stat(host.path(path))
    except OSError:
        return None
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    shared = stat.S_IRGRP | stat.S_IWGRP
    return Device(path, group, found.st_mode & shared == shared)


def _held(case: Case) -> dict[str, str] | Unknown:
    if isinstance(case.profile, Unknown) or not case.is_real:
        return Unknown(case.why_not_real)
    if not case.host.is_this:
        return Unknown("another machine's pins are not looked at")
    if isinstance(case.firmware_runs, Unknown):
        return case.firmware_runs
    if case.firmware_runs:
        return Unknown("the firmware runs, and holds them")
    try:
        return held_of(case.profile, f"/dev/gpiochip{gpiochip()}")
    except DeviceError as fault:
        return Unknown(str(fault))


def held_of(profile: Profile, chip: str, ioctl: Ioctl = fcntl.ioctl) -> dict[str, str]:
    """Say of each pin of a board that somebody holds what it is for, and who that is.

    Args:
        profile: of the board.
        chip: path of the gpiochip.
        ioctl: asks the kernel.

    Raises:
        DeviceError: the chip cannot be looked at.
    """
    pins = {f"output {each.name} (GPIO {each.gpio})": each.gpio for each in profile.outputs}
    if profile.heartbeat_pin is not None:
        pins[f"the heartbeat (GPIO {profile.heartbeat_pin})"] = profile.heartbeat_pin
    told = holders(chip, pins.values(), ioctl)
    return {what: told[gpio] for what, gpio in pins.items() if gpio in told}


def keeps_level(host: Host) -> bool | Unknown:
    """Say whether the kernel keeps an output at its level when its process dies."""
    found = [host.text(path) for path in host.glob(PERSIST)]
    said = [each for each in found if not isinstance(each, Unknown)]
    if not said:
        return Unknown("the kernel does not say whether it keeps outputs (no persist_gpio_outputs)")
    return any(each.upper() in {"Y", "1"} for each in said)


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    if isinstance(facts.needs_pins, Unknown):
        yield from (check.skip(facts.needs_pins) for check in CHECKS)
        return
    yield _lgpio(facts.lgpio)
    yield _chip(facts)
    yield from _access(facts)
    yield from _judge_held(facts.held)
    yield _keeps(facts)


def _lgpio(found: str | Unknown) -> Finding:
    install = "apt install python3-lgpio, and make the venv with --system-site-packages"
    if isinstance(found, Unknown):
        return LGPIO.fail(f"lgpio cannot be imported: {found.reason}", install)
    if found == "whole":
        return LGPIO.ok("lgpio can be imported")
    return LGPIO.fail("lgpio is the empty wheel of 2020: no pin can be driven", install)


def _chip(facts: Facts) -> Finding:
    if not facts.chips:
        return CHIP.fail(
            "there is no /dev/gpiochip*", "start a Raspberry Pi kernel; in a container pass it in"
        )
    shown = ", ".join(f"gpiochip{number}" for number in facts.chips)
    if not facts.is_pi_5:
        if 0 in facts.chips:
            return CHIP.ok(shown)
        return CHIP.fail(f"the header's gpiochip0 is missing ({shown})", "see dmesg | grep pinctrl")
    is_old = isinstance(facts.gpiozero, str) and _is_before_post3(facts.gpiozero)
    if 4 not in facts.chips and is_old:
        return CHIP.fail(
            f"gpiozero {facts.gpiozero} looks for gpiochip4, and this kernel has {shown}",
            "pip install --upgrade 'gpiozero>=2.0.1.post3'",
        )
    return CHIP.ok(f"Pi 5 with {shown}")


def _is_before_post3(version: str) -> bool:
    """Whether a gpiozero is older than 2.0.1.post3."""
    main, _, post = version.partition(".post")
    return (*numbers(main), *numbers(post or "0")) < (2, 0, 1, 3)


def _access(facts: Facts) -> Iterator[Finding]:
    if facts.groups is None:
        yield ACCESS.warn(
            f"there is no user {USER}", "systemd-sysusers rackgrid.conf (see systemd/README.md)"
        )
        return
    shut = [each for each in facts.devices if not each.is_shared or each.group not in facts.groups]
    for each in shut:
        yield ACCESS.fail(
            f"{USER} may not use {each.path} (group {each.group}"
            f"{'' if each.is_shared else ', which may not write it'})",
            "install systemd/udev/60-rackgrid.rules and sysusers.d/rackgrid.conf, then "
            "udevadm trigger",
        )
    if not facts.devices:
        yield ACCESS.skip("no device of the board is there: see gpiochip and i2c-device")
    elif not shut:
        yield ACCESS.ok(f"{USER} may use {', '.join(each.path for each in facts.devices)}")


def _judge_held(held: dict[str, str] | Unknown) -> Iterator[Finding]:
    if isinstance(held, Unknown):
        yield HELD.skip(held)
        return
    for what, who in held.items():
        yield HELD.fail(
            f"{what} is held by {who}",
            "end that program (sudo fuser -v /dev/gpiochip* names it), or take the overlay that "
            "has the pin out of config.txt",
        )
    if not held:
        yield HELD.ok("no pin of the board is held by anybody")


def _keeps(facts: Facts) -> Finding:
    strict = not isinstance(facts.boot, Unknown) and facts.boot.has("strict_gpiod")
    if isinstance(facts.persists, Unknown):
        if strict:
            return KEEPS.ok("config.txt has dtparam=strict_gpiod")
        return KEEPS.skip(facts.persists)
    if not facts.persists:
        return KEEPS.ok("the kernel makes a pin an input when its process dies")
    if strict:
        return KEEPS.warn(
            "config.txt has dtparam=strict_gpiod, and the running kernel keeps outputs all the "
            "same",
            "restart the Pi; if it stays so, add pinctrl_bcm2835.persist_gpio_outputs=n to "
            "cmdline.txt",
        )
    return KEEPS.warn(
        "the kernel keeps an output at its last level when its process dies",
        "dtparam=strict_gpiod in config.txt, and a restart of the Pi",
    )


FAMILY = Family("pins", CHECKS, lambda case: judge(look(case)))
