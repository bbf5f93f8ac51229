"""The two services and the fail-safe ladder that systemd holds for them.

Source: systemd.service(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.core.settings import SECOND_NS, WATCHDOG_NS
from rackgrid_firmware import pin_table, safe

FIRMWARE, CONTROLLER = "rackgrid-firmware.service", "rackgrid.service"
PROPERTIES = (
    *("LoadState", "UnitFileState", "ActiveState", "Result", "WatchdogUSec", "ExecStart"),
    *("ExecStopPost", "Environment", "WorkingDirectory", "NRestarts"),
)
US = 1_000_000
FIRMWARE_WATCHDOG_S = WATCHDOG_NS / SECOND_NS
"""The broker's counting rests on a hung firmware being gone within this, and its helper's time."""
RESTARTS_MAX = 3
_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

UNIT_FIRMWARE = Check(
    "firmware-unit",
    "Is the firmware's service installed, enabled and well?",
    "Without the firmware no output has a deadline and no meter is read. It must come up at every "
    "boot, before anybody logs in.",
)
UNIT_CONTROLLER = Check(
    "controller-unit",
    "Is the controller's service installed, enabled and well?",
    "Without the controller the node is on its floor: required loads on, flexible ones off.",
)
WATCHDOG = Check(
    "service-watchdog",
    "Does systemd end a firmware that hangs within 2 s, and a controller that hangs at all?",
    "A firmware whose loop hangs keeps its deadlines no more. The watchdog's 2 s, the kill and the "
    "fail-safe helper are the bound that the rack's arithmetic counts with.",
)
HELPER = Check(
    "fail-safe-helper",
    "Does the firmware's service run the fail-safe helper whenever it ends?",
    "After SIGKILL, a crash or the watchdog nobody else drives the outputs to their safe levels: "
    "a Raspberry Pi kernel leaves them as they were.",
)
TABLE = Check(
    "profile-in-force",
    "Does the firmware work by the board profile as it is now?",
    "The firmware reads the profile once, when it starts. What was changed since is not in force, "
    "and the fail-safe helper takes the pins of both.",
)
LGPIO_HOME = Check(
    "lgpio-directory",
    "Does the firmware's service give lgpio a directory that it may write to?",
    "lgpio makes a pipe in its working directory as soon as it is imported, or in $LG_WD, and "
    "fails "
    "where it may not write.",
)
CHECKS = (UNIT_FIRMWARE, UNIT_CONTROLLER, WATCHDOG, HELPER, TABLE, LGPIO_HOME)

Unit = dict[str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged.

    Attributes:
        firmware, controller: properties of the two units.
        needs_units: the board is real; else why services do not matter.
        profile_path: of the board profile that the configuration names.
        table: stamp of the profile that the firmware works by; stamp: of the one on the disk.
    """

    firmware: Unit | Unknown
    controller: Unit | Unknown
    needs_units: bool | Unknown
    profile_path: Path
    table: str | Unknown
    stamp: str | Unknown


def look(case: Case) -> Facts:
    """Gather the facts."""
    host = case.host
    text = host.bytes(case.profile_path)
    return Facts(
        firmware=unit(host, FIRMWARE),
        controller=unit(host, CONTROLLER),
        needs_units=True if case.is_real else Unknown(case.why_not_real),
        profile_path=case.profile_path,
        table=_table(host),
        stamp=text if isinstance(text, Unknown) else pin_table.stamp_of(text),
    )


def unit(host: Host, name: str) -> Unit | Unknown:
    """Ask systemd about a unit."""
    said = host.run(["systemctl", "show", name, f"--property={','.join(PROPERTIES)}"])
    if isinstance(said, Unknown):
        return said
    found: Unit = {}
    for line in said.splitlines():
        key, _, value = line.partition("=")
        found[key] = f"{found[key]} {value}" if key in found else value
    return found


def _table(host: Host) -> str | Unknown:
    path = host.path(safe.TABLE)
    try:
        return pin_table.read_table(str(path)).stamp
    except FileNotFoundError:
        return Unknown(f"no firmware of this boot has left {safe.TABLE}")
    except (OSError, ValueError) as fault:
        return Unknown(f"{safe.TABLE} cannot be read ({fault}): run as root")


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    yield _service(UNIT_FIRMWARE, FIRMWARE, facts.firmware, facts.needs_units)
    yield _service(UNIT_CONTROLLER, CONTROLLER, facts.controller, facts.needs_units)
    yield from _watchdog(facts)
    yield _helper(facts)
    yield _in_force(facts)
    yield _lgpio_home(facts.firmware)


def is_installed(found: Unit | Unknown) -> bool:
    """Whether systemd knows a unit's file."""
    return not isinstance(found, Unknown) and found.get("LoadState") == "loaded"


def _installed(firmware: Unit | Unknown) -> Unit | Unknown:
    if isinstance(firmware, Unknown) or is_installed(firmware):
        return firmware
    return Unknown(f"{FIRMWARE} is not installed here")


