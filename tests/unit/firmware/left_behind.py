"""A board's profile, and what a firmware that had it leaves for the fail-safe helper."""

from __future__ import annotations

from pathlib import Path

from rackgrid_firmware.guard_rules import Kept
from rackgrid_firmware.logbook import Logbook
from rackgrid_firmware.pin_table import write_table
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.safe_pins import table_of

PROFILE = """
[board]
name = "bench"
driver = "{driver}"
base_w = 3.0
[[output]]
name = "fan"
gpio = 17
nominal_w = 12.0
[[output]]
name = "pump"
gpio = 22
active_high = false
nominal_w = 12.0
[[output]]
name = "switch"
gpio = 27
required = true
nominal_w = 4.0
"""


def leave_record(profile: Path, **kept: Kept) -> None:
    """Leave what a firmware knows of lockouts and trips."""
    state = profile.parent / "state"
    state.mkdir()
    book = Logbook(state, "a", _fail, lambda _: None)
    book.start()
    book.note(kept)
    book.close()


def _fail(fault: OSError) -> None:
    raise fault


def leave_table(profile: Path, driver: str = "pi", barred: frozenset[str] = frozenset()) -> None:
    """Leave what a firmware with the profile above leaves."""
    text = PROFILE.format(driver=driver).encode()
    given = profile.with_name("as-read.toml")
    given.write_bytes(text)
    write_table(str(profile.parent / "pins"), table_of(load_profile(given), text, barred))
