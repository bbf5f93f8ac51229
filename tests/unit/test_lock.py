"""The lock file of the deployment: complete, pinned by hash, and what `pyproject.toml` asks for.

Fails if a dependency was added or its bound raised without `make lock`, if a pin lacks its hashes,
or if the file says where packages come from: that is the business of who installs them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "systemd" / "requirements.lock"
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@dataclass
class Pin:
    """One package: its version, when it is needed, and the hashes of its files."""

    version: str
    marker: Marker | None
    hashes: list[str] = field(default_factory=list)

    @property
    def is_here(self) -> bool:
        return self.marker is None or self.marker.evaluate()


def pins(text: str) -> dict[str, Pin]:
    """Read a lock file; whatever is no pin, hash or comment is refused."""
    found: dict[str, Pin] = {}
    for line in text.replace("\\\n", "\n").splitlines():
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        if HASH.fullmatch(entry):
            found[list(found)[-1]].hashes.append(entry)
            continue
        pinned = Requirement(entry)
        (only,) = pinned.specifier
        assert only.operator == "==", entry
        assert pinned.url is None, entry
        found[canonicalize_name(pinned.name)] = Pin(only.version, pinned.marker)
    return found


def declared() -> list[Requirement]:
    """What `pyproject.toml` asks for in a base install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(each) for each in project["dependencies"]]


def needed(first: list[Requirement]) -> Iterator[Requirement]:
    """Walk through what packages need, and what those need, by their own word."""
    waiting, seen = list(first), set[str]()
    while waiting:
        asked = waiting.pop()
        if asked.marker is not None and not asked.marker.evaluate({"extra": ""}):
            continue
        yield asked
        name = canonicalize_name(asked.name)
        if name in seen:
            continue
        seen.add(name)
        try:
            waiting += [Requirement(each) for each in requires(name) or []]
        except PackageNotFoundError:
            continue  # the lock has it, or the test fails


def test_lock_satisfies_every_requirement_of_the_base_install() -> None:
    locked = pins(LOCK.read_text())
    for asked in needed(declared()):
        pin = locked.get(canonicalize_name(asked.name))
        assert pin is not None, f"{asked} is not in the lock: make lock"
        assert asked.specifier.contains(pin.version, prereleases=True), (asked, pin.version)


def test_lock_holds_nothing_that_nobody_needs() -> None:
    locked = {name for name, pin in pins(LOCK.read_text()).items() if pin.is_here}
    assert locked <= {canonicalize_name(asked.name) for asked in needed(declared())}


def test_every_pin_has_hashes_and_no_place_is_named() -> None:
    text = LOCK.read_text()
    assert len(pins(text)) > len(declared())
    assert all(pin.hashes for pin in pins(text).values())
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash)", text, re.MULTILINE), "no option but --hash"


def test_lock_that_misses_one_is_noticed() -> None:
    # Without this, a walk that found nothing would pass the first test.
    names = {canonicalize_name(asked.name) for asked in needed(declared())}
    assert {"starlette", "anyio", "cffi"} <= names
