"""The Pi's hardware watchdog: while it runs, while it restarts, and while it boots.

Sources: systemd-system.conf(5); systemd#27427, raspberrypi/linux#5838 and #7432 (what a Pi's
watchdog makes of intervals above 15 s), balena-os/balena-raspberrypi#939 (a Pi 4 that froze at its
restart for a refused interval); raspberrypi/documentation#4144 (kernel_watchdog_timeout),
RPi-Distro/raspberrypi-sys-mods#115 (an initramfs that switches it off again).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rackgrid.cli.doctor.boot_file import BootFile, read_boot_file
from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.service import seconds
from rackgrid.cli.doctor.unknown import Unknown

LONGEST_S = 15.0
RUNTIME, REBOOT = "RuntimeWatchdogUSec", "RebootWatchdogUSec"
DISARMING = "/usr/share/initramfs-tools/scripts/init-top/rpi_wd"
STAYS = "watchdog_disarm=0"
DROP_IN = "install systemd/system.conf.d/rackgrid-watchdog.conf"

HARDWARE = Check(
    "hardware-watchdog",
    "Does the Pi's hardware watchdog restart a machine that hangs?",
    "A hung Pi holds its pins as they are, and no software on it can help. systemd feeds the "
    "hardware watchdog if RuntimeWatchdogSec is set; above 15 s a Pi's kernel refuses it or counts "
    "it modulo 16 s. systemd/system.conf.d has it as a drop-in.",
)
RESTARTING = Check(
    "reboot-watchdog",
    "Does the hardware watchdog help a Pi that hangs while it shuts down?",
    "RebootWatchdogSec is 10 min unless it is set, which a Pi's kernel refuses: a Pi that hangs on "
    "its way down, with its pins as they are, then hangs for ever. The drop-in sets 15 s. systemd "
    "uses it only where there is a watchdog device.",
)
BOOTING = Check(
    "boot-watchdog",
    "Does the hardware watchdog help a Pi that hangs while it boots?",
    "Until systemd feeds the watchdog nobody does. `kernel_watchdog_timeout=60` in config.txt "
    "(firmware of mid-2025 and newer) has the bootloader start it and the kernel keep it until "
    "then. The initramfs of Raspberry Pi OS may switch it off again: `watchdog_disarm=0` in "
    "cmdline.txt keeps it. Meanwhile the pins are at their pulls: see gpio-boot-state.",
)
CHECKS = (HARDWARE, RESTARTING, BOOTING)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged.

    Attributes:
        needs_watchdog: the board is real; else why a watchdog does not matter.
        has_device: whether there is a /dev/watchdog.
        runtime, reboot: intervals as systemd says them, such as "15s" or "0".
        boot: what config.txt says.
        command_line: of the kernel.
        disarms: whether the initramfs has a script that switches the watchdog off.
    """

    needs_watchdog: bool | Unknown
    has_device: bool
    runtime: str | Unknown
    reboot: str | Unknown
    boot: BootFile | Unknown
    command_line: str | Unknown
    disarms: bool


def look(case: Case) -> Facts:
    """Gather the facts."""
    host = case.host
    script = host.text(DISARMING)
    return Facts(
        needs_watchdog=True if case.is_real else Unknown(case.why_not_real),
        has_device=host.has("/dev/watchdog"),
        runtime=_interval(host, RUNTIME),
        reboot=_interval(host, REBOOT),
        boot=read_boot_file(host),
        command_line=host.text("/proc/cmdline"),
        disarms=not isinstance(script, Unknown) and "/dev/watchdog" in script,
    )


def _interval(host: Host, name: str) -> str | Unknown:
    said = host.run(["systemctl", "show", f"--property={name}", "--value"])
    if isinstance(said, Unknown):
        return said
    return said.strip() or Unknown(f"systemd does not say {name}")


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    if isinstance(facts.needs_watchdog, Unknown):
        yield from (check.skip(facts.needs_watchdog) for check in CHECKS)
        return
    yield _running(facts)
    yield _restarting(facts)
    yield _booting(facts)


def _running(facts: Facts) -> Finding:
    if not facts.has_device:
        return HARDWARE.warn("there is no /dev/watchdog", "dtparam=watchdog=on in config.txt")
    unfed = "nobody feeds the hardware watchdog: a hung Pi stays hung"
    fed = "a Pi that hangs is restarted"
    return _fed(HARDWARE, "RuntimeWatchdogSec", facts.runtime, unfed, fed)


def _restarting(facts: Facts) -> Finding:
    if not facts.has_device:
        return RESTARTING.skip("there is no /dev/watchdog: see hardware-watchdog")
    unfed = "no watchdog runs while the Pi shuts down"
    fed = "a Pi that hangs while it shuts down is reset"
    return _fed(RESTARTING, "RebootWatchdogSec", facts.reboot, unfed, fed)


def _fed(check: Check, key: str, said: str | Unknown, unfed: str, fed: str) -> Finding:
    """Judge how long systemd lets the hardware wait, by one of its keys."""
    if isinstance(said, Unknown):
        return check.skip(said)
    every_s = seconds(said)
    install = f"{DROP_IN} ({key}=15s)"
    if not every_s:
        return check.warn(unfed, install)
    if every_s > LONGEST_S:
        text = f"{key} is {every_s:g} s, which a Pi refuses or counts modulo 16 s"
        return check.warn(text, install)
    return check.ok(f"{fed} after {every_s:g} s")


def _booting(facts: Facts) -> Finding:
    if isinstance(facts.boot, Unknown):
        return BOOTING.skip(facts.boot)
    if not facts.boot.watchdog_s:
        return BOOTING.warn(
            "no watchdog runs while the Pi boots: one that hangs then stays so",
            f"kernel_watchdog_timeout=60 in {facts.boot.path} (firmware of mid-2025 and newer)",
        )
    if isinstance(facts.command_line, Unknown):
        return BOOTING.skip(facts.command_line)
    words = facts.command_line.split()
    if not any(word.startswith("watchdog.open_timeout=") for word in words):
        return BOOTING.warn(
            f"{facts.boot.path} has kernel_watchdog_timeout, and the kernel was not told of it",
            "restart the Pi; if it stays so the firmware is too old: apt full-upgrade",
        )
    if facts.disarms and STAYS not in words:
        return BOOTING.warn(
            f"the initramfs switches the watchdog off again ({DISARMING})",
            f"add {STAYS} to cmdline.txt, or auto_initramfs=0 to config.txt",
        )
    return BOOTING.ok(f"a Pi that has not booted after {facts.boot.watchdog_s} s is restarted")


FAMILY = Family("watchdogs", CHECKS, lambda case: judge(look(case)))