def _service(check: Check, name: str, found: Unit | Unknown, needed: bool | Unknown) -> Finding:
    if isinstance(found, Unknown):
        return check.skip(found)
    if not is_installed(found):
        if isinstance(needed, Unknown):
            return check.skip(f"{name} is not installed, and {needed.reason}")
        return check.warn(f"{name} is not installed", "install it as systemd/README.md says")
    if found.get("ActiveState") == "failed":
        return check.fail(
            f"{name} has failed ({found.get('Result', '?')})", f"journalctl -u {name} -n 30"
        )
    if found.get("UnitFileState") not in {"enabled", "enabled-runtime", "static"}:
        return check.warn(f"{name} does not start at boot", f"systemctl enable {name}")
    if found.get("ActiveState") != "active":
        return check.warn(f"{name} does not run", f"systemctl start {name}")
    restarts = found.get("NRestarts", "0")
    if restarts.isdecimal() and int(restarts) > RESTARTS_MAX:
        return check.warn(
            f"{name} runs, and was restarted {restarts} times", f"journalctl -u {name} -p warning"
        )
    return check.ok(f"{name} runs and is enabled")


def seconds(text: str) -> float:
    """Read a time span as systemd writes it ("1min 30s", "2s", "infinity", "0")."""
    total = 0.0
    for word in text.split():
        digits = word.rstrip("abcdefghijklmnopqrstuvwxyz")
        scale = _UNITS_S.get(word[len(digits) :], 0.0)
        try:
            total += float(digits) * scale
        except ValueError:
            return 0.0
    return total


def _watchdog(facts: Facts) -> Iterator[Finding]:
    drop_in = "take the shipped unit, or WatchdogSec="
    firmware = _installed(facts.firmware)
    if isinstance(firmware, Unknown):
        yield WATCHDOG.skip(firmware)
        return
    if firmware.get("ActiveState") != "active":
        # systemd 252 says 0 of a unit that does not run.
        yield WATCHDOG.skip(f"{FIRMWARE} does not run, and systemd says of those alone that do")
        return
    every_s = seconds(firmware.get("WatchdogUSec", ""))
    if not 0 < every_s <= FIRMWARE_WATCHDOG_S:
        what = f"after {every_s:g} s" if every_s else "never"
        yield WATCHDOG.fail(f"systemd ends a firmware that hangs {what}", f"{drop_in}2")
    else:
        yield WATCHDOG.ok(f"a firmware that hangs is ended after {every_s:g} s")
    controller = {} if isinstance(facts.controller, Unknown) else facts.controller
    runs = controller.get("ActiveState") == "active"
    if runs and not seconds(controller.get("WatchdogUSec", "")):
        yield WATCHDOG.warn("a controller that hangs is never ended", f"{drop_in}10")


def _helper(facts: Facts) -> Finding:
    firmware = _installed(facts.firmware)
    if isinstance(firmware, Unknown):
        return HELPER.skip(firmware)
    command = firmware.get("ExecStopPost", "")
    if "rackgrid_firmware.safe" not in command and "relays safe" not in command:
        return HELPER.fail(
            f"{FIRMWARE} has no ExecStopPost that makes the outputs safe",
            "take the shipped unit: ExecStopPost=... -m rackgrid_firmware.safe",
        )
    program = command.partition("path=")[2].partition(" ")[0]
    if program and not os.access(program, os.X_OK):
        return HELPER.fail(f"{program} of ExecStopPost is not there", "correct its path")
    if str(facts.profile_path) not in command and facts.profile_path != Path(safe.PROFILE):
        return HELPER.fail(
            f"ExecStopPost makes another board safe than {facts.profile_path}",
            f"put {facts.profile_path} into ExecStopPost of {FIRMWARE}",
        )
    return HELPER.ok("ExecStopPost makes the outputs safe")


def _in_force(facts: Facts) -> Finding:
    for fact in (facts.stamp, facts.table):
        if isinstance(fact, Unknown):
            return TABLE.skip(fact)
    if facts.stamp != facts.table:
        return TABLE.warn(
            f"{facts.profile_path} was changed since the firmware started",
            f"systemctl restart {FIRMWARE}",
        )
    return TABLE.ok("the firmware works by the profile as it is now")


def _lgpio_home(found: Unit | Unknown) -> Finding:
    found = _installed(found)
    if isinstance(found, Unknown):
        return LGPIO_HOME.skip(found)
    home = found.get("WorkingDirectory", "")
    if "LG_WD=/run/" in found.get("Environment", "") or home.startswith("/run/"):
        return LGPIO_HOME.ok(f"LG_WD or the working directory is below /run ({home})")
    return LGPIO_HOME.fail(
        "lgpio finds no directory that it may write to",
        "Environment=LG_WD=/run/rackgrid-firmware in the unit, as shipped",
    )


FAMILY = Family("services", CHECKS, lambda case: judge(look(case)))
