"""The machine: what it is, and whether the software fits it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.unknown import Unknown

MODEL = "/proc/device-tree/model"
PYTHON_MIN = (3, 11)
ARM = {"aarch64", "armv7l", "armv6l"}
SMBUS2_FOR_314 = (0, 6, 0)

PI = Check(
    "pi-model",
    "Is a real board on a Raspberry Pi?",
    "Pins and buses are those of a Raspberry Pi's header. On another machine use "
    '`driver = "mock"`, which needs no hardware.',
)
SYSTEM = Check(
    "os-release",
    "Is the system one that rackgrid is made for?",
    "rackgrid is made for Debian 12 and newer and for Raspberry Pi OS: paths, groups and kernel "
    "modules differ elsewhere.",
)
PYTHON = Check(
    "python-version",
    "Is Python new enough, and do its libraries fit it?",
    "rackgrid needs Python 3.11. smbus2 before 0.6 fails on Python 3.14 (its buffer for I2C_FUNCS "
    "is too small).",
)
ARCHITECTURE = Check(
    "architecture",
    "Are there ready-made packages for this processor?",
    "lgpio has wheels for 64-bit ARM and Python 3.11 or 3.12 only. On 32-bit systems it comes from "
    "apt (python3-lgpio) or is compiled.",
)
CHECKS = (PI, SYSTEM, PYTHON, ARCHITECTURE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged.

    Attributes:
        model: as the device tree has it.
        needs_pi: the board is real; else why that does not matter.
        release: ID and VERSION_ID of /etc/os-release.
        python, smbus2: versions.
        processor: of the kernel.
    """

    model: str | Unknown
    needs_pi: bool | Unknown
    release: tuple[str, str] | Unknown
    python: tuple[int, ...]
    smbus2: str | Unknown
    processor: str


def look(case: Case) -> Facts:
    """Gather the facts."""
    text = case.host.text("/etc/os-release")
    return Facts(
        model=case.host.text(MODEL),
        needs_pi=True if case.is_real else Unknown(case.why_not_real),
        release=text if isinstance(text, Unknown) else release_of(text),
        python=tuple(sys.version_info[:3]),
        smbus2=version_of("smbus2"),
        processor=os.uname().machine,
    )


def release_of(text: str) -> tuple[str, str]:
    """Take name and version out of an os-release file."""
    found = {"ID": "", "VERSION_ID": ""}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key in found:
            found[key] = value.strip("\"'")
    return found["ID"], found["VERSION_ID"]


def version_of(package: str) -> str | Unknown:
    """Say which version of a Python package is installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return Unknown(f"the Python package {package} is not installed")


def numbers(version: str) -> tuple[int, ...]:
    """Read the numbers at the beginning of a version."""
    found: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        found.append(int(digits))
    return tuple(found)


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    yield _pi(facts)
    yield _system(facts.release)
    yield _python(facts)
    yield _architecture(facts)


def _pi(facts: Facts) -> Finding:
    if isinstance(facts.needs_pi, Unknown):
        return PI.skip(facts.needs_pi)
    if isinstance(facts.model, Unknown) or "Raspberry Pi" not in facts.model:
        what = "no device tree" if isinstance(facts.model, Unknown) else facts.model
        return PI.fail(
            f"the board is a real one, and this is no Raspberry Pi ({what})",
            'driver = "mock" in the board profile, or run this on the Pi',
        )
    return PI.ok(facts.model)


def _system(release: tuple[str, str] | Unknown) -> Finding:
    if isinstance(release, Unknown):
        return SYSTEM.skip(release)
    name, version = release
    major = numbers(version)[:1]
    if name in {"debian", "raspbian"} and major >= (12,):
        return SYSTEM.ok(f"{name} {version}")
    return SYSTEM.warn(
        f"{name or 'an unknown system'} {version}: rackgrid is tried on Debian 12 and newer",
        "use Debian or Raspberry Pi OS 12 or newer, or try the units and groups with care",
    )


def _python(facts: Facts) -> Finding:
    version = ".".join(map(str, facts.python))
    if facts.python < PYTHON_MIN:
        return PYTHON.fail(
            f"Python {version}: 3.11 or newer is needed", "make the venv with a newer python3"
        )
    if isinstance(facts.smbus2, Unknown):
        return PYTHON.fail(facts.smbus2.reason, "install rackgrid anew: pip install rackgrid")
    if facts.python >= (3, 14) and numbers(facts.smbus2) < SMBUS2_FOR_314:
        return PYTHON.fail(
            f"smbus2 {facts.smbus2} fails on Python {version}", "pip install 'smbus2>=0.6'"
        )
    return PYTHON.ok(f"Python {version}, smbus2 {facts.smbus2}")


def _architecture(facts: Facts) -> Finding:
    if isinstance(facts.needs_pi, Unknown):
        return ARCHITECTURE.skip(facts.needs_pi)
    if facts.processor in ARM - {"aarch64"}:
        return ARCHITECTURE.warn(
            f"{facts.processor}: pip has no ready-made lgpio for it",
            "apt install python3-lgpio, and a venv with --system-site-packages; or a 64-bit system",
        )
    if facts.processor not in ARM:
        return ARCHITECTURE.skip(f"{facts.processor} is no Raspberry Pi's")
    return ARCHITECTURE.ok(facts.processor)


FAMILY = Family("machine", CHECKS, lambda case: judge(look(case)))
