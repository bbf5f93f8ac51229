"""Which pin at which level is safe: by the profile, and by what the last firmware left.

If the board profile is as the last firmware of this boot read it, the pins come from the table that
it left (`pin_table`), which saves reading TOML; if it was changed, pins of that table which it no
longer names are made safe too, since they may still be driven; if it cannot be used, the table
alone decides, and the reader is told so.

What is locked out or has tripped stays off, a required load too: somebody's hands may be in it. The
table knows; where the profile has changed, the record of lockouts (`logbook`) is asked as well, and
whoever may read neither drives no required load and is told so.

It imports what it needs when it needs it, for the helper's sake (`safe`).
"""

from __future__ import annotations

import os

from rackgrid_firmware.errors import DeviceError
from rackgrid_firmware.pin_table import Pins, PinTable, read_table, stamp_of

TYPE_CHECKING = False  # typing's own costs 2 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rackgrid_firmware.profile import OutputProfile, Profile


def safe_level(output: OutputProfile) -> bool:
    """Say which level brings an output to its safe state: a required load on, all others off."""
    return output.is_safe_on == output.is_high_on


def pins_of(profile: Profile, barred: frozenset[str] = frozenset()) -> Pins:
    """List the pins of a profile, each with its safe level; what is barred stays off."""
    return {
        output.name: (
            output.gpio,
            not output.is_high_on if output.name in barred else safe_level(output),
        )
        for output in profile.outputs
    }


def table_of(profile: Profile, text: bytes, barred: frozenset[str] = frozenset()) -> PinTable:
    """Make the table that the firmware leaves.

    Args:
        profile: of the board.
        text: what the profile was read from.
        barred: outputs that have tripped or are locked out: they stay off.
    """
    return PinTable(profile.name, profile.driver, stamp_of(text), pins_of(profile, barred))


RECORDS = ("outputs.json", "outputs.old")
"""Of lockouts, the newest first (`logbook`)."""


class Plan:
    """What there is to make safe.

    Attributes:
        board, driver: of the profile.
        pins: to drive.
        note: what the reader should know besides, or "".
        problems: why some output is not in `pins` though it should be.
    """

    __slots__ = ("board", "driver", "note", "pins", "problems")

    def __init__(
        self, board: str, driver: str, pins: Pins, note: str = "", problems: Sequence[str] = ()
    ) -> None:
        self.board = board
        self.driver = driver
        self.pins = pins
        self.note = note
        self.problems = problems


def known(path: str, table_path: str, state: str) -> Plan:
    """Find out what there is to make safe.

    Args:
        path: of the board profile.
        table_path: of what the last firmware left; "" for nothing.
        state: where the record of lockouts is; "" for nowhere.

    Raises:
        ValueError: neither profile nor table can be used.
    """
    table, why_no_table = None, "no table is named"
    try:
        if table_path:
            table = read_table(table_path)
    except (OSError, ValueError) as fault:
        why_no_table = _said(fault)
    try:
        with open(path, "rb") as file:
            text = file.read()
        if table is not None and table.stamp == stamp_of(text):
            return Plan(table.board, table.driver, table.pins)
        profile = load(path)
    except (OSError, ValueError) as fault:
        why = str(fault.args[0]) if isinstance(fault, DeviceError) else _said(fault)
        if table is None:
            raise ValueError(
                f"{why}; and there is nothing else to go by: {why_no_table}. What to do: name the "
                "board profile, `rackgrid relays safe PROFILE`"
            ) from fault
        note = f"as the last firmware knew it, because {why}"
        return Plan(table.board, table.driver, table.pins, note)
    return _plan(profile, table, state)


def _said(fault: Exception) -> str:
    """Say what was wrong with a file, without the number of the error."""
    if isinstance(fault, OSError) and fault.filename:
        return f"{fault.filename}: {fault.strerror}"
    return str(fault)


def _plan(profile: Profile, table: PinTable | None, state: str) -> Plan:
    """Go by a profile that the last firmware of this boot did not have as it is now."""
    barred, unknown = _barred_by(table, profile), frozenset[str]()
    if os.path.isdir(state) and not os.access(state, os.R_OK | os.X_OK):
        required = frozenset(output.name for output in profile.outputs if output.required)
        unknown = required if table is None else required - table.pins.keys()
    elif state:
        barred |= _barred_in(state)
    pins = pins_of(profile, barred)
    former = _former(table, pins)
    note = f"and {len(former)} that the profile no longer has" if former else ""
    known = {name: pin for name, pin in pins.items() if name not in unknown}
    problems = tuple(
        f"output {name}: a lockout would be in {state}, which we may not read; use sudo"
        for name in sorted(unknown)
    )
    return Plan(profile.name, profile.driver, {**known, **former}, note, problems)


def _barred_by(table: PinTable | None, profile: Profile) -> frozenset[str]:
    """Say what the last firmware of this boot left off though its safe state is on."""
    if table is None:
        return frozenset()
    return frozenset(
        output.name
        for output in profile.outputs
        if output.is_safe_on
        and table.pins.get(output.name) == (output.gpio, not safe_level(output))
    )


def _barred_in(state: str) -> frozenset[str]:
    """Say what the record bars, of whatever boot; one that cannot be read bars no required load."""
    from rackgrid_firmware.checked import MISREAD, read

    for name in RECORDS:
        try:
            with open(os.path.join(state, name), "rb") as file:
                outputs = read(file.read())["outputs"]
            return frozenset(
                output for output, each in outputs.items() if each["fault"] or each["is_locked"]
            )
        except (OSError, *MISREAD):
            continue
    return frozenset()


def _former(table: PinTable | None, pins: Pins) -> Pins:
    """Give the pins that an earlier profile of this boot had and this one has not."""
    if table is None:
        return {}
    now = {gpio for gpio, _ in pins.values()}
    return {f"{name} (former)": pin for name, pin in table.pins.items() if pin[0] not in now}


def load(path: str) -> Profile:
    """Read a profile.

    Raises:
        ProfileError: it cannot be used.
    """
    from pathlib import Path

    from rackgrid_firmware.profile_file import load_profile

    return load_profile(Path(path))
