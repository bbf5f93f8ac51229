"""The two files of a node, as `rackgrid config check` sees them, and who may change or read them.

The firmware believes the board profile and nothing else, so whoever can write it can switch loads;
whoever can read the group key can elect itself broker.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid_firmware.section import Finding as Fault

SOUND = Check(
    "config-sound",
    "Are rackgrid.toml and the board profile free of mistakes?",
    "The daemon and the firmware end with 78 on a file that has mistakes, and do not start again "
    "until it is mended. `rackgrid config check` names the same with their lines.",
)
OWNER = Check(
    "profile-owner",
    "Does the board profile belong to root, and can nobody else write it?",
    "The firmware trusts the profile alone: pins, dwell, which loads are required. Who can write "
    "it "
    "or its folder can make the firmware switch anything.",
)
KEY = Check(
    "key-file",
    "Is the group key there, and can its owner alone read it?",
    "Whoever reads the key can speak in the rack: elect itself, set prices, take power. The daemon "
    "refuses a key that others can read.",
)
PASSWORD = Check(
    "mqtt-password",
    "Is the MQTT password's file there, and can its owner alone read it?",
    "A password that every user of the machine can read is none.",
)
CHECKS = (SOUND, OWNER, KEY, PASSWORD)


@dataclass(frozen=True, slots=True)
class Owned:
    """Who a file belongs to, and who may do what."""

    path: Path
    uid: int
    mode: int
    size: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged; `is_given` says whether there is a configuration at all."""

    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]
    is_given: bool
    profile: Owned | Unknown
    folder: Owned | Unknown
    key: Owned | Unknown
    password: Owned | Unknown


def look(case: Case) -> Facts:
    """Gather the facts."""
    config = case.config
    key: Owned | Unknown
    password: Owned | Unknown
    if isinstance(config, Unknown):
        key, password = config, config
    else:
        key = owned(config.rack.key_file)
        file = config.mqtt.password_file if config.mqtt else None
        password = owned(file) if file else Unknown("no MQTT password is configured")
    real = Unknown(case.why_not_real)
    path = case.profile_path
    return Facts(
        faults=case.faults,
        notes=case.notes,
        is_given=not isinstance(case.profile, Unknown) or not isinstance(config, Unknown),
        profile=owned(path) if case.is_real else real,
        folder=owned(path.resolve().parent) if case.is_real else real,
        key=key,
        password=password,
    )


def owned(path: Path) -> Owned | Unknown:
    """Look at a file's owner and mode."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return Owned(path, -1, 0, -1)
    except OSError as fault:
        return Unknown(f"{path} cannot be looked at ({fault.strerror}): run as root")
    return Owned(path, found.st_uid, stat.S_IMODE(found.st_mode), found.st_size)


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    yield from _sound(facts)
    yield from _owner(facts)
    yield _secret(KEY, facts.key, "rackgrid key new, once; the same file on every node")
    yield _secret(PASSWORD, facts.password, "write the password into it, or take password_file out")


def _sound(facts: Facts) -> Iterator[Finding]:
    yield from (SOUND.fail(str(fault), _mending(fault)) for fault in facts.faults)
    if facts.faults:
        return
    if not facts.is_given:
        yield SOUND.skip("there is neither rackgrid.toml nor a board profile: give --config")
        return
    yield from (SOUND.warn(str(note), "change it, unless it is meant so") for note in facts.notes)
    if not facts.notes:
        yield SOUND.ok("no mistakes")


def _mending(fault: Fault) -> str:
    if fault.line:
        return "mend that line; `rackgrid config check` names all of them"
    if "cannot be read" in fault.problem:
        return "name a file that is there (--config, --profile), or write one: rackgrid setup"
    return "mend that file; `rackgrid config check` names all that is wrong"


def _owner(facts: Facts) -> Iterator[Finding]:
    for place in (facts.profile, facts.folder):
        if isinstance(place, Unknown):
            yield OWNER.skip(place)
            return
        if place.uid != 0 or place.mode & (stat.S_IWGRP | stat.S_IWOTH):
            who = "belongs to another user than root" if place.uid else "can be written by others"
            mode = 755 if place is facts.folder else 644
            yield OWNER.fail(
                f"{place.path} {who}",
                f"chown root:root {place.path} && chmod {mode} {place.path}",
            )
            return
    assert not isinstance(facts.profile, Unknown)
    yield OWNER.ok(f"{facts.profile.path} is root's")


def _secret(check: Check, file: Owned | Unknown, how: str) -> Finding:
    if isinstance(file, Unknown):
        return check.skip(file)
    if file.size < 0:
        return check.fail(f"there is no {file.path}", how)
    if file.mode & 0o077:
        return check.fail(
            f"others can read {file.path} ({file.mode:04o})", f"chmod 600 {file.path}"
        )
    if file.size == 0:
        return check.fail(f"{file.path} is empty", how)
    return check.ok(f"{file.path} is its owner's alone ({file.mode:04o})")


FAMILY = Family("files", CHECKS, lambda case: judge(look(case)))
